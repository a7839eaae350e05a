import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { WildmarkError } from "../core/errors.js";
import type { DecodedSplits } from "./decoded.js";
import { decodeNpy } from "./npy.js";
import { decodeNpz } from "./npz.js";
import { abuse } from "./testing/abuse.js";
import { npy, type ZipInput, zip } from "./testing/archives.js";

const bytesOf = (array: { buffer: ArrayBufferLike }): Uint8Array => new Uint8Array(array.buffer);
const range = (count: number): Uint8Array => Uint8Array.from({ length: count }, (_, i) => i);

type Array_ = readonly [descr: string, dims: readonly number[], data: Uint8Array, fortran?: boolean, version?: number];
const u1 = (...dims: number[]): Array_ => ["|u1", dims, range(dims.reduce((a, b) => a * b, 1))];
const i8 = (...values: number[]): Array_ => ["<i8", [values.length], bytesOf(BigInt64Array.from(values, BigInt))];
const f4 = (dims: number[], values: number[]): Array_ => ["<f4", dims, bytesOf(Float32Array.from(values))];

/** Images and labels (and others) as an .npz file. */
function npz(arrays: Record<string, Array_>, how: Partial<ZipInput> = {}): Buffer {
  return zip(Object.entries(arrays).map(([name, array]) => ({ name: `${name}.npy`, bytes: npy(...array), ...how })));
}

async function refusal(bytes: Uint8Array): Promise<string> {
  const error = await decodeNpz(bytes, "a.npz").then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof WildmarkError)) throw new Error(`expected a WildmarkError, got ${error}`);
  return error.message;
}

describe("npy", () => {
  test("C and Fortran order, both byte orders, all versions, give the same numbers", () => {
    const dims = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(dims, fc.boolean(), fc.boolean(), fc.integer({ min: 1, max: 3 }), (shape, big, fortran, version) => {
        const count = shape.reduce((a, b) => a * b, 1);
        // The element at C index i is i.
        const data = Buffer.alloc(count * 4);
        for (let i = 0; i < count; i++) {
          let [rest, at, step] = [i, 0, count];
          const index = shape.map((dim) => {
            step /= dim;
            const value = Math.floor(rest / step);
            rest %= step;
            return value;
          });
          let stride = 1;
          shape.forEach((dim, axis) => {
            at += (index[axis] ?? 0) * stride;
            stride *= dim;
          });
          const offset = (fortran ? at : i) * 4;
          if (big) data.writeInt32BE(i, offset);
          else data.writeInt32LE(i, offset);
        }
        const decoded = decodeNpy(npy(big ? ">i4" : "<i4", shape, data, fortran, version), "x");
        expect([decoded.type, decoded.dims]).toEqual(["int32", shape]);
        expect([...decoded.data]).toEqual([...range(count)]);
      }),
      { numRuns: 200, seed: 1 },
    );
  });

  test.each<[string, Uint8Array, RegExp]>([
    ["objects", npy("|O", [1], range(8)), /Python objects \(a pickle\) is not read/],
    ["text", npy("<U3", [1], range(12)), /expected an array of numbers, found the type "<U3"/],
    ["complex numbers", npy("<c8", [1], range(8)), /"<c8"/],
    ["more than there is", npy("<f8", [2 ** 40, 2 ** 40], range(8)), /found 8/],
    ["less than there is", npy("|u1", [3], range(8)), /takes 3 bytes, found 8/],
    ["another file", range(200), /magic bytes/],
    ["a header without a shape", npy("|u1', 'x': '", [], range(1)).fill(0x20, 40, 80), /lacks|expected|takes/],
  ])("refuses %s", (_, bytes, message) => {
    expect(() => decodeNpy(bytes, "x")).toThrow(message);
    expect(() => decodeNpy(bytes, "x")).toThrow(WildmarkError);
  });

  test("bears damage", async () => {
    const good = npy("<f4", [2, 3], bytesOf(Float32Array.of(1, 2, 3, 4, 5, 6)));
    await abuse(good, (bytes) => decodeNpy(bytes, "x").data.byteLength, good.length);
  });
});

