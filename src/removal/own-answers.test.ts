/** @file Methods that learn from the marked model's answers: what they learn from is those answers and nothing else. */

import { beforeAll, describe, expect, test } from "vitest";
import { answers } from "../data/answers.js";
import { packImages } from "../data/batches.js";
import { relabel } from "../data/dataset.js";
import { imageGraph } from "../onnx/image-graph.js";
import { encodeModel, type Model } from "../onnx/model.js";
import { agreement } from "../training/evaluate.js";
import { compileGradient } from "../training/gradient.js";
import { tinyImages, tinyModel } from "../training/testing/tiny.js";
import { distillationObjective } from "./distillation.js";
import { findMethod } from "./registry.js";
import { attack, subset, trainedTinyModel, weightOf } from "./testing/attacked.js";

let marked: Model;
beforeAll(async () => {
  marked = await trainedTinyModel();
});

describe.each(["model-extraction", "distillation", "weight-decay"])("%s", (id) => {
  const small = findMethod(id).choose({ epochs: 2, batch: 8 });

  test("learns from no label: other labels, same bytes", async () => {
    const bytes = async (labelled: typeof subset) =>
      encodeModel((await attack(small, marked, 1, { subset: labelled })).model);
    expect(await bytes(relabel(subset, 3))).toEqual(await bytes(subset));
  });
});

test.each(["model-extraction", "distillation"])(
  "%s ends at a model that answers as the marked one does",
  async (id) => {
    const images = tinyImages(64, { seed: 8 });
    const method = findMethod(id).choose({ epochs: 12, batch: 8 });
    const { model } = await attack(method, marked, 1, { unlabelled: images });
    const heldOut = tinyImages(100, { seed: 9 });
    expect(agreement(await answers(model, heldOut), await answers(marked, heldOut))).toBeGreaterThan(0.9);
    // It is not the marked model: weights were drawn anew.
    const [before, after] = [weightOf(marked, "fc1.weight"), weightOf(model, "fc1.weight")];
    const distance = Math.hypot(...after.map((value, i) => value - (before[i] ?? 0)));
    expect(distance).toBeGreaterThan(0.5 * Math.hypot(...before));
  },
);

test.each([1, 4])(
  "at T = %i, distilling a model into itself has nothing to move: the loss is least where it starts",
  async (T) => {
    const { graph, classifier } = imageGraph(marked, subset.shape);
    const by = classifier.trainable;
    const plan = { graph, classifier, classes: 4, batch: 8, batchNorm: "frozen", by } as const;
    const gradientOf = async (model: Model): Promise<number> => {
      const objective = distillationObjective({ model, subset }, T);
      const gradient = await compileGradient({ ...plan, objective });
      packImages(subset, [0, 1, 2, 3, 4, 5, 6, 7], gradient.images);
      const { gradients } = await gradient.run();
      await gradient.release();
      return Math.max(...[...gradients.values()].flatMap(({ data }) => [...data].map(Math.abs)));
    };
    // Zero but for rounding: probabilities of two softmaxes of the same scores, in float32.
    expect(await gradientOf(marked)).toBeLessThan(1e-5);
    expect(await gradientOf(tinyModel({ seed: 99 }))).toBeGreaterThan(1e-2);
  },
);

describe("strong weight decay", () => {
  const norm = (model: Model): number => {
    const weights = ["conv.weight", "fc1.weight", "fc2.weight"].flatMap((name) => [...weightOf(model, name)]);
    return Math.hypot(...weights);
  };
  const course = async (options: Readonly<Record<string, unknown>>): Promise<number[]> => {
    const method = findMethod("weight-decay").choose({ batch: 8, strongEpochs: 3, ...options });
    return [norm(marked), ...(await attack(method, marked, 1)).models.map(norm)];
  };

  test(
    "shrinks the weights in each of its epochs, and more the stronger it is; ordinary decay " + "hardly does",
    async () => {
      const strong = await course({ epochs: 3, strongDecay: 0.25 });
      expect(strong.toSorted((a, b) => b - a)).toEqual(strong);
      const weaker = await course({ epochs: 3, strongDecay: 0.1 });
      expect(strong.at(-1)).toBeLessThan(weaker.at(-1) ?? 0);
      const ordinary = await course({ epochs: 3, strongEpochs: 0 });
      expect(weaker.at(-1)).toBeLessThan((ordinary.at(-1) ?? 0) - 0.01 * (ordinary[0] ?? 0));
    },
  );

  test("is followed by fine-tuning under ordinary decay, epochs counted on", async () => {
    const method = findMethod("weight-decay").choose({ batch: 8, strongEpochs: 2, epochs: 5, strongDecay: 0.5 });
    const { records, models } = await attack(method, marked, 1);
    expect(records.map(({ epoch }) => epoch)).toEqual([1, 2, 3, 4, 5]);
    const sizes = models.map(norm);
    const fall = (from: number, to: number): number => 1 - (sizes[to] ?? 0) / (sizes[from] ?? 0);
    expect(fall(0, 1)).toBeGreaterThan(0.005);
    expect(fall(3, 4)).toBeLessThan(fall(0, 1) / 2);
  });

  test("fine-tuning stops once the images held out say that it gets no better, and not before", async () => {
    const method = findMethod("weight-decay").choose({ batch: 8, strongEpochs: 1, epochs: 40, patience: 2 });
    const { records, model } = await attack(method, marked, 1);
    expect(records.length).toBeLessThan(40);
    expect(records.length).toBeGreaterThanOrEqual(3);
    const patient = findMethod("weight-decay").choose({
      batch: 8,
      strongEpochs: 1,
      epochs: records.length,
      patience: 40,
    });
    expect(encodeModel((await attack(patient, marked, 1)).model)).toEqual(encodeModel(model));
  });
});
