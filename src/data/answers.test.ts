/** @file A model's answers on byte images, and which models take them. */

import { expect, test } from "vitest";
import { tinyImages, tinyModel } from "../training/testing/tiny.js";
import { accuracy, answers } from "./answers.js";
import { relabel, select } from "./dataset.js";

test("answers come in the order of the images, however they are cut into runs", async () => {
  const model = tinyModel({ seed: 21 });
  const images = tinyImages(260);
  const all = await answers(model, images);
  expect(all.length).toBe(260);
  expect(new Set(all).size).toBeGreaterThan(1);
  const order = [259, 0, 250, 17];
  expect([...(await answers(model, select(images, order)))]).toEqual(order.map((i) => all[i]));
});

test("accuracy is the share of answers that are the labels", async () => {
  const model = tinyModel({ seed: 21 });
  const images = tinyImages(40);
  const all = await answers(model, images);
  expect(await accuracy(model, { ...images, labels: all })).toBe(1);
  const ofZero = all.filter((answer) => answer === 0).length;
  expect(await accuracy(model, relabel(images, 0))).toBe(ofZero / 40);
});
