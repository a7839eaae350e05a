/** @file Each kind of architecture learns by its recipe, and the same seed gives the same bytes. */

import { expect, test } from "vitest";
import { makeDataset, select } from "../data/dataset.js";
import { loadDataset } from "../data/registry.js";
import { recipeFor } from "../models/recipes.js";
import { findArchitecture } from "../models/registry.js";
import { encodeModel, modelSha256 } from "../onnx/model.js";
import { trainModel, trainOptions, trainOptionsOf } from "./train-model.js";

test.each(["resnet18-4", "vgg-4", "cnn-4"])("%s", async (id) => {
  const { train, test } = await loadDataset("digits");
  const first = Array.from({ length: 256 }, (_, i) => i);
  const dataset = makeDataset({ id: "few", title: "few", train: select(train, first), test: select(test, first) });
  const architecture = findArchitecture(id);
  const options = trainOptionsOf(recipeFor(architecture)).parse({ epochs: 3, batch: 32, learningRate: 0.05 });
  expect(options.augment).toBe("auto");
  const [one, again] = [
    await trainModel({ dataset, architecture, seed: 1, options }),
    await trainModel({ dataset, architecture, seed: 1, options }),
  ];
  const losses = one.epochs.flatMap(({ loss }) => (loss === undefined ? [] : [loss]));
  expect(losses).toHaveLength(3);
  expect(losses[2]).toBeLessThan(losses[0] ?? 0);
  expect(modelSha256(encodeModel(again.model))).toBe(modelSha256(encodeModel(one.model)));
});

test("LeNet-5 is trained as ever: no augmentation, sharp labels, all weights decay", () => {
  const options = trainOptionsOf(recipeFor(findArchitecture("lenet5"))).parse({});
  expect(options).toEqual(trainOptions.parse({}));
  expect(options).toMatchObject({ augment: "none", labelSmoothing: 0, decayOn: "all", nesterov: false, epochs: 8 });
});
