import { expect, test } from "vitest";
import { float32, int64 } from "../core/tensor.js";
import { graphBuilder } from "../onnx/builder.js";
import { encodeGraph } from "../onnx/encode.js";
import { decodeModel } from "../onnx/model.js";
import { predict } from "./evaluate.js";
import { askedTogether, freeImageGraph } from "./rows.js";

const images = float32([3, 2], [1, 2, 3, 4, 5, 6]);

test("rows that agree pass, and all scores come back", async () => {
  const scores = await askedTogether(
    async (x) =>
      float32(
        x.dims,
        x.data.map((value) => value * 2),
      ),
    images,
  );
  expect([...scores.data]).toEqual([2, 4, 6, 8, 10, 12]);
});

test("a model that normalises over the batch is refused", async () => {
  const b = graphBuilder("mixing");
  const flat = b.op("Flatten", [b.input("x", "float32", ["N", 1, 1, 2])], { axis: 1 });
  const centred = b.op("Sub", [flat, b.op("ReduceMean", [flat, b.ints([0])], { keepdims: 1 })]);
  b.output(b.op("MatMul", [centred, b.initializer("w", float32([2, 2], [1, 2, 3, 4]))]), "float32", ["N", 2]);
  const model = decodeModel(encodeGraph(b.build()), "mixing");
  const shape = { channels: 1, height: 1, width: 2 };
  const pack = (from: number, count: number, target: Float32Array): void => {
    for (let i = 0; i < count * 2; i++) target[i] = from * 2 + i;
  };
  await expect(predict(model, { shape, count: 3, pack })).rejects.toMatchObject({
    code: "bad-model",
    message: expect.stringMatching(/several images at once: the scores of an image depend on those beside it/),
  });
});

test(
  "a batch that is fixed on another axis than the first cannot train, and is asked one image " + "at a time",
  async () => {
    const b = graphBuilder("sideways");
    const x = b.input("x", "float32", [1, 1, 2, 2]);
    const tokens = b.op("Reshape", [x, b.initializer("tokens", int64([3], [2, 1, 2]))]);
    const mean = b.op("ReduceMean", [tokens, b.ints([0])], { keepdims: 0 });
    b.output(b.op("MatMul", [mean, b.initializer("w", float32([2, 2], [1, 2, 3, 4]))]), "float32", [1, 2]);
    const model = decodeModel(encodeGraph(b.build()), "sideways");
    const shape = { channels: 1, height: 2, width: 2 };
    const pack = (from: number, count: number, target: Float32Array): void => {
      for (let i = 0; i < count * 4; i++) target[i] = from * 4 + i;
    };
    await expect(freeImageGraph(model, shape)).rejects.toMatchObject({
      code: "bad-model",
      message: expect.stringMatching(/cannot be asked several images at once/),
      hint: expect.stringMatching(/with a dynamic batch/),
    });
    // The mean of two positions, [a, b] and [c, d], times the weight: the second score is always the larger one.
    expect([...(await predict(model, { shape, count: 3, pack }))]).toEqual([1, 1, 1]);
  },
);
