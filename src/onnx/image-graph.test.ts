/** @file Every form of a classifier computes, from images in [0, 1] as NCHW, what its own file computes. */

import { describe, expect, test } from "vitest";
import { elementCount, type FloatTensor, float32, int64 } from "../core/tensor.js";
import { createSession } from "../runtime/session.js";
import { type GraphBuilder, graphBuilder } from "./builder.js";
import { encodeGraph } from "./encode.js";
import type { Dim } from "./graph.js";
import { imageGraph } from "./image-graph.js";
import { decodeModel, type Model, withHead, withPreprocessing } from "./model.js";
import type { PreprocessingSource } from "./preprocessing.js";

const shape = { channels: 3, height: 4, width: 4 };
const PIXELS = 48;

const wavy = (dims: readonly number[], seed = 1): FloatTensor =>
  float32(
    dims,
    Float32Array.from({ length: elementCount(dims) }, (_, i) => Math.sin(i * 12.9898 + seed)),
  );

/** Two images, pixels in [0, 1]. */
const images = float32([2, 3, 4, 4], wavy([2, 3, 4, 4]).data.map(Math.abs));

function modelOf(
  dims: readonly Dim[],
  body: (b: GraphBuilder, x: string) => string,
  outputs: readonly Dim[] = ["N", 2],
): Model {
  const b = graphBuilder("m");
  const scores = body(b, b.input("x", "float32", dims));
  b.append({ name: "last", opType: "Identity", domain: "", inputs: [scores], outputs: ["y"], attributes: {} });
  b.output("y", "float32", outputs);
  return decodeModel(encodeGraph(b.build()), "m.onnx");
}

/** Scores of the flattened input: each pixel's place matters. */
const linear = (b: GraphBuilder, x: string): string =>
  b.op("MatMul", [b.op("Flatten", [x], { axis: 1 }), b.initializer("w", wavy([PIXELS, 2]))]);

async function scoresOf(model: Model, value: "output" | "logits" = "output"): Promise<FloatTensor> {
  const { graph, classifier } = imageGraph(model, shape);
  const session = await createSession({
    ...graph,
    outputs: [{ name: classifier[value], type: "float32", dims: undefined }],
  });
  try {
    const scores = (await session.run(new Map([[classifier.input.name, images]]))).get(classifier[value]);
    if (scores?.type !== "float32") throw new Error("no scores");
    return scores;
  } finally {
    await session.release();
  }
}

/** Scores of pixels that this file lays out itself: `place` is where pixel (c, h, w) goes, `value` what it becomes. */
function expectedScores(
  place: (c: number, h: number, w: number) => number,
  value: (pixel: number, c: number) => number = (pixel) => pixel,
): number[] {
  const weights = wavy([PIXELS, 2]).data;
  return [0, 1].flatMap((n) => {
    const scores = [0, 0];
    for (let c = 0; c < 3; c++) {
      for (let h = 0; h < 4; h++) {
        for (let w = 0; w < 4; w++) {
          const pixel = value(images.data[n * PIXELS + c * 16 + h * 4 + w] ?? 0, c);
          const at = place(c, h, w);
          scores[0] = (scores[0] ?? 0) + pixel * (weights[at * 2] ?? 0);
          scores[1] = (scores[1] ?? 0) + pixel * (weights[at * 2 + 1] ?? 0);
        }
      }
    }
    return scores;
  });
}

const planar = (c: number, h: number, w: number): number => c * 16 + h * 4 + w;
const interleaved = (c: number, h: number, w: number): number => h * 12 + w * 3 + c;

/** float32 against float64, sums of 48 products of up to 255. */
function expectClose(found: FloatTensor, expected: readonly number[]): void {
  expect(found.dims).toEqual([2, 2]);
  const largest = Math.max(1, ...expected.map(Math.abs));
  expected.forEach((value, i) => {
    expect(Math.abs((found.data[i] ?? Number.NaN) - value)).toBeLessThan(2e-6 * largest);
  });
}