describe("npz", () => {
  test.each<[string, Partial<ZipInput>]>([
    ["stored", {}],
    ["deflated", { deflate: true }],
    ["with zip64 sizes", { zip64: true }],
  ])("%s, as Keras writes it", async (_, how) => {
    const bytes = npz(
      { x_train: u1(2, 2, 3), y_train: i8(1, 4), x_test: u1(1, 2, 3), y_test: i8(0), other: u1(1) },
      how,
    );
    const { classes, train, test } = await decodeNpz(bytes, "mnist.npz");
    expect([classes, train.shape, train.count]).toEqual([5, { channels: 1, height: 2, width: 3 }, 2]);
    expect([[...train.images], [...train.labels]]).toEqual([[...range(12)], [1, 4]]);
    expect([[...(test?.images ?? [])], [...(test?.labels ?? [])]]).toEqual([[...range(6)], [0]]);
  });

  test("channels last are turned round, channels first are not; one split alone is fine", async () => {
    const last = await decodeNpz(npz({ images: u1(1, 2, 2, 3), labels: i8(0) }), "x");
    expect([...last.train.images]).toEqual([0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11]);
    expect([last.train.shape, last.test]).toEqual([{ channels: 3, height: 2, width: 2 }, undefined]);
    const first = await decodeNpz(npz({ images: u1(1, 3, 2, 2), labels: i8(0) }), "x");
    expect([...first.train.images]).toEqual([...range(12)]);
  });

  test("what could be either layout is refused, unless it is said which", async () => {
    const bytes = npz({ images: u1(1, 3, 2, 3), labels: i8(0) });
    expect(await refusal(bytes)).toMatch(/1x3x2x3 may be channels first or channels last/);
    expect((await decodeNpz(bytes, "x", { layout: "NHWC" })).train.shape).toEqual({ channels: 3, height: 3, width: 2 });
    expect((await decodeNpz(bytes, "x", { layout: "NCHW" })).train.shape).toEqual({ channels: 3, height: 2, width: 3 });
  });

  test("floats of 0 to 1 and of 0 to 255 become the nearest bytes, on one scale for both splits", async () => {
    const pixels = async (train: number[], test: number[]): Promise<number[][]> => {
      const arrays = { x_train: f4([1, 1, 3], train), y_train: i8(0), x_test: f4([1, 1, 3], test), y_test: i8(1) };
      const decoded = await decodeNpz(npz(arrays), "x");
      return [[...decoded.train.images], [...(decoded.test?.images ?? [])]];
    };
    expect(await pixels([0, 0.5, 1], [0, 1 / 255, 0.2])).toEqual([
      [0, 128, 255],
      [0, 1, 51],
    ]);
    expect(await pixels([0, 254.6, 3], [0, 1, 1])).toEqual([
      [0, 255, 3],
      [0, 1, 1],
    ]);
  });

  test("labels may be a column or one-hot", async () => {
    const column: Array_ = ["|u1", [2, 1], Uint8Array.of(3, 1)];
    const hot = f4([2, 4], [0, 0, 0, 1, 0, 1, 0, 0]);
    for (const labels of [column, hot]) {
      const decoded: DecodedSplits = await decodeNpz(npz({ images: u1(2, 1, 1), labels }), "x");
      expect([[...decoded.train.labels], decoded.classes]).toEqual([[3, 1], 4]);
    }
  });

  const images = u1(2, 1, 2);
  test.each<[string, Uint8Array, RegExp]>([
    ["other names", npz({ a: images, b: i8(1) }), /expected arrays named images and labels .* found "a", "b"/],
    ["no arrays", zip([]), /found none/],
    ["a missing label", npz({ images, labels: i8(1) }), /labels: expected 2 labels.* found 1/],
    ["two ones", npz({ images, labels: f4([2, 2], [1, 1, 0, 1]) }), /row 0 is not one-hot/],
    ["no one", npz({ images, labels: f4([2, 2], [0, 1, 0, 0]) }), /row 1 is not one-hot: it is all zeros/],
    ["fractional labels", npz({ images, labels: f4([2], [0, 1]) }), /labels: expected integers, found float32/],
    ["a negative label", npz({ images, labels: i8(0, -1) }), /label 1 is -1/],
    ["a label beyond 16 bits", npz({ images, labels: i8(0, 65_536) }), /label 1 is 65536/],
    ["normalised images", npz({ images: f4([1, 1, 1], [-0.4]), labels: i8(0) }), /0 to 1 or 0 to 255, found -0\.4/],
    ["images with NaN", npz({ images: f4([1, 1, 1], [Number.NaN]), labels: i8(0) }), /found NaN/],
    [
      "integers beyond 255",
      npz({ images: ["<i8", [1, 1, 1], bytesOf(BigInt64Array.of(256n))], labels: i8(0) }),
      /found 256/,
    ],
    ["two channels", npz({ images: u1(1, 2, 4, 4), labels: i8(0) }), /with 1 or 3 channels, found 1x2x4x4/],
    ["flat images", npz({ images: u1(2, 4), labels: i8(0, 1) }), /expected \[N,H,W\]/],
    ["no images", npz({ images: u1(0, 4, 4), labels: i8() }), /holds no images/],
    ["a wrong checksum", npz({ images, labels: i8(0, 1) }, { claims: { crc: 7 } }), /CRC-32/],
    ["an encrypted file", npz({ images, labels: i8(0, 1) }, { deflate: true, claims: { flags: 1 } }), /encrypted/],
    [
      "a size that lies",
      npz({ images, labels: i8(0, 1) }, { deflate: true, claims: { size: 9 } }),
      /not a sound zip file/,
    ],
    ["a name that climbs out", zip([{ name: "../images.npy", bytes: range(1) }]), /\.\./],
    ["a name twice", zip([1, 2].map(() => ({ name: "images.npy", bytes: range(1) }))), /twice/],
    ["no zip file", range(100), /not a sound zip file/],
  ])("refuses %s", async (_, bytes, message) => {
    expect(await refusal(bytes)).toMatch(message);
  });

  test("a bomb is refused before it is unpacked, whether its claim is true or false", async () => {
    const zeros = new Uint8Array(40 << 20);
    const bomb = zip([
      { name: "images.npy", bytes: npy("|u1", [40, 1024, 1024], zeros), deflate: true },
      { name: "labels.npy", bytes: npy("|u1", [40], new Uint8Array(40)) },
    ]);
    expect(bomb.length).toBeLessThan(100_000);
    expect(await refusal(bomb)).toMatch(/claim to unpack to 41943\d+; more than 16777216 is not believed/);
    const modest = { deflate: true, claims: { size: 1000 } };
    const lying = zip([
      { name: "images.npy", bytes: npy("|u1", [40, 1024, 1024], zeros), ...modest },
      { name: "labels.npy", bytes: npy("|u1", [40], new Uint8Array(40)) },
    ]);
    expect(await refusal(lying)).toMatch(/not a sound zip file/);
    const huge = { deflate: true, zip64: true, claims: { size: 2 ** 45 } };
    expect(await refusal(npz({ images, labels: i8(0, 1) }, huge))).toMatch(/not believed/);
  });

  test.each([true, false])("bears damage (deflated: %s)", async (deflate) => {
    const good = npz({ images: u1(4, 5, 6), labels: i8(0, 1, 2, 3) }, { deflate });
    await abuse(good, async (bytes) => (await decodeNpz(bytes, "x")).train.images.length, 16 << 20);
  });
});

describe("a validation split", () => {
  const split = (name: string, label: number) => ({ [`${name}_images`]: u1(1, 2, 3), [`${name}_labels`]: i8(label) });

  test("is dropped beside a test split, as in MedMNIST's files, and said", async () => {
    const bytes = npz({ ...split("train", 0), ...split("val", 1), ...split("test", 2) });
    const { test, notes } = await decodeNpz(bytes, "a.npz");
    expect([...(test?.labels ?? [])]).toEqual([2]);
    expect(notes).toEqual([expect.stringMatching(/^val_images and val_labels are not used/)]);
  });

  test("is the test split where there is no other, and said", async () => {
    const { test, notes } = await decodeNpz(npz({ ...split("train", 0), ...split("valid", 1) }), "a.npz");
    expect([...(test?.labels ?? [])]).toEqual([1]);
    expect(notes).toEqual(["no test split: valid_images and valid_labels are the test images"]);
  });
});
