import { expect, test } from "vitest";
import { float32 } from "../core/tensor.js";
import { graphBuilder } from "../onnx/builder.js";
import { encodeGraph } from "../onnx/encode.js";
import { decodeModel } from "../onnx/model.js";
import { predict } from "./evaluate.js";
import { askedTogether } from "./rows.js";

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