describe("layouts, given or found by the shape of the images", () => {
  const cases: readonly (readonly [readonly Dim[], PreprocessingSource["says"], typeof planar])[] = [
    [["N", 3, 4, 4], {}, planar],
    [["N", 3, undefined, "width"], {}, planar],
    [["N", 4, 4, 3], {}, interleaved],
    [["N", 48], {}, planar],
    [["N", 48], { layout: "flat-NHWC" }, interleaved],
    [["N", 48, 1], {}, planar],
    [["N", 1, 48], { layout: "flat-NHWC" }, interleaved],
    [[1, 4, 4, 3], {}, interleaved],
    [[1, 48], {}, planar],
  ];
  test.each(cases)("input %j, said %j", async (dims, says, place) => {
    const model = withPreprocessing(modelOf(dims, linear), { from: "a test", says });
    expectClose(await scoresOf(model), expectedScores(place));
  });
});

test("range, mean, standard deviation and channel order, each in the model's own order of channels", async () => {
  const mean = [0.5, 0.25, 0.125];
  const std = [0.5, 1, 2];
  const says = { range: [-1, 1], mean, std, channelOrder: "BGR" } as const;
  const model = withPreprocessing(modelOf(["N", 3, 4, 4], linear), { from: "a test", says });
  const expected = expectedScores(
    (c, h, w) => planar(2 - c, h, w),
    (pixel, c) => (pixel * 2 - 1 - (mean[2 - c] ?? 0)) / (std[2 - c] ?? 1),
  );
  expectClose(await scoresOf(model), expected);
});

test("where nothing is needed nothing is added", () => {
  const model = modelOf(["N", 3, 4, 4], linear);
  const { graph, classifier, freed } = imageGraph(model, shape);
  expect(graph.nodes).toEqual(model.graph.nodes);
  expect(classifier).toMatchObject({ input: { name: "x" }, output: "y", logits: "y" });
  expect(freed).toBe(false);
});

