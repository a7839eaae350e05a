import { expect, test } from "vitest";
import { WildmarkError } from "../core/errors.js";
import { elementCount, type FloatTensor, float32, int64 } from "../core/tensor.js";
import { type GraphBuilder, graphBuilder } from "./builder.js";
import { findClassifier } from "./classifier.js";
import type { Graph } from "./graph.js";

const zeros = (...dims: number[]): FloatTensor => float32(dims, new Float32Array(elementCount(dims)));

/** A graph from image `x` to output `y`. */
function classifier(
  body: (b: GraphBuilder, x: string) => string,
  dims: readonly (number | string)[] = ["N", 1, 8, 8],
): Graph {
  const b = graphBuilder("g");
  const last = body(b, b.input("x", "float32", dims));
  b.output(b.op("Identity", [last], {}, { name: "y" }), "float32", ["N", 3]);
  return b.build();
}

function messageOf(graph: Graph): string {
  try {
    findClassifier(graph);
  } catch (error) {
    if (error instanceof WildmarkError && error.code === "bad-model") return error.message;
    throw error;
  }
  return "no error";
}

test("a convolutional network with a softmax: logits before it, features before the last Gemm", () => {
  const found = findClassifier(
    classifier((b, x) => {
      const conv = b.op("Conv", [x, b.initializer("w", zeros(2, 1, 3, 3)), b.initializer("b", zeros(2))]);
      const statistics = [b.initializer("mean", zeros(2)), b.initializer("var", zeros(2))];
      const norm = b.op("BatchNormalization", [
        conv,
        b.initializer("scale", zeros(2)),
        b.initializer("shift", zeros(2)),
        ...statistics,
      ]);
      const clipped = b.op("Clip", [norm, b.scalar(0), b.scalar(6)]);
      const flat = b.op("Reshape", [clipped, b.initializer("target", int64([2], [-1, 72]))], {}, { name: "flat" });
      const scores = b.op(
        "Gemm",
        [flat, b.initializer("head.w", zeros(3, 72)), b.initializer("head.b", zeros(3))],
        { transB: 1 },
        { name: "scores" },
      );
      return b.op("Softmax", [scores], { axis: -1 });
    }),
  );
  expect(found).toMatchObject({
    input: { name: "x" },
    output: "y",
    logits: "scores",
    features: "flat",
    note: undefined,
    classes: 3,
    trainable: ["w", "b", "scale", "shift", "head.w", "head.b"],
    lastLayer: ["head.w", "head.b"],
    statistics: ["mean", "var"],
  });
});

test("weights are found through views and in Constant nodes, with a bias added apart", () => {
  const found = findClassifier(
    classifier((b, x) => {
      const flat = b.op("Flatten", [x], {}, { name: "flat" });
      const stored = b.op("Constant", [], { value: { kind: "tensor", value: zeros(3, 8, 8) } }, { name: "stored" });
      const matrix = b.op("Transpose", [b.op("Reshape", [stored, b.ints([3, 64])])], { perm: [1, 0] });
      return b.op("Add", [b.initializer("bias", zeros(1, 3)), b.op("MatMul", [flat, matrix])], {}, { name: "scores" });
    }),
  );
  expect(found).toMatchObject({
    logits: "y",
    features: "flat",
    trainable: ["stored", "bias"],
    lastLayer: ["stored", "bias"],
  });
});

test("epsilons, factors, exponents and preprocessing are constants", () => {
  const found = findClassifier(
    classifier((b, x) => {
      const centred = b.op("Div", [
        b.op("Sub", [x, b.initializer("m", zeros(1, 8, 1))]),
        b.initializer("s", zeros(1, 8, 1)),
      ]);
      const hidden = b.op("MatMul", [b.op("Flatten", [centred]), b.initializer("w1", zeros(64, 4))]);
      const power = b.op("Pow", [b.op("Mul", [hidden, b.scalar(0.125)]), b.initializer("p", zeros(4))]);
      const scaled = b.op("Mul", [b.op("Add", [power, b.scalar(1e-5)]), b.initializer("scale", zeros(4))]);
      return b.op("Gemm", [
        b.op("PRelu", [scaled, b.initializer("slope", zeros(1))]),
        b.initializer("w2", zeros(4, 3)),
      ]);
    }),
  );
  expect(found.trainable).toEqual(["w1", "scale", "slope", "w2"]);
});

