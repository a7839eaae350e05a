/**
 * @file The codec against bytes put together by hand from the format's description, against itself, and against abuse.
 */

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { WildmarkError } from "./errors.js";
import { decodeSafetensors, encodeSafetensors } from "./safetensors.js";
import type { Tensor } from "./tensor.js";

const ascii = (text: string): number[] => Array.from(text, (character) => character.charCodeAt(0));

/** A file with this header (a string is taken as it is) and data, the length field honest. */
function file(header: unknown, data: readonly number[] = []): Uint8Array {
  const text = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, BigInt(text.length), true);
  return Uint8Array.from([...length, ...text, ...data]);
}

function refusal(bytes: Uint8Array): string {
  try {
    decodeSafetensors(bytes, "mark.key");
  } catch (error) {
    if (error instanceof WildmarkError && error.code === "bad-file") return error.message;
    throw error;
  }
  throw new Error("the file was accepted");
}

const sample = {
  metadata: new Map([
    ["b", "2"],
    ["a", "ü\n"],
    ["__proto__", "harmless"],
  ]),
  tensors: new Map<string, Tensor>([
    ["z", { type: "uint8", dims: [3], data: Uint8Array.of(1, 2, 255) }],
    ["f", { type: "float32", dims: [1, 2], data: Float32Array.of(1, -0.5) }],
    ["i", { type: "int64", dims: [], data: BigInt64Array.of(-1n) }],
    ["7", { type: "float64", dims: [0, 4], data: new Float64Array(0) }],
    ["__proto__", { type: "bool", dims: [1], data: Uint8Array.of(1) }],
  ]),
};

describe("the bytes", () => {
  test("are those of the published description", () => {
    // Put together by hand: length 0x38 = 56, a header of 54 bytes and 2 spaces, then 1.0 and -2.0 as float32.
    const header = '{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}';
    const padded = header.padEnd(56);
    const expected = [0x38, 0, 0, 0, 0, 0, 0, 0, ...ascii(padded), 0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0];
    const tensor: Tensor = { type: "float32", dims: [2], data: Float32Array.of(1, -2) };
    expect([...encodeSafetensors({ metadata: new Map(), tensors: new Map([["x", tensor]]) })]).toEqual(expected);
    expect(decodeSafetensors(Uint8Array.from(expected), "x").tensors.get("x")).toEqual(tensor);
  });

  test("do not depend on the order things were put in, and align each tensor", () => {
    const bytes = encodeSafetensors(sample);
    const reversed = {
      metadata: new Map([...sample.metadata].reverse()),
      tensors: new Map([...sample.tensors].reverse()),
    };
    expect(encodeSafetensors(reversed)).toEqual(bytes);
    const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
    expect(length % 8).toBe(0);
    const text = new TextDecoder().decode(bytes.subarray(8, 8 + length));
    const at = ["__metadata__", '"7"', '"i"', '"f"', '"__proto__":{', '"z"'].map((name) => text.indexOf(name));
    expect(at).toEqual([...at].sort((a, b) => a - b));
    expect(at[0]).toBe(2);
  });

  test("decode to what was encoded, from any offset in a larger buffer", () => {
    const bytes = encodeSafetensors(sample);
    const shifted = Buffer.concat([Buffer.alloc(3), bytes]).subarray(3);
    for (const input of [bytes, shifted]) {
      const decoded = decodeSafetensors(input, "x");
      expect(new Map([...decoded.metadata].sort())).toEqual(new Map([...sample.metadata].sort()));
      expect(decoded.tensors.size).toBe(sample.tensors.size);
      for (const [name, tensor] of sample.tensors) expect(decoded.tensors.get(name)).toEqual(tensor);
    }
  });

  test("round-trip for any names, metadata and shapes", () => {
    const tensor = fc
      .tuple(fc.constantFrom("uint8", "int8", "bool"), fc.array(fc.nat(3), { maxLength: 3 }))
      .map(([type, dims]): Tensor => {
        const count = dims.reduce((product, dim) => product * dim, 1);
        const data = Uint8Array.from({ length: count }, (_, i) => i * 7);
        return type === "int8"
          ? { type, dims, data: new Int8Array(data) }
          : { type: type === "bool" ? "bool" : "uint8", dims, data };
      });
    const name = fc.string().filter((text) => text !== "__metadata__");
    fc.assert(
      fc.property(
        fc.array(fc.tuple(name, tensor)),
        fc.array(fc.tuple(fc.string(), fc.string())),
        (tensors, metadata) => {
          const content = { metadata: new Map(metadata), tensors: new Map(tensors) };
          const decoded = decodeSafetensors(encodeSafetensors(content), "x");
          expect([...decoded.metadata].sort()).toEqual([...content.metadata].sort());
          for (const [key, value] of content.tensors) expect(decoded.tensors.get(key)).toEqual(value);
          expect(decoded.tensors.size).toBe(content.tensors.size);
        },
      ),
      { numRuns: 200, seed: 1 },
    );
  });
});