describe("a batch that the file fixes is freed", () => {
  const reshaped = (b: GraphBuilder, x: string, target: readonly number[]): string =>
    b.op("Reshape", [x, b.initializer("target", int64([target.length], target))]);
  const rest = (b: GraphBuilder, x: string): string => b.op("MatMul", [x, b.initializer("w", wavy([PIXELS, 2]))]);

  test.each([[[1, 48]], [[1, -1]], [[-1, 48]], [[0, 48]]])("Reshape to %j", async (target) => {
    const model = modelOf([1, 3, 4, 4], (b, x) => rest(b, reshaped(b, x, target)), [1, 2]);
    expectClose(await scoresOf(model), expectedScores(planar));
    expect(imageGraph(model, shape).freed).toBe(true);
  });

  // As PyTorch 2.9 and newer write every Reshape, whether the target holds a zero or not.
  test.each([[[1, 48]], [[1, -1]], [[-1, 48]]])("Reshape to %j with allowzero", async (target) => {
    const model = modelOf(
      [1, 3, 4, 4],
      (b, x) => rest(b, b.op("Reshape", [x, b.ints(target)], { allowzero: 1 })),
      [1, 2],
    );
    expectClose(await scoresOf(model), expectedScores(planar));
    expect(imageGraph(model, shape).freed).toBe(true);
  });

  const stored = (b: GraphBuilder, ...values: number[]): string =>
    b.initializer("stored", int64([values.length], values));
  const targets: Readonly<Record<string, (b: GraphBuilder) => string>> = {
    "joined from constants": (b) => b.op("Concat", [stored(b, 1), stored(b, 48)], { axis: 0 }),
    "the shape of a constant": (b) => b.op("Shape", [b.initializer("like", wavy([1, 48]))]),
    "joined from the shape of a constant": (b) =>
      b.op("Concat", [b.op("Shape", [b.initializer("like", wavy([1]))]), stored(b, -1)], { axis: 0 }),
  };
  test.each(Object.entries(targets))("Reshape to a target that is %s", async (_, target) => {
    const model = modelOf([1, 3, 4, 4], (b, x) => rest(b, b.op("Reshape", [x, target(b)])), [1, 2]);
    expectClose(await scoresOf(model), expectedScores(planar));
  });

  test("a class token that is stored once is joined to every image", async () => {
    const model = modelOf(
      [1, 3, 4, 4],
      (b, x) => {
        const tokens = reshaped(b, x, [1, 3, 16]);
        const token = b.initializer("token", float32([1, 1, 16], new Float32Array(16)));
        const all = b.op("Concat", [tokens, token], { axis: 1 });
        const cut = b.op("Slice", [all, b.ints([0]), b.ints([3]), b.ints([1])]);
        return rest(b, b.op("Flatten", [cut], { axis: 1 }));
      },
      [1, 2],
    );
    expectClose(await scoresOf(model), expectedScores(planar));
  });

  test("a class token that is expanded to the batch is joined to every image", async () => {
    const model = modelOf(
      [1, 3, 4, 4],
      (b, x) => {
        const tokens = reshaped(b, x, [1, 3, 16]);
        const token = b.initializer("token", float32([1, 1, 16], new Float32Array(16)));
        const all = b.op("Concat", [tokens, b.op("Expand", [token, b.ints([1, 1, 16])])], { axis: 1 });
        const cut = b.op("Slice", [all, b.ints([0]), b.ints([3]), b.ints([1])]);
        return rest(b, b.op("Flatten", [cut], { axis: 1 }));
      },
      [1, 2],
    );
    expectClose(await scoresOf(model), expectedScores(planar));
  });

  test("Resize to stored sizes", async () => {
    const model = modelOf(
      [1, 3, 4, 4],
      (b, x) => {
        const sizes = b.initializer("sizes", int64([4], [1, 3, 4, 4]));
        return linear(b, b.op("Resize", [x, "", "", sizes], { mode: "nearest" }));
      },
      [1, 2],
    );
    expectClose(await scoresOf(model), expectedScores(planar));
  });
});

test("scores as maps of one pixel become rows", async () => {
  const kernel = (b: GraphBuilder): string => {
    const transposed = b.op("Transpose", [b.initializer("w", wavy([PIXELS, 2]))], { perm: [1, 0] });
    return b.op("Reshape", [transposed, b.initializer("kernel", int64([4], [2, 3, 4, 4]))]);
  };
  const model = modelOf(["N", 3, 4, 4], (b, x) => b.op("Conv", [x, kernel(b)]), ["N", 2, 1, 1]);
  expectClose(await scoresOf(model), expectedScores(planar));
  const { classifier } = imageGraph(model, shape);
  expect(classifier.output).toBe("y_rows");
});

