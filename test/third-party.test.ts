/**
 * @file Other people's models, in the forms in which PyTorch, Keras, TensorFlow and CNTK export them: each loads, gives
 * the outputs that its publisher's framework gives, and takes a step of WILD. Wants WILDMARK_MODELS and
 * WILDMARK_DATA.
 */

import { expect, test } from "vitest";
import { randomStream } from "../src/core/random.js";
import { float32 } from "../src/core/tensor.js";
import { packImages } from "../src/data/batches.js";
import { imageSize, select } from "../src/data/dataset.js";
import { imageGraph } from "../src/onnx/image-graph.js";
import { encodeModel } from "../src/onnx/model.js";
import { findMethod } from "../src/removal/registry.js";
import { createSession } from "../src/runtime/session.js";
import { loadThirdParty, thirdPartyModels } from "./third-party.js";

if (thirdPartyModels.length === 0) test.skip("wants WILDMARK_MODELS and WILDMARK_DATA", () => {});

test.each(thirdPartyModels)("$file gives its reference outputs and trains", async (entry) => {
  const { model, dataset } = await loadThirdParty(entry, { train: 64, test: 16 });
  const { shape } = dataset.test;
  const { graph, classifier } = imageGraph(model, shape);
  const { channels, height, width } = shape;
  const images = float32([16, channels, height, width], new Float32Array(16 * imageSize(shape)));
  packImages(
    dataset.test,
    Array.from({ length: 16 }, (_, i) => i),
    images.data,
  );
  const session = await createSession(graph);
  const scores = (await session.run(new Map([[classifier.input.name, images]]))).get(classifier.output);
  await session.release();
  expect(scores?.dims).toEqual([16, 10]);
  // 1e-4 of the largest score of a row: CNTK's network answers in thousands, of which float32 holds seven digits.
  entry.outputs.forEach((expected, row) => {
    const tolerance = 1e-4 * Math.max(1, ...expected.map(Math.abs));
    expected.forEach((value, k) => {
      expect(Math.abs(Number(scores?.data[row * 10 + k]) - value)).toBeLessThanOrEqual(tolerance);
    });
  });

  const subset = select(
    dataset.train,
    Uint32Array.from({ length: 64 }, (_, i) => i),
  );
  const { run } = findMethod("wild").choose({ epochs: 1, learningRate: 1e-6 });
  const trained = [];
  for await (const epoch of run({ model, subset, random: randomStream(0, "attack") })) trained.push(epoch);
  expect(trained).toHaveLength(1);
  expect(Number.isFinite(trained[0]?.loss)).toBe(true);
  const before = encodeModel(model);
  const after = encodeModel(trained[0]?.model() ?? model);
  expect(after).not.toEqual(before);
  expect(after.length).toBe(before.length);
});
