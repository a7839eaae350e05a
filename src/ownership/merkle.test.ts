/** @file The tree against the vectors of Certificate Transparency's reference code, and what a path must not show. */

import { describe, expect, test } from "vitest";
import { leafHash, merklePath, merkleRoot, rootOfPath } from "./merkle.js";

/** google/certificate-transparency, merkle_tree_test.cc: eight leaves, and the root of the first n of them. */
const leaves = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"].map(
  (data) => leafHash(Buffer.from(data, "hex")),
);
const roots = [
  "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
  "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
  "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
  "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
  "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
  "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
  "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
  "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

const hexOf = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString("hex");
const many = (count: number): Uint8Array[] => Array.from({ length: count }, (_, i) => leafHash(Uint8Array.of(i)));

test("roots are those of RFC 6962, for odd numbers too", () => {
  expect(roots.map((_, i) => hexOf(merkleRoot(leaves.slice(0, i + 1))))).toEqual(roots);
  expect(() => merkleRoot([])).toThrow(RangeError);
});

describe("a path", () => {
  test("of each leaf of 1 to 33 leads to the root, and of no other place or number of leaves", () => {
    for (let count = 1; count <= 33; count++) {
      const all = many(count);
      const root = hexOf(merkleRoot(all));
      for (const [index, leaf] of all.entries()) {
        const path = merklePath(all, index);
        expect(hexOf(rootOfPath(leaf, index, count, path))).toBe(root);
        for (let other = -1; other <= count; other++) {
          if (other !== index) expect(hexOf(rootOfPath(leaf, other, count, path))).not.toBe(root);
        }
      }
      expect(() => merklePath(all, count)).toThrow(RangeError);
    }
  });

  test("cannot be cut so that a node passes for a leaf, nor be longer or shorter", () => {
    const all = many(4);
    const root = hexOf(merkleRoot(all));
    const [first = new Uint8Array()] = all;
    const path = merklePath(all, 0);
    // The node above leaves 0 and 1 is a hash of 65 bytes that begin with 1; a leaf of the same bytes is another hash.
    const pair = Buffer.concat([Uint8Array.of(1), first, all[1] ?? new Uint8Array()]);
    expect(hexOf(rootOfPath(leafHash(pair), 0, 2, path.slice(1)))).not.toBe(root);
    expect(rootOfPath(first, 0, 4, path.slice(1))).toBeUndefined();
    expect(rootOfPath(first, 0, 4, [...path, first])).toBeUndefined();
    expect(rootOfPath(first, 0, 1, [first])).toBeUndefined();
  });

  test("an odd leaf is not counted twice: three leaves and the last one again are another tree", () => {
    const three = many(3);
    expect(hexOf(merkleRoot([...three, three[2] ?? new Uint8Array()]))).not.toBe(hexOf(merkleRoot(three)));
  });
});