describe("logits before a softmax, whole or spelled out", () => {
  const shares = (b: GraphBuilder, z: string): readonly [string, string] => {
    const e = b.op("Exp", [z]);
    return [e, b.op("ReduceSum", [e, b.ints([-1])], { keepdims: 1 })];
  };
  const centred = (b: GraphBuilder, z: string): string =>
    b.op("Sub", [z, b.op("ReduceMax", [z, b.ints([-1])], { keepdims: 1 })]);
  const forms: Readonly<Record<string, (b: GraphBuilder, z: string) => string>> = {
    Softmax: (b, z) => b.op("Softmax", [z], { axis: -1 }),
    LogSoftmax: (b, z) => b.op("LogSoftmax", [z], { axis: -1 }),
    "exp by sum": (b, z) => b.op("Div", [...shares(b, z)]),
    "exp by sum, largest taken off": (b, z) => b.op("Div", [...shares(b, centred(b, z))]),
    "exp times the reciprocal of the sum": (b, z) => {
      const [e, sum] = shares(b, z);
      return b.op("Mul", [e, b.op("Reciprocal", [sum])]);
    },
    "log of a softmax": (b, z) => b.op("Log", [b.op("Softmax", [z], { axis: -1 })]),
    "log of exp by sum": (b, z) => b.op("Log", [b.op("Div", [...shares(b, centred(b, z))])]),
    "log-softmax by parts": (b, z) => b.op("Sub", [z, b.op("Log", [shares(b, z)[1]])]),
    "log-softmax by parts, largest taken off": (b, z) => {
      const c = centred(b, z);
      return b.op("Sub", [c, b.op("Log", [shares(b, c)[1]])]);
    },
    "log-softmax by ReduceLogSumExp": (b, z) =>
      b.op("Sub", [z, b.op("ReduceLogSumExp", [z, b.ints([-1])], { keepdims: 1 })]),
    "a softmax times 100": (b, z) => b.op("Mul", [b.op("Softmax", [z], { axis: -1 }), b.scalar(100)]),
    "100 times a softmax": (b, z) => b.op("Mul", [b.scalar(100), b.op("Softmax", [z], { axis: -1 })]),
    "a softmax of a softmax": (b, z) => b.op("Softmax", [b.op("Softmax", [z], { axis: -1 })], { axis: -1 }),
    "a softmax of percents": (b, z) =>
      b.op("Softmax", [b.op("Mul", [b.op("Softmax", [z], { axis: -1 }), b.scalar(100)])], { axis: -1 }),
    "a softmax within bounds": (b, z) =>
      b.op("Clip", [b.op("Softmax", [z], { axis: -1 }), b.scalar(1e-7), b.scalar(1 - 1e-7)]),
    "exp of a log-softmax": (b, z) => b.op("Exp", [b.op("LogSoftmax", [z], { axis: -1 })]),
  };
  test.each(Object.entries(forms))("%s", async (_, squash) => {
    const model = modelOf(["N", 3, 4, 4], (b, x) => squash(b, linear(b, x)));
    expectClose(await scoresOf(model, "logits"), expectedScores(planar));
  });

  test("what merely looks like one stays", () => {
    const model = modelOf(["N", 3, 4, 4], (b, x) => {
      const z = linear(b, x);
      return b.op("Div", [b.op("Exp", [z]), b.op("ReduceSum", [z, b.ints([-1])], { keepdims: 1 })]);
    });
    expect(imageGraph(model, shape).classifier.logits).toBe("y");
  });

  test("a sigmoid before the softmax is part of the network", () => {
    const model = modelOf(["N", 3, 4, 4], (b, x) =>
      b.op("Softmax", [b.op("Sigmoid", [linear(b, x)], {}, { name: "hidden" })], { axis: -1 }),
    );
    expect(imageGraph(model, shape).classifier.logits).toBe("hidden");
  });
});

test("a softmax times a negative number stays: it turns the order of the classes around", () => {
  const model = modelOf(["N", 3, 4, 4], (b, x) => {
    const probabilities = b.op("Softmax", [linear(b, x)], { axis: -1 });
    return b.op("Mul", [probabilities, b.scalar(-100)]);
  });
  expect(imageGraph(model, shape).classifier.logits).toBe("y");
});

