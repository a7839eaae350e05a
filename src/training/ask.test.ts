/** @file A suspect answers as the plain model does, in whatever disguise: it has to run, not to train. */

import { create, toBinary } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { type FloatTensor, float32, type Tensor } from "../core/tensor.js";
import { type GraphBuilder, graphBuilder } from "../onnx/builder.js";
import { encodeGraph, graphToProto } from "../onnx/encode.js";
import { decodeModel, type Model, withHead } from "../onnx/model.js";
import {
  AttributeProto_AttributeType as AttributeType,
  AttributeProtoSchema,
  GraphProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
} from "../onnx/onnx_pb.js";
import { NO_CLASS } from "../onnx/own-answer.js";
import { askModel } from "./ask.js";
import { predict } from "./evaluate.js";

const CLASSES = 4;
const shape = { channels: 1, height: 8, width: 8 };

/** Image i has one bright quarter, i mod 4, on grey. Pixels are bytes over 255, as those of all data are. */
const pack = (from: number, count: number, target: Float32Array): void => {
  for (let i = 0; i < count; i++) {
    for (let at = 0; at < 64; at++) {
      const quarter = (at >= 32 ? 2 : 0) + (at % 8 >= 4 ? 1 : 0);
      target[i * 64 + at] = (quarter === (from + i) % CLASSES ? 200 + ((from + i) % 50) : 60) / 255;
    }
  }
};
const COUNT = 23;
const questions = { shape, count: COUNT, pack };
const expected = Array.from({ length: COUNT }, (_, i) => i % CLASSES);

/** One score a quarter: the sum of its pixels. */
const quarters = (side = 8): FloatTensor => {
  const weight = new Float32Array(side * side * CLASSES);
  for (let at = 0; at < side * side; at++) {
    const quarter = (at >= (side * side) / 2 ? 2 : 0) + (at % side >= side / 2 ? 1 : 0);
    weight[at * CLASSES + quarter] = 1;
  }
  return float32([side * side, CLASSES], weight);
};

const score = (b: GraphBuilder, x: string, side = 8): string =>
  b.op("MatMul", [b.op("Flatten", [x], { axis: 1 }), b.initializer("w", quarters(side))], {}, { name: "scores" });

type Body = (b: GraphBuilder) => void;

function modelOf(body: Body): Model {
  const b = graphBuilder("m");
  body(b);
  return decodeModel(encodeGraph(b.build()), "m.onnx");
}

const image = (b: GraphBuilder, dims: readonly (string | number)[] = ["N", 1, 8, 8]): string =>
  b.input("x", "float32", dims);
const scores = (b: GraphBuilder, value: string, classes = CLASSES): void => b.output(value, "float32", ["N", classes]);

/** The branches of an If hold the last layer, one of them upside down. */
function withControlFlow(): Model {
  const b = graphBuilder("m");
  const flat = b.op("Flatten", [image(b)], { axis: 1 }, { name: "flat" });
  b.initializer("w", quarters());
  b.op("Greater", [b.op("ReduceMax", [flat], { keepdims: 0 }), b.scalar(2)], {}, { name: "odd" });
  scores(b, "y");
  const proto = graphToProto(b.build());
  const branch = (name: string, first: string, second: string) =>
    create(AttributeProtoSchema, {
      ...{ name, type: AttributeType.GRAPH },
      g: create(GraphProtoSchema, {
        name,
        node: [
          create(NodeProtoSchema, { opType: "MatMul", input: ["flat", "w"], output: [first] }),
          create(NodeProtoSchema, { opType: second, input: [first], output: [`${name}_y`] }),
        ],
        output: [{ name: `${name}_y` }],
      }),
    });
  proto.graph?.node.push(
    create(NodeProtoSchema, {
      ...{ opType: "If", input: ["odd"], output: ["y"] },
      attribute: [branch("then_branch", "t", "Neg"), branch("else_branch", "e", "Identity")],
    }),
  );
  return decodeModel(toBinary(ModelProtoSchema, proto), "if.onnx");
}

const int8 = (dims: readonly number[], values: ArrayLike<number>): Tensor => ({
  type: "int8",
  dims,
  data: Int8Array.from(values),
});

