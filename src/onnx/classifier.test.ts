import { describe, expect, test } from "vitest";
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
      return b.op("Mul", [a, b.op("MatMul", [flat, b.initializer("b", zeros(64, 3))])]);
    }),
  );
  expect(found).toMatchObject({ logits: "y", features: "y", trainable: ["a", "b"], lastLayer: [] });
  expect(found.note).toMatch(/Mul comes first/);
});

test("a residual branch after the last layer is no head: the scores are the features", () => {
  const found = findClassifier(
    classifier((b, x) => {
      const first = b.op("MatMul", [b.op("Flatten", [x]), b.initializer("a", zeros(64, 3))]);
      return b.op("Add", [first, b.op("MatMul", [b.op("Relu", [first]), b.initializer("b", zeros(3, 3))])]);
    }),
  );
  expect(found).toMatchObject({ features: "y", lastLayer: [] });
});

describe("a harmless last node does not hide the last layer", () => {
  const head = (b: GraphBuilder, x: string): string => {
    const hidden = b.op("MatMul", [b.op("Flatten", [x]), b.initializer("w1", zeros(64, 5))]);
    return b.op("Relu", [hidden], {}, { name: "hidden" });
  };
  const dense = (b: GraphBuilder, hidden: string, name = "w", classes = 3): string =>
    b.op("Gemm", [hidden, b.initializer(name, zeros(5, classes)), b.initializer(`${name}.b`, zeros(classes))]);
  const forms: Readonly<Record<string, (b: GraphBuilder, z: string) => string>> = {
    Clip: (b, z) => b.op("Clip", [z, b.scalar(-20), b.scalar(20)]),
    Cast: (b, z) => b.op("Cast", [z], { to: 1 }),
    Gather: (b, z) => b.op("Gather", [z, b.ints([2, 0, 1])], { axis: 1 }),
    "Neg of Neg": (b, z) => b.op("Neg", [b.op("Neg", [z])]),
    "a factor": (b, z) => b.op("Mul", [z, b.scalar(100)]),
    "chosen probabilities": (b, z) =>
      b.op("Gather", [b.op("Softmax", [z], { axis: -1 }), b.ints([0, 1, 2])], { axis: 1 }),
  };
  test.each(Object.entries(forms))("%s", (_, form) => {
    const found = findClassifier(classifier((b, x) => form(b, dense(b, head(b, x)))));
    expect(found).toMatchObject({ features: "hidden", lastLayer: ["w", "w.b"], note: undefined });
  });

  const sums: Readonly<Record<string, (b: GraphBuilder, heads: readonly string[]) => string>> = {
    Add: (b, heads) => b.op("Add", heads),
    Sum: (b, heads) => b.op("Sum", heads),
    "stacked and summed": (b, heads) => {
      const rows = heads.map((each) => b.op("Unsqueeze", [each, b.ints([0])]));
      return b.op("ReduceSum", [b.op("Concat", rows, { axis: 0 }), b.ints([0])], { keepdims: 0 });
    },
  };
  test.each(Object.entries(sums))("heads joined by %s", (_, join) => {
    const found = findClassifier(
      classifier((b, x) => {
        const hidden = head(b, x);
        return join(b, [dense(b, hidden, "a"), dense(b, hidden, "c")]);
      }),
    );
    expect(found).toMatchObject({ features: "hidden", lastLayer: ["a", "a.b", "c", "c.b"], note: undefined });
  });

  test("heads on different features: all their layers, the scores as features, said", () => {
    const found = findClassifier(
      classifier((b, x) => {
        const hidden = head(b, x);
        return b.op("Add", [dense(b, hidden, "a"), dense(b, b.op("Tanh", [hidden]), "c")]);
      }),
    );
    expect(found).toMatchObject({ features: "y", lastLayer: ["a", "a.b", "c", "c.b"] });
    expect(found.note).toMatch(/2 layers make the scores/);
  });

  test("branches that meet again and again are looked at once", () => {
    const found = findClassifier(
      classifier((b, x) => {
        let z = dense(b, head(b, x));
        for (let i = 0; i < 60; i++) z = b.op("Add", [b.op("Relu", [z]), b.op("Neg", [z])]);
        return z;
      }),
    );
    expect(found.lastLayer).toEqual([]);
  });
});

describe("what is said of the head goes before what is found", () => {
  const graph = classifier((b, x) => {
    const hidden = b.op("Gemm", [b.op("Flatten", [x]), b.initializer("w1", zeros(64, 5))], {}, { name: "hidden" });
    const scores = b.op("MatMul", [hidden, b.initializer("w2", zeros(5, 3))], {}, { name: "scores" });
    const biased = b.op("Add", [scores, b.initializer("bias", zeros(3))], {}, { name: "biased" });
    return b.op("Erf", [b.op("Softmax", [biased], { axis: -1 })], {}, { name: "strange" });
  });

  test("--logits and --last-layer: by node, value or weight", () => {
    expect(findClassifier(graph)).toMatchObject({ logits: "y", lastLayer: [] });
    const found = { logits: "biased", features: "hidden", lastLayer: ["w2", "bias"] };
    expect(findClassifier(graph, { logits: "biased" })).toMatchObject(found);
    for (const lastLayer of ["scores", "w2"]) {
      expect(findClassifier(graph, { lastLayer })).toMatchObject({ ...found, logits: "y" });
    }
    expect(findClassifier(graph, { lastLayer: "w1" })).toMatchObject({
      features: "Flatten",
      lastLayer: ["w1", "bias"],
    });
  });

  test("--output: one of several, or a value within", () => {
    const [output] = graph.outputs;
    if (output === undefined) throw new Error("no output");
    const two = { ...graph, outputs: [output, { name: "hidden", type: "float32" as const, dims: ["N", 5] }] };
    expect(() => findClassifier(two)).toThrow(
      expect.objectContaining({ hint: expect.stringMatching(/--output NAME/) }),
    );
    expect(findClassifier(two, { output: "hidden" })).toMatchObject({
      output: "hidden",
      classes: 5,
      trainable: ["w1"],
    });
    expect(findClassifier(graph, { output: "biased" })).toMatchObject({ logits: "biased", classes: undefined });
  });

  test("--classes counts, and stays within", () => {
    expect(findClassifier(graph, { classes: [2, 0] }).classes).toBe(2);
    expect(() => findClassifier(graph, { classes: [2, 3] })).toThrow(/names class 3; the output "y" has 3, from 0 on/);
  });

  test("--binary: one score is that of two classes", () => {
    const one = { ...graph, outputs: [{ name: "y", type: "float32" as const, dims: ["N", 1] }] };
    expect(() => findClassifier(one)).toThrow(expect.objectContaining({ hint: expect.stringMatching(/--binary/) }));
    expect(findClassifier(one, { binary: true }).classes).toBe(2);
    expect(() => findClassifier(graph, { binary: true })).toThrow(/--binary is for one score/);
  });

  test.each([{ output: "none" }, { logits: "none" }, { logits: "x" }, { lastLayer: "none" }, { lastLayer: "strange" }])(
    "%j is refused",
    (head) => {
      expect(() => findClassifier(graph, head)).toThrow(expect.objectContaining({ code: "usage" }));
    },
  );
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
  expect(messageOf({ ...good, inputs: [{ ...input, type: "float64" }] })).toMatch(
    /"x" is float64; expected float32 or uint8/,
  );
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
