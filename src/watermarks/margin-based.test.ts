/** @file The margin-based mark: how its loss weighs, where the triggers are moved, and what holds around them. */

import { describe, expect, test } from "vitest";
import { randomStream } from "../core/random.js";
import { accuracy } from "../data/answers.js";
import { packImages } from "../data/batches.js";
import { imageGraph } from "../onnx/image-graph.js";
import { encodeModel, type Model } from "../onnx/model.js";
import { storedTensors } from "../onnx/traverse.js";
import { compileGradient } from "../training/gradient.js";
import { crossEntropyObjective, type Objective } from "../training/objective.js";
import { tinyImages, tinyModel } from "../training/testing/tiny.js";
import { embedFromScratchOptions } from "./embed.js";
import { compileWorst, weightedObjective } from "./margin-based.js";
import { findMark } from "./registry.js";

const train = tinyImages(80);
const mark = findMark("margin-based");

test("the last rows count as often as said, the mean is over the batch", async () => {
  const { graph, classifier } = imageGraph(tinyModel(), train.shape);
  const lossOf = async (objective: Objective, images: readonly number[]): Promise<number> => {
    const plan = { graph, classifier, classes: 4, batch: images.length, objective, batchNorm: "frozen" } as const;
    const gradient = await compileGradient({ ...plan, by: [classifier.input.name] });
    packImages(train, images, gradient.images);
    images.forEach((index, row) => {
      gradient.targets[row * 4 + (train.labels[index] ?? 0)] = 1;
    });
    const { loss } = await gradient.run();
    await gradient.release();
    return loss;
  };
  for (const smoothing of [0, 0.2]) {
    const plain = crossEntropyObjective(smoothing);
    const clean = await lossOf(plain, [0, 1, 2, 3, 4]);
    const triggers = await lossOf(plain, [5, 6, 7]);
    const weighted = await lossOf(weightedObjective(5, 0.3, plain), [0, 1, 2, 3, 4, 5, 6, 7]);
    expect(weighted).toBeCloseTo((5 * clean + 0.3 * 3 * triggers) / 8, 5);
  }
});

describe("embedding", () => {
  const scheme = mark.choose({ triggers: 4, heldOut: 4, boost: 1, weight: 1 });
  const owned = async () => scheme.make({ train, random: randomStream(5) });
  const run = async (given: Readonly<Record<string, unknown>>, epochs = 100): Promise<Model> => {
    const { triggers } = await owned();
    const options = embedFromScratchOptions.parse({ batch: 16, epochs, learningRate: 0.2, weightDecay: 0 });
    const chosen = mark.choose({ ...scheme.options, ...given });
    let marked = tinyModel();
    const embedding = { model: marked, train, triggers, random: randomStream(6) };
    for await (const epoch of chosen.embed(embedding, options)) marked = epoch.model();
    return marked;
  };

  test("teaches the triggers beside the images, and gives the same bytes again", async () => {
    const { triggers } = await owned();
    const marked = await run({});
    expect(await accuracy(marked, triggers)).toBe(1);
    // The network is tiny; chance is 0.25.
    expect(await accuracy(marked, train)).toBeGreaterThan(0.7);
    expect(encodeModel(await run({}, 3))).toEqual(encodeModel(await run({}, 3)));
  });

  test("no ascent, or steps of nothing, is plain training on the triggers; steps make another model", async () => {
    const plain = encodeModel(await run({ ascentSteps: 0 }, 3));
    expect(encodeModel(await run({ ascentStep: 0 }, 3))).toEqual(plain);
    expect(encodeModel(await run({}, 3))).not.toEqual(plain);
  });
});

describe("the ascent", () => {
  const chosen = { ascentSteps: 5, ascentStep: 0.02 };
  const COUNT = 3;
  const CLEAN = 2;
  const size = 64;

  /** A batch whose last three rows are triggers 0 to 2, moved by a network with the weights of `at`. */
  async function moved(
    given: Partial<typeof chosen>,
    at: Model,
  ): Promise<{ before: Float32Array; after: Float32Array }> {
    const triggers = (await mark.choose({ triggers: 4, heldOut: 2 }).make({ train, random: randomStream(5) })).triggers;
    const embedding = { model: tinyModel(), train, triggers, random: randomStream(6) };
    const worst = await compileWorst(embedding, COUNT, { ...chosen, ...given });
    const images = new Float32Array((CLEAN + COUNT) * size).fill(0.5);
    packImages(triggers, [0, 1, 2], images.subarray(CLEAN * size));
    const targets = new Float32Array((CLEAN + COUNT) * 4);
    for (let row = 0; row < COUNT; row++) targets[(CLEAN + row) * 4 + (triggers.labels[row] ?? 0)] = 1;
    const before = images.slice();
    const weights = new Map(
      [...storedTensors(at.graph)].flatMap(([name, tensor]) => (tensor.type === "float32" ? [[name, tensor]] : [])),
    );
    await worst.move(
      { epoch: 1, step: 0, images, targets, weights: async () => weights, replace: async () => {} },
      CLEAN,
    );
    await worst.release();
    return { before, after: images };
  }

  test("moves triggers alone, no pixel farther than the steps reach, none out of [0, 1]", async () => {
    for (const ascentStep of [0.02, 0.4]) {
      const { before, after } = await moved({ ascentStep }, tinyModel());
      expect(after.subarray(0, CLEAN * size)).toEqual(before.subarray(0, CLEAN * size));
      const gaps = after.map((value, i) => Math.abs(value - (before[i] ?? 0))).subarray(CLEAN * size);
      expect(Math.max(...gaps)).toBeLessThanOrEqual(5 * ascentStep + 1e-6);
      expect(Math.max(...gaps)).toBeGreaterThan(ascentStep);
      expect(Math.min(...after)).toBeGreaterThanOrEqual(0);
      expect(Math.max(...after)).toBeLessThanOrEqual(1);
    }
  });

  test(
    "goes up the loss of the network of the moment: its labels are held less there, by each " + "further step",
    async () => {
      const other = tinyModel({ seed: 8 });
      const lossOf = async ({ after }: { readonly after: Float32Array }): Promise<number> => {
        const { triggers } = await mark.choose({ triggers: 4, heldOut: 2 }).make({ train, random: randomStream(5) });
        const { graph, classifier } = imageGraph(other, train.shape);
        const gradient = await compileGradient({
          graph,
          classifier,
          classes: 4,
          batch: COUNT,
          objective: crossEntropyObjective(),
          batchNorm: "frozen",
          by: [classifier.input.name],
        });
        gradient.images.set(after.subarray(CLEAN * size));
        for (let row = 0; row < COUNT; row++) gradient.targets[row * 4 + (triggers.labels[row] ?? 0)] = 1;
        const { loss } = await gradient.run();
        await gradient.release();
        return loss;
      };
      const losses: number[] = [];
      for (const ascentSteps of [0, 1, 3, 5]) losses.push(await lossOf(await moved({ ascentSteps }, other)));
      expect(losses.toSorted((a, b) => a - b)).toEqual(losses);
      expect(losses.at(-1)).toBeGreaterThan((losses[0] ?? Number.NaN) + 0.02);
      // Moved by the network that training started from, and not by the one of the moment, it would be less.
      expect(losses.at(-1)).toBeGreaterThan(await lossOf(await moved({}, tinyModel())));
    },
  );
});
