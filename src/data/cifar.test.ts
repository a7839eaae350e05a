import fc from "fast-check";
import { expect, test } from "vitest";
import { WildmarkError } from "../core/errors.js";
import { cifar10Labels, cifar100Labels, decodeCifar } from "./cifar.js";
import { abuse } from "./testing/abuse.js";

/** Records whose pixels follow from their place. */
function encode(labels: readonly (readonly number[])[]): Uint8Array {
  return Uint8Array.from(
    labels.flatMap((each, n) => [...each, ...Array.from({ length: 3072 }, (_, i) => (i + n) % 251)]),
  );
}

test("records of both kinds come back, over several files", () => {
  const fine = fc.tuple(fc.nat(19), fc.nat(99));
  fc.assert(
    fc.property(
      fc.array(fine, { minLength: 1, maxLength: 4 }),
      fc.array(fine, { minLength: 1, maxLength: 4 }),
      (a, b) => {
        const files = [a, b].map((records, i) => ({ path: `${i}.bin`, bytes: encode(records) }));
        const decoded = decodeCifar(files, cifar100Labels);
        expect([...decoded.labels]).toEqual([...a, ...b].map(([, label]) => label));
        expect([decoded.count, decoded.images.length]).toEqual([a.length + b.length, (a.length + b.length) * 3072]);
        const pixel = 3072 * a.length + 5; // pixel 5 of the second file's first image
        expect(decoded.images[pixel]).toBe(5);
      },
    ),
    { numRuns: 20, seed: 1 },
  );
  const ten = decodeCifar([{ path: "a", bytes: encode([[9], [0]]) }], cifar10Labels);
  expect([...ten.labels, ten.images[3072]]).toEqual([9, 0, 1]);
});

test.each<[string, Uint8Array, RegExp]>([
  ["nothing", new Uint8Array(0), /found 0 bytes/],
  ["half a record", encode([[1]]).subarray(0, 2000), /records of 3073 bytes .* found 2000 bytes/],
  ["CIFAR-100 for CIFAR-10", encode([[3, 4]]), /records of 3073 bytes .* found 3074/],
  ["a label out of range", encode([[1], [10]]), /label 1 is 10, expected one of 0 to 9/],
])("refuses %s", (_, bytes, message) => {
  expect(() => decodeCifar([{ path: "x.bin", bytes }], cifar10Labels)).toThrow(message);
  expect(() => decodeCifar([{ path: "x.bin", bytes }], cifar10Labels)).toThrow(WildmarkError);
});

test("bears damage", async () => {
  const good = encode([[1], [2]]);
  await abuse(good, (bytes) => decodeCifar([{ path: "x", bytes }], cifar10Labels).images.length, good.length);
});
