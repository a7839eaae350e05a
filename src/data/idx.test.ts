import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { WildmarkError } from "../core/errors.js";
import { decodeIdx, decodeIdxImages, decodeIdxLabels, encodeIdx, gunzip } from "./idx.js";

const images = { dims: [5, 4, 3], data: Uint8Array.from({ length: 60 }, (_, i) => i * 4) };
const plain = encodeIdx(images);
const zipped = gzipSync(plain);

/** A header alone: what it claims, and nothing of it. */
function claim(...dims: number[]): Uint8Array {
  return encodeIdx({ dims, data: new Uint8Array(0) });
}

describe("decodeIdx", () => {
  it("reads the bytes of the format's own description", () => {
    const file = Uint8Array.of(0, 0, 8, 1, 0, 0, 0, 3, 7, 8, 9);
    expect(decodeIdxLabels(file, "f")).toEqual({ dims: [3], data: Uint8Array.of(7, 8, 9) });
  });

  it("round-trips any array, gzipped or not", () => {
    const arrays = fc.array(fc.nat({ max: 6 }), { minLength: 1, maxLength: 4 }).chain((dims) => {
      const length = dims.reduce((product, dim) => product * dim, 1);
      return fc.record({ dims: fc.constant(dims), data: fc.uint8Array({ minLength: length, maxLength: length }) });
    });
    fc.assert(
      fc.property(arrays, (array) => {
        const bytes = encodeIdx(array);
        for (const file of [bytes, gzipSync(bytes)]) {
          const { dims, data } = decodeIdx(file, "f");
          expect(dims).toEqual(array.dims);
          expect(Uint8Array.from(data)).toEqual(array.data);
        }
      }),
    );
  });

  it("reads from the middle of a larger buffer", () => {
    const padded = new Uint8Array(plain.length + 7);
    padded.set(plain, 7);
    expect(decodeIdx(padded.subarray(7), "f")).toEqual(images);
  });

  it.each<[string, Uint8Array, RegExp]>([
    ["nothing", new Uint8Array(0), /expected an IDX file, found 0 bytes/],
    ["a text", new TextEncoder().encode("<html>404</html>"), /expected an IDX file .* found 3c68746d/],
    ["floats", Uint8Array.of(0, 0, 13, 1, 0, 0, 0, 0), /expected unsigned bytes, found 32-bit floats/],
    ["a header cut short", plain.subarray(0, 9), /header takes 16 bytes, the file ends after 9/],
    ["missing elements", plain.subarray(0, 75), /5x4x3, which takes 76 bytes; found 75/],
    ["trailing bytes", Uint8Array.of(...plain, 0), /takes 76 bytes; found 77/],
    ["a huge claim", claim(0xffffffff, 0xffffffff, 0xffffffff), /found 16/],
    ["a huge gzipped claim", gzipSync(claim(0xffffffff, 28, 28)), /gzipped bytes cannot hold as many/],
    ["a gzipped claim that could be true", gzipSync(claim(40, 28, 28)), /takes 31376 bytes; found 16/],
    [
      "gzipped trailing bytes",
      gzipSync(Uint8Array.of(...plain, 0)),
      /expected 76 bytes after decompression, found more/,
    ],
    ["a gzip stream cut short", zipped.subarray(0, zipped.length - 9), /damaged or cut short/],
    ["gzip magic alone", Uint8Array.of(0x1f, 0x8b), /f: /],
  ])("refuses %s", (_, bytes, message) => {
    expect(() => decodeIdx(bytes, "f")).toThrow(message);
    expect(() => decodeIdx(bytes, "f")).toThrow(WildmarkError);
  });

  it("stops a gzip bomb at the size that its header claims", () => {
    const bomb = gzipSync(encodeIdx({ dims: [10], data: new Uint8Array(64 << 20) }));
    const before = process.memoryUsage().arrayBuffers;
    expect(() => decodeIdx(bomb, "bomb")).toThrow(/expected 18 bytes after decompression, found more/);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 << 20);
  });

  it("tells images from labels", () => {
    expect(decodeIdxImages(plain, "f").dims).toEqual([5, 4, 3]);
    expect(() => decodeIdxLabels(plain, "f")).toThrow(/expected labels \(count\), found an array of 3 dimensions/);
    expect(() => decodeIdxImages(claim(0), "f")).toThrow(/expected images .*found an array of 1 dimensions \(0\)/);
  });
});

describe("damaged files", () => {
  const sound = fc.constantFrom(plain, new Uint8Array(zipped));

  it("truncated anywhere: an error, never an array", () => {
    fc.assert(
      fc.property(sound, fc.double({ min: 0, max: 0.999, noNaN: true }), (file, share) => {
        expect(() => decodeIdx(file.subarray(0, Math.floor(share * file.length)), "f")).toThrow(WildmarkError);
      }),
    );
  });

  it("with flipped bits: an array of the claimed size, or an error that Wildmark foresees", () => {
    const flips = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 7 })), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(sound, flips, (file, bits) => {
        const damaged = file.slice();
        for (const [place, bit] of bits) damaged[place % file.length] = (file[place % file.length] ?? 0) ^ (1 << bit);
        try {
          const { dims, data } = decodeIdx(damaged, "f");
          expect(data.length).toBe(dims.reduce((product, dim) => product * dim, 1));
        } catch (error) {
          expect(error).toBeInstanceOf(WildmarkError);
        }
      }),
      { numRuns: 500 },
    );
  });

  it("of random bytes: an error that Wildmark foresees", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), fc.boolean(), (bytes, asGzip) => {
        const file = asGzip ? Uint8Array.of(0x1f, 0x8b, ...bytes) : bytes;
        try {
          decodeIdx(file, "f");
        } catch (error) {
          expect(error).toBeInstanceOf(WildmarkError);
        }
      }),
    );
  });
});

it("gunzip names the file and keeps to its limit", () => {
  expect(gunzip(zipped, "f", 76).length).toBe(76);
  expect(() => gunzip(zipped, "f", 75)).toThrow("f: expected 75 bytes after decompression, found more");
});
