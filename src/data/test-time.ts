/**
 * @file Test-time augmentation: the class with the largest mean score over several views of an image. It is another
 * number than a model's accuracy, and stands beside it wherever it is told.
 */

import { WildmarkError } from "../core/errors.js";
import type { Model } from "../onnx/model.js";
import type { RuntimeOptions } from "../runtime/session.js";
import { askModel } from "../training/ask.js";
import { packerOf } from "./answers.js";
import { copyMoved, type Move } from "./augment.js";
import { type Images, imageSize } from "./dataset.js";

/**
 * `mirror`: the image and its mirror image. `mirror-shift`: both as they are with half of the weight, and both moved by
 * a pixel up and left, and down and right, with the other half (Jordan, arXiv:2404.00498).
 */
export const testTimeViews = ["mirror", "mirror-shift"] as const;

export type TestTimeViews = (typeof testTimeViews)[number];

/**
 * One class index an image; the first of equal scores wins. Scores are averaged as the model gives them.
 *
 * @throws WildmarkError `bad-model` where the model gives labels and no scores; as `askModel` does.
 */
export async function answersOnViews(
  model: Model,
  images: Images,
  views: TestTimeViews,
  options: RuntimeOptions = {},
): Promise<Uint16Array> {
  const { shape, count } = images;
  const size = imageSize(shape);
  const packImage = packerOf(images);
  let sums = new Float64Array(0);
  for (const { weight, move } of weighted(views)) {
    const pack = (from: number, packed: number, target: Float32Array): void => {
      packImage(from, packed, target);
      const clean = target.slice(0, packed * size);
      for (let i = 0; i < packed; i++) copyMoved(clean, target, shape, i * size, move);
    };
    const see = ({ dims, data }: { readonly dims: readonly number[]; readonly data: Float32Array }, from: number) => {
      const classes = data.length / (dims[0] ?? 1);
      if (sums.length === 0) sums = new Float64Array(count * classes);
      data.forEach((score, i) => {
        sums[from * classes + i] = (sums[from * classes + i] ?? 0) + weight * score;
      });
    };
    await askModel(model, { shape, count, pack, see }, options);
  }
  if (sums.length === 0) {
    throw new WildmarkError("bad-model", "The model gives labels; test-time augmentation averages scores.");
  }
  const classes = sums.length / count;
  return Uint16Array.from({ length: count }, (_, i) => {
    const scores = sums.subarray(i * classes, (i + 1) * classes);
    return scores.indexOf(scores.reduce((most, score) => Math.max(most, score)));
  });
}

/** Views with weights that add up to 1. */
function weighted(views: TestTimeViews): { readonly weight: number; readonly move: Move }[] {
  const shifts: readonly (readonly [shift: number, weight: number])[] =
    views === "mirror"
      ? [[0, 1]]
      : [
          [0, 1 / 2],
          [-1, 1 / 4],
          [1, 1 / 4],
        ];
  return shifts.flatMap(([shift, weight]) =>
    [false, true].map((mirrored) => ({
      weight: weight / 2,
      move: { down: shift, right: shift, mirrored, edge: "mirrored" as const },
    })),
  );
}
