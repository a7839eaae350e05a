/** @file Test-time augmentation against the same sums by hand. */

import { expect, test } from "vitest";
import { at } from "../core/lists.js";
import { float32 } from "../core/tensor.js";
import { imageGraph } from "../onnx/image-graph.js";
import { createSession } from "../runtime/session.js";
import { tinyImages, tinyModel } from "../training/testing/tiny.js";
import { answers } from "./answers.js";
import { copyPixels } from "./dataset.js";
import { answersOnViews } from "./test-time.js";

const model = tinyModel({ channels: 2 });
const images = tinyImages(30, { channels: 2 });
const SIDE = 8;
const SIZE = 2 * SIDE * SIDE;

/** Image i seen so far down and to the right, edges mirrored, and then perhaps mirrored itself. */
function seen(i: number, shift: number, mirrored: boolean): number[] {
  const pixels = copyPixels(images);
  const reflect = (place: number): number => (place < 0 ? -place : place >= SIDE ? 2 * (SIDE - 1) - place : place);
  return Array.from({ length: SIZE }, (_, at) => {
    const [channel, row, column] = [Math.floor(at / 64), Math.floor((at % 64) / SIDE), at % SIDE];
    const from = mirrored ? SIDE - 1 - column : column;
    return (pixels[i * SIZE + channel * 64 + reflect(row + shift) * SIDE + reflect(from + shift)] ?? 0) / 255;
  });
}

async function scoresOf(pixels: readonly number[]): Promise<readonly number[]> {
  const { graph, classifier } = imageGraph(model, images.shape);
  const session = await createSession(graph);
  const found = await session.run(new Map([[classifier.input.name, float32([1, 2, SIDE, SIDE], pixels)]]));
  await session.release();
  return Array.from(found.get(classifier.output)?.data ?? [], Number);
}

test.each(["mirror", "mirror-shift"] as const)("%s", async (views) => {
  const found = await answersOnViews(model, images, views);
  expect(found).not.toEqual(await answers(model, images));
  const shifts =
    views === "mirror"
      ? [[0, 0.5]]
      : [
          [0, 0.25],
          [-1, 0.125],
          [1, 0.125],
        ]; // prettier-ignore
  for (const i of [0, 7, 29]) {
    const sums = [0, 0, 0, 0];
    for (const [shift = 0, weight = 0] of shifts) {
      for (const mirrored of [false, true]) {
        const scores = await scoresOf(seen(i, shift, mirrored));
        scores.forEach((score, label) => {
          sums[label] = at(sums, label) + weight * score;
        });
      }
    }
    expect(found[i]).toBe(sums.indexOf(Math.max(...sums)));
  }
});
