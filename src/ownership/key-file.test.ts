/**
 * @file Keys: the same bytes both ways, refused when they contradict themselves, private and never overwritten on disk.
 */

import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { WildmarkError } from "../core/errors.js";
import { decodeSafetensors, encodeSafetensors } from "../core/safetensors.js";
import type { Tensor } from "../core/tensor.js";
import type { Key } from "./key.js";
import { decodeKey, encodeKey, keySha256, readKey, writeKey } from "./key-file.js";

const pixels = (count: number, start: number): Uint8Array =>
  Uint8Array.from({ length: count * 6 }, (_, i) => start + i);

const key: Key = {
  scheme: "content",
  seed: -7,
  classes: 10,
  shape: { channels: 1, height: 2, width: 3 },
  triggers: { images: pixels(3, 0), labels: Uint16Array.of(6, 6, 9), count: 3 },
  heldOut: { images: pixels(2, 50), labels: Uint16Array.of(6, 6), count: 2 },
  placebos: { images: pixels(3, 90), count: 3, paired: true },
  sourceLabels: Uint16Array.of(4, 4, 4),
  options: { triggers: 3, heldOut: 2, labels: "target" },
  modelSha256: "ab".repeat(32),
  createdBy: "wildmark 0.1.0",
};

function refusal(work: () => unknown): WildmarkError {
  try {
    work();
  } catch (error) {
    if (error instanceof WildmarkError) return error;
    throw error;
  }
  throw new Error("the key was accepted");
}

/** The encoded key with its metadata or tensors changed. */
function tampered(change: (metadata: Map<string, string>, tensors: Map<string, Tensor>) => void): Uint8Array {
  const { metadata, tensors } = decodeSafetensors(encodeKey(key), "x");
  const [changedMetadata, changedTensors] = [new Map(metadata), new Map(tensors)];
  change(changedMetadata, changedTensors);
  return encodeSafetensors({ metadata: changedMetadata, tensors: changedTensors });
}

const u8 = (...dims: number[]): Tensor => ({
  type: "uint8",
  dims,
  data: new Uint8Array(dims.reduce((product, dim) => product * dim, 1)),
});

describe("bytes", () => {
  test("decode to the key, with everything optional present or absent", () => {
    const bare: Key = { ...key, heldOut: undefined, placebos: undefined, sourceLabels: undefined, options: {} };
    const unpaired: Key = { ...key, placebos: { images: pixels(5, 1), count: 5, paired: false } };
    for (const each of [key, bare, unpaired]) expect(decodeKey(encodeKey(each), "x")).toEqual(each);
  });

  test("are the same for the same key, whatever the order of its options, and so is the hash", () => {
    const reordered: Key = { ...key, options: { labels: "target", heldOut: 2, triggers: 3 } };
    expect(encodeKey(reordered)).toEqual(encodeKey(key));
    expect(keySha256(reordered)).toBe(keySha256(key));
    expect(keySha256({ ...key, seed: 8 })).not.toBe(keySha256(key));
  });

  test("are a fixed sequence: a published hash stays good", () => {
    expect(keySha256(key)).toMatchInlineSnapshot(`"10de64fd960b06bbb5661e3c3e87acc18c43fa3dfa5a1c1368113abfac5d8779"`);
  });
});

