import { fromBinary, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { expect, test } from "vitest";
import { WildmarkError } from "../core/errors.js";
import { float32, int64 } from "../core/tensor.js";
import { float, graphBuilder } from "./builder.js";
import { findClassifier } from "./classifier.js";
import { encodeGraph } from "./encode.js";
import { imageGraph } from "./image-graph.js";
import { decodeModel, encodeModel, withMetadata, withPreprocessing, withWeights } from "./model.js";
import { ModelProtoSchema } from "./onnx_pb.js";
import { METADATA_KEY, parsePreprocessing, preprocessingInWords } from "./preprocessing.js";
import { storedTensors } from "./traverse.js";

/** A small classifier with raw and typed tensors, a `Constant` and metadata. */
function smallModel(): Uint8Array {
  const b = graphBuilder("small");
  const x = b.input("x", "float32", ["N", 1, 4, 4]);
  const conv = b.op("Conv", [x, b.initializer("w", float32([2, 1, 1, 1], [1, 2]))], { strides: [1, 1] });
  const flat = b.op("Reshape", [
    b.op("LeakyRelu", [conv], { alpha: float(0.1) }),
    b.initializer("s", int64([2], [-1, 32])),
  ]);
  const held = b.op("Constant", [], { value: { kind: "tensor", value: float32([32, 2], new Float32Array(64)) } });
  b.output(b.op("MatMul", [flat, held], {}, { name: "y" }), "float32", ["N", 2]);
  const proto = fromBinary(ModelProtoSchema, encodeGraph(b.build(), { properties: { key: "value" } }));
  const [w] = proto.graph?.initializer ?? [];
  if (w !== undefined) Object.assign(w, { rawData: new Uint8Array(), floatData: [1, 2] });
  return toBinary(ModelProtoSchema, proto);
}

const model = smallModel();
const shape = { channels: 1, height: 4, width: 4 };

/** Everything that can be done with a file; true where it was a usable classifier. */
function use(bytes: Uint8Array): boolean {
  try {
    const decoded = decodeModel(bytes, "m.onnx");
    const { trainable } = findClassifier(decoded.graph);
    const stored = storedTensors(decoded.graph);
    const weights = new Map([...stored].filter(([name]) => trainable.includes(name)));
    expect(withWeights(decoded, weights).graph).toEqual(decoded.graph);
    withMetadata(decoded, new Map([["key", "other"]]));
    imageGraph(decoded, shape);
    return true;
  } catch (error) {
    if (error instanceof WildmarkError) return false;
    throw error;
  }
}

test("the model itself is fine", () => expect(use(model)).toBe(true));

test("cut off anywhere: an error of ours, or a smaller model that is whole", () => {
  for (let length = 0; length < model.length; length++) use(model.subarray(0, length));
});

test("with bits flipped, bytes put in or taken out: an error of ours or a usable model", () => {
  const edit = fc.record({
    at: fc.nat(model.length - 1),
    remove: fc.nat(3),
    insert: fc.uint8Array({ maxLength: 6 }),
    flip: fc.nat(255),
  });
  fc.assert(
    fc.property(fc.array(edit, { minLength: 1, maxLength: 4 }), (edits) => {
      let bytes = Array.from(model);
      for (const { at, remove, insert, flip } of edits) {
        bytes = [...bytes.slice(0, at), ...insert, (bytes[at] ?? 0) ^ flip, ...bytes.slice(at + 1 + remove)];
      }
      const start = performance.now();
      use(Uint8Array.from(bytes));
      expect(performance.now() - start).toBeLessThan(2000);
    }),
    { numRuns: 2000, seed: 1 },
  );
});

test("random bytes: an error of ours", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => use(bytes) === false),
    { numRuns: 2000, seed: 2 },
  );
});

const number = fc.oneof(fc.double(), fc.integer({ min: -2, max: 2 }));
const several = fc.oneof(number, fc.array(number, { maxLength: 3 }), fc.string());
/** Preprocessings, nearly preprocessings, and any other JSON. */
const preprocessings = fc.oneof(
  fc.record(
    {
      layout: fc.constantFrom("NCHW", "NHWC", "NHW", "flat", "flat-NHWC", "CHWN"),
      range: fc.oneof(fc.tuple(number, number), several),
      mean: several,
      std: several,
      channelOrder: fc.constantFrom("RGB", "BGR", "GRB"),
    },
    { requiredKeys: [] },
  ),
  fc.jsonValue(),
);

test("sidecars and metadata of any kind: an error of ours, or a preprocessing that the model can be given", () => {
  const decoded = decodeModel(model, "m.onnx");
  const taken = { sidecars: 0, metadata: 0 };
  const given = (text: string): void => {
    try {
      const says = parsePreprocessing(text, "m.wildmark.json");
      const { preprocessing, graph } = imageGraph(withPreprocessing(decoded, says), shape);
      expect(preprocessingInWords(preprocessing)).toHaveLength(5);
      for (const [name, tensor] of graph.initializers) {
        if (name.startsWith("wildmark/"))
          expect([...tensor.data].every((value) => Number.isFinite(Number(value)))).toBe(true);
      }
      taken.sidecars++;
    } catch (error) {
      if (!(error instanceof WildmarkError)) throw error;
    }
    try {
      const file = encodeModel(withMetadata(decoded, new Map([[METADATA_KEY, text]])));
      imageGraph(decodeModel(file, "m.onnx"), shape);
      taken.metadata++;
    } catch (error) {
      if (!(error instanceof WildmarkError)) throw error;
    }
  };
  fc.assert(
    fc.property(preprocessings, (value) => given(JSON.stringify(value))),
    { numRuns: 1000, seed: 3 },
  );
  fc.assert(fc.property(fc.string(), given), { numRuns: 300, seed: 4 });
  expect(taken.sidecars).toBeGreaterThan(20);
  expect(taken.metadata).toBe(taken.sidecars);
});
