/** @file Models that Wildmark cannot use: each ends in one line that says what was found and what is taken. */

import { toBinary } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { z } from "zod";
import { WildmarkError } from "../src/core/errors.js";
import { randomStream } from "../src/core/random.js";
import { elementCount, type FloatTensor, float32, type Tensor } from "../src/core/tensor.js";
import { imageFeed } from "../src/data/feed.js";
import { cleanView } from "../src/data/views.js";
import { type GraphBuilder, graphBuilder } from "../src/onnx/builder.js";
import { encodeGraph, graphToProto } from "../src/onnx/encode.js";
import type { Graph } from "../src/onnx/graph.js";
import { decodeModel } from "../src/onnx/model.js";
import {
  AttributeProto_AttributeType as AttributeType,
  type ModelProto,
  ModelProtoSchema,
} from "../src/onnx/onnx_pb.js";
import { trainEpochs } from "../src/training/epochs.js";
import { crossEntropyObjective } from "../src/training/objective.js";
import { sgdPlan, sgdShape } from "../src/training/options.js";
import { tinyImages } from "../src/training/testing/tiny.js";

const filled = (dims: readonly number[], value = 0.1): FloatTensor =>
  float32(dims, new Float32Array(elementCount(dims)).fill(value));
const integers = (type: "uint8" | "int8", dims: readonly number[]): Tensor =>
  type === "uint8"
    ? { type, dims, data: new Uint8Array(elementCount(dims)) }
    : { type, dims, data: new Int8Array(elementCount(dims)) };

/** Scores of four classes from images [N,1,8,8]. */
const scores = (b: GraphBuilder, x: string, weight = filled([64, 4])): string =>
  b.op("MatMul", [b.op("Flatten", [x], { axis: 1 }), b.initializer("w", weight)]);

/** A graph from `x` to outputs that `body` declares. */
function graphOf(body: (b: GraphBuilder, x: string) => void, opset?: number): Graph {
  const b = graphBuilder("g", opset === undefined ? {} : { opset });
  body(b, b.input("x", "float32", ["N", 1, 8, 8]));
  return b.build();
}

const good = graphOf((b, x) => b.output(scores(b, x), "float32", ["N", 4]));

/** The good model with its file changed. */
function fileOf(change: (proto: ModelProto) => void): Uint8Array {
  const proto = graphToProto(good);
  change(proto);
  return toBinary(ModelProtoSchema, proto);
}

const options = z
  .strictObject(sgdShape({ epochs: 1, batch: 8, learningRate: 0.01, schedule: "constant", weightDecay: 0 }))
  .parse({});

/** Reads the file and trains it for an epoch, as embedding and removal do. */
async function train(file: Uint8Array): Promise<void> {
  const feed = imageFeed(tinyImages(16), { batch: 8, views: [cleanView], random: randomStream(0) });
  const plan = sgdPlan(options, crossEntropyObjective());
  for await (const { loss } of trainEpochs(decodeModel(file, "m.onnx"), plan, feed)) expect(loss).toBeGreaterThan(0);
}

const quantised = (b: GraphBuilder): readonly [string, string] => [
  b.scalar(0.1),
  b.initializer("zero", integers("uint8", [])),
];