describe("refused with the file's name and a reason", () => {
  const entry = { dtype: "U8", shape: [2], data_offsets: [0, 2] };
  const cases: readonly (readonly [string, Uint8Array, string])[] = [
    ["an empty file", new Uint8Array(0), "found a file of 0"],
    ["a file of seven bytes", new Uint8Array(7), "found a file of 7"],
    ["a header beyond the cap", Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0xff), "at most 100000000"],
    ["a header beyond the file", Uint8Array.of(9, 0, 0, 0, 0, 0, 0, 0, 0x7b), "only 1 follow"],
    ["a header of nothing", file(""), "begin with {"],
    ["a header that is a list", file("[]"), "begin with {"],
    ["a header that is no JSON", file("{x}"), "not JSON"],
    ["a header that is no UTF-8", Uint8Array.of(2, 0, 0, 0, 0, 0, 0, 0, 0x7b, 0xff), "not UTF-8"],
    ["metadata that is no text", file({ __metadata__: { a: 1 } }), "should be text"],
    ["metadata that is a list", file({ __metadata__: [] }), "should be an object"],
    ["an unknown dtype", file({ a: { ...entry, dtype: "C128" } }, [1, 2]), 'unknown dtype "C128"'],
    ["a dtype named like a method", file({ a: { ...entry, dtype: "toString" } }, [1, 2]), "unknown dtype"],
    ["a negative dimension", file({ a: { ...entry, shape: [-2] } }, [1, 2]), "shape.0"],
    ["a fractional offset", file({ a: { ...entry, data_offsets: [0, 1.5] } }, [1, 2]), "data_offsets.1"],
    ["offsets the wrong way round", file({ a: { ...entry, data_offsets: [2, 0] } }, [1, 2]), "begin must not exceed"],
    ["a field too many", file({ a: { ...entry, extra: 1 } }, [1, 2]), "extra"],
    ["a size that is not dtype times shape", file({ a: { ...entry, shape: [3] } }, [1, 2]), "takes 3 bytes"],
    [
      "a size beyond counting",
      file({ a: { dtype: "F64", shape: [2 ** 52, 2 ** 52, 2 ** 52], data_offsets: [0, 8] } }, [1, 2]),
      "its offsets span 8",
    ],
    ["data cut short", file({ a: entry }, [1]), "truncated"],
    ["data nobody describes", file({ a: entry }, [1, 2, 3]), "the file holds 3"],
    ["a hole", file({ a: { ...entry, data_offsets: [1, 3] } }, [0, 1, 2]), "should begin at byte 0"],
    ["an overlap", file({ a: entry, b: { ...entry, data_offsets: [1, 3] } }, [1, 2, 3]), "should begin at byte 2"],
    [
      "a tensor named twice",
      file(`{"a":${JSON.stringify(entry)},"\\u0061":${JSON.stringify(entry)}}`, [1, 2]),
      "twice",
    ],
    ["metadata named twice", file('{"__metadata__":{"x":"1","y":"{","x":"2"}}'), 'names "x" twice'],
    ["a shape named twice", file('{"a":{"dtype":"U8","shape":[1],"shape":[0],"data_offsets":[0,0]}}'), '"shape" twice'],
  ];
  test.each(cases)("%s", (_, bytes, reason) => {
    const message = refusal(bytes);
    expect(message).toContain("mark.key: ");
    expect(message).toContain(reason);
    expect(message).not.toContain("\n");
  });

  test("a value that looks like a repeated name is fine", () => {
    const decoded = decodeSafetensors(file('{"__metadata__":{"x":"y","y":"x\\":\\"y","z":"{}"}}'), "x");
    expect(decoded.metadata.get("y")).toBe('x":"y');
  });
});

test("truncated anywhere, a file is refused", () => {
  const bytes = encodeSafetensors(sample);
  for (let length = 0; length < bytes.length; length++) refusal(bytes.subarray(0, length));
});

test("with bits flipped, a file decodes or is refused, and never takes more memory than it has bytes", () => {
  const good = encodeSafetensors(sample);
  const flips = fc.array(fc.nat(good.length * 8 - 1), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(flips, (bits) => {
      const bytes = good.slice();
      for (const bit of bits) bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      try {
        let total = 0;
        for (const { data } of decodeSafetensors(bytes, "x").tensors.values()) total += data.buffer.byteLength;
        expect(total).toBeLessThanOrEqual(bytes.length);
      } catch (error) {
        expect(error).toBeInstanceOf(WildmarkError);
      }
    }),
    { numRuns: 3000, seed: 2 },
  );
});

test("any bytes at all are decoded or refused", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.json(), (data, json) => {
      for (const bytes of [data, file(json, [...data])]) {
        try {
          decodeSafetensors(bytes, "x");
        } catch (error) {
          expect(error).toBeInstanceOf(WildmarkError);
        }
      }
    }),
    { numRuns: 1000, seed: 3 },
  );
});
