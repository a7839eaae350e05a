/** @file Null models have to know the task. */

import { expect, test } from "vitest";
import { learnt, tinyImages, tinyModel } from "../training/testing/tiny.js";
import { requireTask } from "./null-models.js";

test("who knows the task may be a null model; who guesses, or answers one class to everything, may not", async () => {
  const images = tinyImages(240);
  const knows = await learnt(tinyModel({ batchNorm: true }), images, 8);
  const good = { name: "good.onnx", model: knows };
  const dummy = { name: "dummy.onnx", model: tinyModel() };
  await expect(requireTask([good], images, undefined)).resolves.toBeUndefined();
  await expect(requireTask([good], images, knows)).resolves.toBeUndefined();
  for (const [models, suspect] of [
    [[good, dummy], undefined],
    [[dummy], knows],
    [[dummy], undefined],
  ] as const) {
    await expect(requireTask(models, images, suspect)).rejects.toMatchObject({
      code: "usage",
      message: expect.stringMatching(/^dummy\.onnx cannot be a null model: it answers \d+ of 240 images/),
    });
  }
});