const cases: Readonly<Record<string, readonly [Uint8Array, RegExp]>> = {
  "a detector: boxes and scores": [
    encodeGraph(
      graphOf((b, x) => {
        b.output(scores(b, x), "float32", ["N", 100, 4]);
        b.output(b.op("Relu", [scores(b, x)]), "float32", ["N", 4]);
      }),
    ),
    /it has 2 outputs \("MatMul" \[N,100,4\], "Relu" \[N,4\]\); expected one, the scores/,
  ],
  "a segmenter": [
    encodeGraph(
      graphOf((b, x) =>
        b.output(b.op("Conv", [x, b.initializer("w", filled([4, 1, 1, 1]))]), "float32", ["N", 4, 8, 8]),
      ),
    ),
    /output "Conv" is \[N,4,8,8\]; expected one score a class, \[N,K\]/,
  ],
  "two inputs": [
    encodeGraph(
      graphOf((b, x) =>
        b.output(scores(b, b.op("Add", [x, b.input("size", "float32", [1, 1, 1, 1])])), "float32", ["N", 4]),
      ),
    ),
    /it has 2 inputs \("x" \[N,1,8,8\], "size" \[1,1,1,1\]\); expected one, the image/,
  ],
  "an input of strings": [
    fileOf(({ graph }) => {
      const type = graph?.input[0]?.type?.value;
      if (type?.case === "tensorType") type.value.elemType = 8;
    }),
    /input "x" is no tensor of numbers; expected float32/,
  ],
  "a sequence of maps, as scikit-learn's ZipMap gives": [
    fileOf(({ graph }) => {
      const type = graph?.output[0]?.type;
      if (type) type.value = { case: undefined };
    }),
    /output "MatMul" is no tensor of numbers; expected float32 scores/,
  ],
  "weights of 8 bits between QuantizeLinear and DequantizeLinear": [
    encodeGraph(
      graphOf((b, x) => {
        const [scale, zero] = quantised(b);
        const w = b.op("DequantizeLinear", [b.initializer("w8", integers("uint8", [64, 4])), scale, zero]);
        const q = b.op("QuantizeLinear", [b.op("Flatten", [x], { axis: 1 }), scale, zero]);
        b.output(b.op("MatMul", [b.op("DequantizeLinear", [q, scale, zero]), w]), "float32", ["N", 4]);
      }),
    ),
    /is quantised \(.*Linear\): its weights are no float32 numbers/,
  ],
  QLinearMatMul: [
    encodeGraph(
      graphOf((b, x) => {
        const [scale, zero] = quantised(b);
        const q = b.op("QuantizeLinear", [b.op("Flatten", [x], { axis: 1 }), scale, zero]);
        const w = b.initializer("w8", integers("uint8", [64, 4]));
        const y = b.op("QLinearMatMul", [q, scale, zero, w, scale, zero, scale, zero]);
        b.output(b.op("DequantizeLinear", [y, scale, zero]), "float32", ["N", 4]);
      }),
    ),
    /is quantised \(.*Linear.*\): its weights are no float32 numbers/,
  ],
  "opset 5": [
    encodeGraph(graphOf((b, x) => b.output(scores(b, x), "float32", ["N", 4]), 5)),
    /opset 5; Wildmark takes opsets 7 to 26/,
  ],
  "opset 6": [
    encodeGraph(graphOf((b, x) => b.output(scores(b, x), "float32", ["N", 4]), 6)),
    /opset 6; Wildmark takes opsets 7 to 26/,
  ],
  "an opset of the future": [
    encodeGraph(graphOf((b, x) => b.output(scores(b, x), "float32", ["N", 4]), 99)),
    /opset 99; Wildmark takes opsets 7 to 26/,
  ],
  "no opset": [fileOf((proto) => proto.opsetImport.splice(0)), /does not say which ONNX opset it is in/],
  "a file format of the future": [
    fileOf((proto) => {
      proto.irVersion = 99n;
    }),
    /IR version 99 of the ONNX format; Wildmark takes versions up to 13/,
  ],
  ...Object.fromEntries(
    ["If", "Loop"].map((opType) => [
      `control flow: ${opType}`,
      [
        controlFlow(opType),
        new RegExp(`${opType} node .*holds a graph in ".*", which Wildmark does not look into`),
      ] as const,
    ]),
  ),
  "an operator of somebody's own": [
    encodeGraph(
      graphOf((b, x) => {
        const own = b.op("Swirl", [scores(b, x)], {}, { domain: "com.example" });
        b.output(b.op("MatMul", [own, b.initializer("head", filled([4, 4]))]), "float32", ["N", 4]);
      }),
    ),
    /com\.example\.Swirl node ".*" is of the domain "com\.example"; Wildmark takes/,
  ],
  "a weight that is NaN": [
    encodeGraph(graphOf((b, x) => b.output(scores(b, x, filled([64, 4], Number.NaN)), "float32", ["N", 4]))),
    /weight "w" holds NaN or infinity/,
  ],
};

function controlFlow(opType: string): Uint8Array {
  const b = graphBuilder("g");
  const x = b.input("x", "float32", ["N", 1, 8, 8]);
  const condition = b.initializer("condition", { type: "bool", dims: [], data: Uint8Array.of(1) });
  b.output(b.op(opType, [condition, scores(b, x)], { body: 1 }, { name: "y" }), "float32", ["N", 4]);
  const proto = graphToProto(b.build());
  const inner = graphToProto(good).graph;
  for (const attribute of proto.graph?.node.at(-1)?.attribute ?? []) {
    attribute.type = AttributeType.GRAPH;
    if (inner) attribute.g = { ...inner, input: [], node: [], output: [] };
  }
  return toBinary(ModelProtoSchema, proto);
}

test("the good one trains", () => train(encodeGraph(good)));

test.each(Object.entries(cases))("%s", async (_, [file, says]) => {
  const error = await train(file).then(
    () => undefined,
    (found: unknown) => found,
  );
  if (!(error instanceof WildmarkError)) throw error ?? new Error("it was taken");
  expect(error.message).toMatch(says);
  expect(error.message).not.toContain("\n");
  expect(["bad-model", "unsupported-operator"]).toContain(error.code);
  expect(error.hint).toBeTruthy();
});
