/** @file A model's answers: every image once, in order, whatever the count; the first of equal scores. */

import { expect, test } from "vitest";
import { float32 } from "../core/tensor.js";
import { type GraphBuilder, graphBuilder } from "../onnx/builder.js";
import { encodeGraph } from "../onnx/encode.js";
import { decodeModel, type Model } from "../onnx/model.js";
import { agreement, compileAnswers, predict } from "./evaluate.js";

const CLASSES = 5;
const shape = { channels: 1, height: 1, width: CLASSES };

/** Images of one row of `CLASSES` pixels, which a stored matrix turns into scores. */
function linearModel(matrix: readonly number[], finish: (b: GraphBuilder, scores: string) => void): Model {
  const b = graphBuilder("linear");
  b.input("image", "float32", ["batch", 1, 1, CLASSES]);
  const flat = b.op("Flatten", ["image"], { axis: 1 });
  finish(b, b.op("MatMul", [flat, b.initializer("weight", float32([CLASSES, CLASSES], matrix))]));
  return decodeModel(encodeGraph(b.build()), "linear");
}

const declared = (b: GraphBuilder, scores: string): void => b.output(scores, "float32", ["batch", CLASSES]);
const identity = Array.from({ length: CLASSES ** 2 }, (_, i) => (i % (CLASSES + 1) === 0 ? 1 : 0));

/** Image i is bright at pixel i mod `CLASSES`. */
const pack = (from: number, count: number, target: Float32Array): void => {
  target.fill(0);
  for (let i = 0; i < count; i++) target[i * CLASSES + ((from + i) % CLASSES)] = 1;
};

// A run of the runtime sees 250 images.
test.each([0, 1, 249, 250, 251, 500, 613])("%i images are answered in order", async (count) => {
  const asked: [number, number][] = [];
  const model = linearModel(identity, declared);
  const answers = await predict(model, {
    shape,
    count,
    pack(from, size, target) {
      expect(target.length).toBe(size * CLASSES);
      asked.push([from, size]);
      pack(from, size, target);
    },
  });
  expect([...answers]).toEqual(Array.from({ length: count }, (_, i) => i % CLASSES));
  // The first one is asked alone too, before all others.
  expect(asked.reduce((sum, [, size]) => sum + size, 0)).toBe(count > 1 ? count + 1 : count);
});

test("the first of equal scores wins", async () => {
  const zeros = new Array<number>(CLASSES ** 2).fill(0);
  expect([...(await predict(linearModel(zeros, declared), { shape, count: 3, pack }))]).toEqual([0, 0, 0]);
  const lastTwo = zeros.map((_, i) => (i % CLASSES >= 3 ? 1 : 0));
  expect([...(await predict(linearModel(lastTwo, declared), { shape, count: 3, pack }))]).toEqual([3, 3, 3]);
});

test("negative scores count too: the largest wins, not the largest positive one", async () => {
  const negative = identity.map((value) => value - 2);
  expect([...(await predict(linearModel(negative, declared), { shape, count: 5, pack }))]).toEqual([0, 1, 2, 3, 4]);
});

test("scores that are no float32 are refused, declared as such or not", async () => {
  const lying = linearModel(identity, (b, scores) => {
    b.append({
      ...{ name: "cast", opType: "Cast", domain: "", inputs: [scores], outputs: ["whole"] },
      attributes: { to: { kind: "int", value: 7 } },
    });
    b.output("whole", "int64", ["batch", CLASSES]);
  });
  await expect(predict(lying, { shape, count: 1, pack })).rejects.toMatchObject({ code: "bad-model" });
});

test.each([3, 251])(
  "asked again with other weights, %i images are answered as a model with those would",
  async (count) => {
    const asked = await compileAnswers(linearModel(identity, declared), { shape, count, variable: ["weight"] });
    const images = new Float32Array(count * CLASSES);
    pack(0, count, images);
    const shifted = float32(
      [CLASSES, CLASSES],
      identity.map((_, i) => identity[(i + 1) % identity.length] ?? 0),
    );
    for (const weight of [shifted, float32([CLASSES, CLASSES], identity)]) {
      const model = linearModel([...weight.data], declared);
      const expected = await predict(model, { shape, count, pack });
      expect(await asked.answers(images, new Map([["weight", weight]]))).toEqual(expected);
    }
    await asked.release();
  },
);

test("agreement is the share of equal entries", () => {
  expect(agreement([1, 2, 3, 4], [1, 0, 3, 0])).toBe(0.5);
  expect(agreement([1], [1])).toBe(1);
  expect(agreement([], [1])).toBe(0);
});