test("a tensor that serves as a weight and as a statistic too is not trained", () => {
  const found = findClassifier(
    classifier((b, x) => {
      const shared = b.initializer("shared", zeros(1));
      const norm = b.op("BatchNormalization", [
        x,
        b.initializer("scale", zeros(1)),
        shared,
        shared,
        b.initializer("v", zeros(1)),
      ]);
      return b.op("Gemm", [b.op("Flatten", [norm]), b.initializer("w", zeros(64, 3))]);
    }),
  );
  expect(found.trainable).toEqual(["scale", "w"]);
  expect(found.statistics).toEqual(["shared", "v"]);
});

test("a convolution as the classifier, pooled: its input is the feature map, and it says so", () => {
  const found = findClassifier(
    classifier((b, x) => {
      const map = b.op("Relu", [b.op("Conv", [x, b.initializer("w", zeros(4, 1, 3, 3))])], {}, { name: "map" });
      const scores = b.op("Relu", [b.op("Conv", [map, b.initializer("head", zeros(3, 4, 1, 1))])]);
      return b.op("LogSoftmax", [b.op("Flatten", [b.op("GlobalAveragePool", [scores])], {}, { name: "scores" })]);
    }),
  );
  expect(found).toMatchObject({ logits: "scores", features: "map", lastLayer: ["head"] });
  expect(found.note).toMatch(/convolution/);
});

test("without a last layer the scores are the features, and it says so", () => {
  const found = findClassifier(
    classifier((b, x) => {
      const flat = b.op("Flatten", [x]);
      const a = b.op("MatMul", [flat, b.initializer("a", zeros(64, 3))]);
      return b.op("Add", [a, b.op("MatMul", [flat, b.initializer("b", zeros(64, 3))])]);
    }),
  );
  expect(found).toMatchObject({ logits: "y", features: "y", trainable: ["a", "b"], lastLayer: [] });
  expect(found.note).toMatch(/Add comes first/);
});

test("what is no image classifier is refused, saying what was expected", () => {
  const gemm = (b: GraphBuilder, x: string): string =>
    b.op("Gemm", [b.op("Flatten", [x]), b.initializer("w", zeros(64, 3))]);
  const good = classifier(gemm);
  expect(messageOf(good)).toBe("no error");
  const [input] = good.inputs;
  const [output] = good.outputs;
  if (input === undefined || output === undefined) throw new Error("no input or output");
  expect(messageOf({ ...good, inputs: [] })).toMatch(/no input/);
  expect(messageOf({ ...good, inputs: [input, { ...input, name: "size" }] })).toMatch(
    /2 inputs \("x" \[N,1,8,8\], "size"/,
  );
  expect(messageOf({ ...good, inputs: [{ ...input, type: undefined }] })).toMatch(
    /no tensor of numbers; expected float32/,
  );
  expect(messageOf({ ...good, inputs: [{ ...input, type: "uint8" }] })).toMatch(/"x" is uint8; expected float32/);
  expect(messageOf({ ...good, inputs: [{ ...input, dims: ["N", 3, 8, 8, 8] }] })).toMatch(
    /is \[N,3,8,8,8\]; expected images/,
  );
  expect(messageOf({ ...good, outputs: [output, { ...output, name: "boxes" }] })).toMatch(/2 outputs/);
  expect(messageOf({ ...good, outputs: [{ ...output, dims: [1, 10, 4, 4] }] })).toMatch(
    /\[1,10,4,4\]; expected one score a class/,
  );
  expect(messageOf({ ...good, outputs: [{ ...output, dims: ["N", 1] }] })).toMatch(/at least two classes/);
  expect(messageOf({ ...good, outputs: [{ ...output, name: "w" }] })).toMatch(/does not depend on its input/);
  expect(messageOf(classifier((b, x) => b.op("Flatten", [x])))).toMatch(/no float32 weight/);
  expect(messageOf(classifier((b, x) => b.op("DequantizeLinear", [b.op("QuantizeLinear", [x])])))).toMatch(/quantised/);
  const late = classifier((b, x) => b.op("Flatten", [b.op("Softmax", [gemm(b, x)])]));
  expect(messageOf(late)).toMatch(/a Flatten follows its final Softmax/);
});