const disguises: Readonly<Record<string, () => Model>> = {
  none: () => modelOf((b) => scores(b, score(b, image(b)))),
  "control flow (If)": withControlFlow,
  "weights of 8 bits (QDQ)": () =>
    modelOf((b) => {
      const quantised = int8(
        [64, CLASSES],
        quarters().data.map((value) => value * 127),
      );
      const zero = b.initializer("zero", int8([], [0]));
      const w = b.op("DequantizeLinear", [b.initializer("w8", quantised), b.scalar(1 / 127), zero]);
      const flat = b.op("QuantizeLinear", [b.op("Flatten", [image(b)], { axis: 1 }), b.scalar(1 / 127), zero]);
      scores(b, b.op("MatMul", [b.op("DequantizeLinear", [flat, b.scalar(1 / 127), zero]), w]));
    }),
  "a second output": () =>
    modelOf((b) => {
      const z = score(b, image(b));
      scores(b, z);
      scores(b, b.op("Softmax", [z], { axis: -1 }));
    }),
  "a second output of features, first": () =>
    modelOf((b) => {
      const x = image(b);
      b.output(b.op("GlobalAveragePool", [x]), "float32", ["N", 1, 1, 1]);
      scores(b, score(b, x));
    }),
  "bytes for an input, which the model computes with": () =>
    modelOf((b) => {
      const x = b.input("x", "uint8", ["N", 8, 8, 1]);
      scores(b, score(b, b.op("Cast", [b.op("Max", [x, x])], { to: 1 })));
    }),
  doubles: () =>
    modelOf((b) => {
      const x = b.input("x", "float64", ["N", 1, 8, 8]);
      const z = b.op("Cast", [score(b, b.op("Cast", [x], { to: 1 }))], { to: 11 });
      b.output(z, "float64", ["N", CLASSES]);
    }),
  "labels only": () =>
    modelOf((b) => b.output(b.op("ArgMax", [score(b, image(b))], { axis: 1, keepdims: 0 }), "int64", ["N"])),
  "labels only, one image at a time": () =>
    modelOf((b) =>
      b.output(b.op("ArgMax", [score(b, image(b, [1, 1, 8, 8]))], { axis: 1, keepdims: 1 }), "int64", [1, 1]),
    ),
  "a fifth class": () =>
    modelOf((b) => {
      const none = b.op("Expand", [
        b.initializer("none", float32([1, 1], [-1])),
        b.op("Shape", [b.input("x", "float32", ["N", 1, 8, 8])], { start: 0, end: 1 }),
      ]);
      scores(b, b.op("Concat", [score(b, "x"), b.op("Reshape", [none, b.ints([-1, 1])])], { axis: 1 }), 5);
    }),
  "a larger input": () => modelOf((b) => scores(b, score(b, image(b, ["N", 1, 12, 12]), 12))),
  "a smaller input of three colours, channels last": () =>
    modelOf((b) => {
      const grey = b.op("ReduceMean", [image(b, ["N", 4, 4, 3]), b.ints([3])], { keepdims: 0 });
      scores(b, score(b, grey, 4));
    }),
  "noise on the scores": () =>
    modelOf((b) => {
      const z = score(b, image(b));
      scores(b, b.op("Add", [z, b.op("RandomNormalLike", [z])]));
    }),
  "a batch of five, folded into another axis": () =>
    modelOf((b) => {
      const rows = b.op("Reshape", [image(b, [5, 1, 8, 8]), b.ints([1, 5, 64])]);
      const z = b.op("MatMul", [rows, b.initializer("w", quarters())]);
      b.output(b.op("Reshape", [z, b.ints([5, CLASSES])]), "float32", [5, CLASSES]);
    }),
  "scores that depend on what stands beside": () =>
    modelOf((b) => {
      const flat = b.op("Flatten", [image(b)], { axis: 1 });
      const spread = b.op("Mul", [b.op("ReduceMean", [flat, b.ints([0])]), b.scalar(0.5)]);
      scores(b, b.op("MatMul", [b.op("Sub", [flat, spread]), b.initializer("w", quarters())]));
    }),
};