describe("a key that contradicts itself is refused by its reader", () => {
  const cases: readonly (readonly [string, string, Uint8Array])[] = [
    ["another file", "not a Wildmark key", tampered((metadata) => metadata.delete("format"))],
    ["a newer format", 'version 1 or 2, found "3"', tampered((metadata) => metadata.set("version", "3"))],
    ["a version that says more", "does not say how it was drawn", tampered((metadata) => metadata.set("version", "2"))],
    ["no version", "version 1 or 2, found none", tampered((metadata) => metadata.delete("version"))],
    ["no seed", "metadata seed", tampered((metadata) => metadata.delete("seed"))],
    ["a seed that is no number", "whole number", tampered((metadata) => metadata.set("seed", "1e3"))],
    ["a seed beyond counting", "metadata seed", tampered((metadata) => metadata.set("seed", "9".repeat(40)))],
    ["one class", "metadata classes", tampered((metadata) => metadata.set("classes", "1"))],
    ["fewer classes than labels", "is 9, expected one of 0 to 6", tampered((metadata) => metadata.set("classes", "7"))],
    ["options that are no JSON", "expected JSON", tampered((metadata) => metadata.set("options", "{"))],
    ["options within options", "metadata options", tampered((metadata) => metadata.set("options", '{"a":{}}'))],
    ["a hash that is none", "64 hexadecimal", tampered((metadata) => metadata.set("model_sha256", "abc"))],
    ["no triggers", "triggers.images as U8", tampered((_, tensors) => tensors.delete("triggers.images"))],
    ["zero triggers", "no triggers", tampered((_, tensors) => tensors.set("triggers.images", u8(0, 1, 2, 3)))],
    [
      "empty images",
      "are no images",
      tampered((_, tensors) => {
        for (const [name, count] of [
          ["triggers", 3],
          ["held_out", 2],
          ["placebos", 3],
        ] as const) {
          tensors.set(`${name}.images`, u8(count, 1, 0, 3));
        }
      }),
    ],
    [
      "triggers of three axes",
      "found uint8 [3, 2, 3]",
      tampered((_, tensors) => tensors.set("triggers.images", u8(3, 2, 3))),
    ],
    ["too few labels", "expected 3 labels", tampered((_, tensors) => tensors.set("triggers.labels", u8(2)))],
    [
      "placebos of another shape",
      "the triggers 1x2x3",
      tampered((_, tensors) => tensors.set("placebos.images", u8(3, 1, 3, 2))),
    ],
    [
      "paired placebos, too few",
      "paired placebos",
      tampered((_, tensors) => tensors.set("placebos.images", u8(2, 1, 2, 3))),
    ],
    ["placebos, paired or not unsaid", "come together", tampered((metadata) => metadata.delete("placebos_paired"))],
    ["held-out triggers without labels", "come together", tampered((_, tensors) => tensors.delete("held_out.labels"))],
    ["too many source labels", "source labels", tampered((_, tensors) => tensors.set("source_labels", u8(4)))],
    ["a tensor from elsewhere", "unexpected tensor", tampered((_, tensors) => tensors.set("weights", u8(1)))],
  ];
  test.each(cases)("%s", (_, reason, bytes) => {
    const error = refusal(() => decodeKey(bytes, "stolen.key"));
    expect(error.code).toBe("bad-key");
    expect(error.message).toContain("stolen.key: ");
    expect(error.message).toContain(reason);
    expect(error.hint).toBeDefined();
  });

  test("and is never written", () => {
    const labels = Uint16Array.of(6, 6, 10);
    expect(refusal(() => encodeKey({ ...key, triggers: { ...key.triggers, labels } })).code).toBe("bad-key");
    expect(refusal(() => encodeKey({ ...key, classes: 65_537 })).code).toBe("bad-key");
    expect(refusal(() => encodeKey({ ...key, seed: 0.5 })).code).toBe("bad-key");
    expect(refusal(() => encodeKey({ ...key, options: { sigma: Number.NaN } })).code).toBe("bad-key");
    const short = { ...key.triggers, images: pixels(2, 0) };
    expect(refusal(() => encodeKey({ ...key, triggers: short })).message).toContain("take 18 bytes, found 12");
  });
});

test("labels are bytes up to 256 classes and 16-bit numbers beyond", () => {
  const types = (classes: number) => {
    const bytes = encodeKey({ ...key, classes });
    expect(decodeKey(bytes, "x")).toEqual({ ...key, classes });
    const { tensors } = decodeSafetensors(bytes, "x");
    return ["triggers.labels", "held_out.labels", "source_labels"].map((name) => tensors.get(name)?.type);
  };
  expect(types(256)).toEqual(["uint8", "uint8", "uint8"]);
  expect(types(257)).toEqual(["uint16", "uint16", "uint16"]);
});

describe("on disk", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "wildmark-key-"));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  test("a key is private, comes back, and is not overwritten without force", async () => {
    const path = join(folder, "mark.key");
    await writeKey(path, key);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await readKey(path)).toEqual(key);
    await expect(writeKey(path, { ...key, seed: 2 })).rejects.toMatchObject({ code: "cannot-write" });
    expect((await readKey(path)).seed).toBe(-7);
    await writeKey(path, { ...key, seed: 2 }, { force: true });
    expect((await readKey(path)).seed).toBe(2);
    expect(await readdir(folder)).toEqual(["mark.key"]);
  });

  test("an unsound key leaves no file", async () => {
    await expect(writeKey(join(folder, "a"), { ...key, classes: 2 })).rejects.toMatchObject({ code: "bad-key" });
    expect(await readdir(folder)).toEqual([]);
  });

  test("a truncated and a missing file are named", async () => {
    const path = join(folder, "mark.key");
    await writeKey(path, key);
    await writeFile(path, (await readFile(path)).subarray(0, -1));
    await expect(readKey(path)).rejects.toMatchObject({ code: "bad-file", message: expect.stringContaining(path) });
    await expect(readKey(join(folder, "none"))).rejects.toMatchObject({ code: "bad-file" });
  });
});
