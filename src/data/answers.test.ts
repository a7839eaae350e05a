/** @file A model's answers on byte images, and which models take them. */

import { describe, expect, test } from "vitest";
import { tinyImages, tinyModel } from "../training/testing/tiny.js";
import { accuracy, answers } from "./answers.js";
import { relabel, select } from "./dataset.js";
import { takesImages } from "./input.js";

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

describe("an input takes images", () => {
  const grey = { channels: 1, height: 28, width: 20 };
  const colour = { channels: 3, height: 28, width: 20 };
  const input = (...dims: (number | string | undefined)[]) => ({ name: "image", type: "float32" as const, dims });

  test.each([
    [input("N", 1, 28, 20), grey, true],
    [input("N", 1, 20, 28), grey, false],
    [input("N", 3, 28, 20), colour, true],
    [input("N", 3, 28, 20), grey, false],
    [input("N", 28, 20, 1), grey, true],
    [input("N", 28, 20, 3), colour, false],
    [input("N", 28, 20), grey, true],
    [input("N", 20, 28), grey, false],
    [input("N", 560), grey, true],
    [input("N", 1680), colour, true],
    [input("N", 561), grey, false],
    [input("N", 1, "H", 20), grey, false],
    [input("N", 1, undefined, undefined), grey, false],
    [{ name: "image", type: "float32" as const, dims: undefined }, grey, false],
  ])("%j, images %j: %s", (value, shape, fits) => {
    expect(takesImages(value, shape)).toBe(fits);
  });
});
