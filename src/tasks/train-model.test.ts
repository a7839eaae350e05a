/** @file Each kind of architecture learns by its recipe, and the same seed gives the same bytes. */

import { expect, test } from "vitest";
import { makeDataset, select } from "../data/dataset.js";
import { firstImages } from "../data/first-images.js";
import { loadDataset } from "../data/registry.js";
import { recipeFor } from "../models/recipes.js";
import { findArchitecture, newModel } from "../models/registry.js";
import { encodeModel, modelSha256 } from "../onnx/model.js";
import { tinyImages } from "../training/testing/tiny.js";
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

test("airnet by its own recipe: the whitening layer is made from the images and stays, its bias from epoch 3 on", async () => {
  const images = tinyImages(64, { channels: 3, side: 12 });
  const dataset = makeDataset({ id: "few", title: "few", train: images, test: images });
  const architecture = findArchitecture("airnet-2");
  const recipe = trainOptionsOf(recipeFor(architecture));
  const stored = async (epochs: number, schedule: string) => {
    const options = recipe.parse({ epochs, batch: 16, learningRate: 0.5, rates: "kernels=0.1,head=5", schedule });
    const { model, accuracy } = await trainModel({ dataset, architecture, seed: 1, options });
    return { weights: model.graph.initializers, accuracy };
  };
  const [two, three, six] = [await stored(2, "constant"), await stored(3, "constant"), await stored(6, "constant")];
  const input = { ...images.shape, classes: images.classes };
  const fresh = newModel(architecture, input, 1, firstImages(images)).graph.initializers;
  for (const name of ["whiten.weight", "layers.1.norm1.weight", "layers.3.norm2.weight"]) {
    expect(six.weights.get(name), name).toEqual(fresh.get(name));
  }
  expect(three.weights.get("whiten.bias")).not.toEqual(two.weights.get("whiten.bias"));
  expect(six.weights.get("whiten.bias")).toEqual(three.weights.get("whiten.bias"));
  expect(six.weights.get("layers.1.norm1.bias")).not.toEqual(three.weights.get("layers.1.norm1.bias"));
  expect(six.accuracy).toBeGreaterThan(0.9);
});