describe("what is said of the head", () => {
  const three = (b: GraphBuilder, x: string): string =>
    b.op("MatMul", [b.op("Flatten", [x], { axis: 1 }), b.initializer("w3", wavy([PIXELS, 3]))]);

  test("--classes: these scores alone, in this order", async () => {
    const model = modelOf(["N", 3, 4, 4], (b, x) => b.op("Softmax", [three(b, x)]), ["N", 3]);
    const all = await scoresOf(model, "logits");
    const chosen = withHead(model, { classes: [2, 0] });
    expect(imageGraph(chosen, shape).classifier.classes).toBe(2);
    const at = (scores: FloatTensor, ...columns: number[]) =>
      [0, 1].flatMap((row) => columns.map((column) => scores.data[row * 3 + column] ?? Number.NaN));
    expect(Array.from((await scoresOf(chosen, "logits")).data)).toEqual(at(all, 2, 0));
    expect(Array.from((await scoresOf(chosen)).data)).toEqual(at(await scoresOf(model), 2, 0));
  });

  test("--binary: a sigmoid of z answers as a softmax of 0 and z", async () => {
    const one = (b: GraphBuilder, x: string): string =>
      b.op("MatMul", [b.op("Flatten", [x], { axis: 1 }), b.initializer("w1", wavy([PIXELS, 1]))]);
    const plain = modelOf(["N", 3, 4, 4], (b, x) =>
      b.op("Concat", [b.op("Sub", [one(b, x), one(b, x)]), one(b, x)], { axis: 1 }),
    );
    const model = modelOf(["N", 3, 4, 4], (b, x) => b.op("Sigmoid", [one(b, x)]), ["N", 1]);
    for (const value of ["output", "logits"] as const) {
      expect((await scoresOf(withHead(model, { binary: true }), value)).data).toEqual((await scoresOf(plain)).data);
    }
  });

  test("--output: the rest of the graph is left out, whatever it is", async () => {
    const b = graphBuilder("two");
    const z = linear(b, b.input("x", "float32", ["N", 3, 4, 4]));
    const q = b.op("QuantizeLinear", [z, b.scalar(0.1)]);
    b.output(z, "float32", ["N", 2]);
    b.output(b.op("DequantizeLinear", [q, b.scalar(0.1)]), "float32", ["N", 2]);
    const model = decodeModel(encodeGraph(b.build()), "two.onnx");
    expect(() => imageGraph(model, shape)).toThrow(/2 outputs/);
    const chosen = withHead(model, { output: z });
    expectClose(await scoresOf(chosen), expectedScores(planar));
    expect(imageGraph(chosen, shape).graph.nodes.map(({ opType }) => opType)).toEqual(["Flatten", "MatMul"]);
  });
});

describe("an input of bytes", () => {
  const bytes = (body: (b: GraphBuilder, x: string) => string): Model => {
    const b = graphBuilder("bytes");
    b.output(body(b, b.input("x", "uint8", ["N", 3, 4, 4])), "float32", ["N", 2]);
    return decodeModel(encodeGraph(b.build()), "bytes.onnx");
  };

  test("is fed whole numbers from 0 to 255, as floats where the model makes floats of them", async () => {
    const model = bytes((b, x) => linear(b, b.op("Cast", [x], { to: 1 })));
    const { graph, preprocessing } = imageGraph(model, shape);
    expect(preprocessing).toMatchObject({ range: [0, 255], from: { range: "type uint8" } });
    expect(graph.nodes.some(({ opType }) => opType === "Cast")).toBe(false);
    expectClose(
      await scoresOf(model),
      expectedScores(planar, (pixel) => Math.round(Math.fround(pixel * 255))),
    );
  });

  test("that computes with bytes is refused: it can be asked, not trained", () => {
    const model = bytes((b, x) => linear(b, b.op("Cast", [b.op("Max", [x, x])], { to: 1 })));
    expect(() => imageGraph(model, shape)).toThrow(/Max node .* computes with the input's bytes/);
  });
});

test("images of another size or colour are refused, and means for another number of channels", () => {
  const model = modelOf(["N", 3, 4, 4], linear);
  expect(() => imageGraph(model, { ...shape, height: 5 })).toThrow(
    expect.objectContaining({
      code: "bad-data",
      message: expect.stringContaining("[N,3,4,4] (NCHW); the images are 3×5×4"),
    }),
  );
  const wrong = withPreprocessing(model, { from: "--mean", says: { mean: [0.1, 0.2] } });
  expect(() => imageGraph(wrong, shape)).toThrow(/mean has 2 numbers; the images have 3 channels/);
});