describe("a model is asked in the disguise of", () => {
  test.each(Object.entries(disguises))("%s", async (_, make) => {
    expect([...(await askModel(make(), questions))]).toEqual(expected);
  });
});

test("what can train is asked as it is while training", async () => {
  const plain = modelOf((b) => scores(b, score(b, image(b))));
  expect(await askModel(plain, questions)).toEqual(await predict(plain, questions));
});

describe("what is said of the head counts", () => {
  const labels = (): Model =>
    modelOf((b) => b.output(b.op("ArgMax", [score(b, image(b))], { axis: 1, keepdims: 0 }), "int64", ["N"]));

  test("classes of scores: the largest of those asked for", async () => {
    const two = withHead(withControlFlow(), { classes: [3, 1] });
    const asked = [...(await askModel(two, questions))];
    expect(asked.filter((_, i) => i % CLASSES === 3)).toEqual(new Array(5).fill(0));
    expect(asked.filter((_, i) => i % CLASSES === 1)).toEqual(new Array(6).fill(1));
  });

  test("classes of labels: their places, and no class for others", async () => {
    const asked = await askModel(withHead(labels(), { classes: [3, 1] }), questions);
    expect([...asked].slice(0, 4)).toEqual([NO_CLASS, 1, NO_CLASS, 0]);
  });

  test("which output", async () => {
    const model = modelOf((b) => {
      const z = score(b, image(b));
      scores(b, b.op("Neg", [z]));
      scores(b, z);
    });
    expect([...(await askModel(model, questions))]).not.toEqual(expected);
    expect([...(await askModel(withHead(model, { output: "scores" }), questions))]).toEqual(expected);
  });

  test.each([true, false])("one score of two classes (sigmoid: %s), in a model that only runs", async (sigmoid) => {
    const model = modelOf((b) => {
      const x = b.input("x", "float64", ["N", 1, 8, 8]);
      const z = score(b, b.op("Cast", [x], { to: 1 }));
      const halves = b.op("MatMul", [z, b.initializer("halves", float32([4, 1], [-1, -1, 1, 1]))]);
      b.output(sigmoid ? b.op("Sigmoid", [halves]) : halves, "float32", ["N", 1]);
    });
    await expect(askModel(model, questions)).rejects.toMatchObject({ hint: expect.stringMatching(/--binary/) });
    const asked = await askModel(withHead(model, { binary: true }), questions);
    expect([...asked]).toEqual(expected.map((label) => (label >= 2 ? 1 : 0)));
  });
});

describe("what cannot be asked says why", () => {
  const cases: Readonly<Record<string, readonly [Body, RegExp]>> = {
    "two inputs": [
      (b) => scores(b, b.op("Add", [score(b, image(b)), b.input("size", "float32", [1])])),
      /2 inputs; expected one/,
    ],
    "truth values": [
      (b) => scores(b, score(b, b.op("Cast", [b.input("x", "bool", ["N", 1, 8, 8])], { to: 1 }))),
      /holds bool; expected float32, float64, or whole numbers/,
    ],
    "a segmenter": [
      (b) =>
        b.output(b.op("Conv", [image(b), b.initializer("k", float32([2, 1, 1, 1], [1, 2]))]), "float32", [
          "N",
          2,
          8,
          8,
        ]),
      /its output is \[1,2,8,8\] for 1 images; expected one score a class/,
    ],
    "five channels": [(b) => scores(b, score(b, image(b, ["N", 5, 8, 8]))), /which images of 1×8×8 cannot be made/],
  };
  test.each(Object.entries(cases))("%s", async (_, [body, message]) => {
    await expect(askModel(modelOf(body), questions)).rejects.toThrow(message);
  });

  test("NaN", async () => {
    const model = modelOf((b) => {
      const x = b.input("x", "float64", ["N", 1, 8, 8]);
      scores(b, b.op("Log", [b.op("Neg", [score(b, b.op("Cast", [x], { to: 1 }))])]));
    });
    await expect(askModel(model, questions)).rejects.toMatchObject({ code: "numeric" });
  });
});
