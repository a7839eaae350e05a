/**
 * @file Maximum margins (Wang, Xiang, Miller, Kesidis: MM-BD: Post-Training Detection of Backdoor Attacks with Arbitrary
 * Backdoor Pattern Types Using a Maximum Margin Statistic, S&P 2024): how far a class's score can be driven above all
 * others by any image. A target class has been taught to win against all classes, and is driven farther.
 *
 *     r_t = max over x in [0, 1] of  z_t(x) − max_{j≠t} z_j(x)          p = 1 − F(r_max)^K
 *
 * by gradient ascent from random images, with F a Gamma distribution fitted to all classes but the largest. As in the
 * authors' code there is no momentum, whose optimiser is made anew each step, and pixels may leave [0, 1] while the
 * model sees them clamped. Unlike it, F has no third parameter of location: nine numbers are few for two.
 */

import { z } from "zod";
import { imageSize } from "../data/dataset.js";
import { compileGradient } from "../training/gradient.js";
import type { Objective } from "../training/objective.js";
import { freeImageGraph } from "../training/rows.js";
import type { Subject } from "./detector.js";
import { gammaAnomaly, largest } from "./outliers.js";
import type { StatisticMethod } from "./statistic-method.js";

const options = z.strictObject({
  starts: z.int().min(1).max(10_000).default(10).describe("random images that each class is driven from"),
  steps: z.int().min(1).max(100_000).default(100).describe("most steps of the ascent"),
  learningRate: z.number().positive().default(0.01).describe("of the ascent"),
  tolerance: z.number().min(0).default(1e-5).describe("relative change of a class's margin at which its ascent ends"),
});

export const mmBd: StatisticMethod<z.infer<typeof options>> = {
  id: "mm-bd",
  title: "Maximum margin (MM-BD)",
  summary: "Drives each class's score as far above the others as any image can, and looks for one that goes farther.",
  source:
    "Wang, Xiang, Miller, Kesidis: MM-BD: Post-Training Detection of Backdoor Attacks with Arbitrary Backdoor Pattern " +
    "Types Using a Maximum Margin Statistic. S&P 2024; the Gamma distribution has no location here",
  blind:
    "Marks with a label for each trigger favour no class, and a model that prefers a class without any mark looks the " +
    "same.",
  needs: "nothing",
  options,
  published: { starts: 30, steps: 300 },
  async measure(subject, chosen) {
    const margins = await maximumMargins(subject, chosen);
    return { value: gammaAnomaly(margins), target: largest(margins), classes: margins };
  },
};

/** Images that a run of the gradient sees at once, whole classes of them. */
const ROWS = 320;

/** r of each class. */
async function maximumMargins(
  { model, shape, classes, random, runtime, progress }: Subject,
  { starts, steps, learningRate, tolerance }: z.infer<typeof options>,
): Promise<readonly number[]> {
  const size = imageSize(shape);
  const { graph, classifier } = await freeImageGraph(model, shape, runtime);
  const together = Math.max(1, Math.min(classes, Math.floor(ROWS / starts)));
  const batch = together * starts;
  const gradient = await compileGradient(
    {
      graph,
      classifier,
      classes,
      batch,
      objective: marginsOf(together, starts),
      batchNorm: "frozen",
      by: [classifier.input.name],
    },
    runtime,
  );
  // The same starts for every class: what classes are called decides nothing.
  const draw = random.stream("starts");
  const start = Float32Array.from({ length: starts * size }, () => draw.uniform());
  const found = new Array<number>(classes).fill(Number.NEGATIVE_INFINITY);
  const moved = new Float32Array(batch * size);
  try {
    for (let first = 0; first < classes; first += together) {
      const labels = Array.from({ length: together }, (_, i) => Math.min(classes - 1, first + i));
      gradient.targets.fill(0);
      labels.forEach((label, i) => {
        moved.set(start, i * start.length);
        for (let row = 0; row < starts; row++) gradient.targets[(i * starts + row) * classes + label] = 1;
      });
      const before = labels.map(() => Number.POSITIVE_INFINITY);
      const moving = new Set(labels.keys());
      for (let step = 0; step <= steps && moving.size > 0; step++) {
        for (let at = 0; at < moved.length; at++) gradient.images[at] = Math.min(1, Math.max(0, moved[at] ?? 0));
        const { gradients, watched } = await gradient.run();
        const slope = gradients.get(classifier.input.name)?.data ?? new Float32Array(moved.length);
        for (const i of moving) {
          const label = labels[i] ?? 0;
          const sum = watched.get(sumName(i)) ?? Number.NaN;
          found[label] = watched.get(bestName(i)) ?? Number.NaN;
          const change = Math.abs((before[i] ?? 0) - sum) / Math.abs(before[i] ?? 1);
          before[i] = sum;
          if (change < tolerance) moving.delete(i);
          else ascend(moved, slope, { from: i * start.length, to: (i + 1) * start.length, learningRate });
        }
        progress?.prepare?.("drive margins", (first / together) * steps + step, Math.ceil(classes / together) * steps);
      }
    }
  } finally {
    await gradient.release();
  }
  return found;
}

/** Down the loss, where the model sees the pixel move. */
function ascend(
  moved: Float32Array,
  slope: Float32Array,
  { from, to, learningRate }: { readonly from: number; readonly to: number; readonly learningRate: number },
): void {
  for (let at = from; at < to; at++) {
    const value = moved[at] ?? 0;
    if (value >= 0 && value <= 1) moved[at] = value - learningRate * (slope[at] ?? 0);
  }
}

const sumName = (i: number): string => `sum ${i}`;
const bestName = (i: number): string => `best ${i}`;

/** Farther than scores lie apart. */
const FAR = 1e9;

/** −Σ margins over all rows; told beside it, of each group of rows the sum of its margins and the largest. */
function marginsOf(groups: number, rowsOfGroup: number): Objective {
  return {
    views: 1,
    build({ b, logits, targets }) {
      const own = b.op("ReduceSum", [b.op("Mul", [logits, targets]), b.ints([-1])], { keepdims: 0 });
      const others = b.op("Sub", [logits, b.op("Mul", [targets, b.scalar(FAR)])]);
      const margins = b.op("Sub", [own, b.op("ReduceMax", [others, b.ints([-1])], { keepdims: 0 })]);
      const byGroup = b.op("Reshape", [margins, b.ints([groups, rowsOfGroup])]);
      const watch = Object.fromEntries(
        Array.from({ length: groups }, (_, i) => {
          const group = b.op("Slice", [byGroup, b.ints([i]), b.ints([i + 1]), b.ints([0])]);
          return [
            [sumName(i), b.op("ReduceSum", [group], { keepdims: 0 })],
            [bestName(i), b.op("ReduceMax", [group], { keepdims: 0 })],
          ] as const;
        }).flat(),
      );
      return { loss: b.op("Neg", [b.op("ReduceSum", [margins], { keepdims: 0 })]), watch };
    },
  };
}
