/**
 * @file The last layer's weights, a row a class: one that is longer and more lopsided than the others has been taught
 * something of its own. Ours, after the idea of DFBScanner (arXiv:2605.18907), whose formulas we do not know.
 *
 *     s_c = (‖w_c‖₂ + |b_c|) · (1 + |mean w_c − median w_c| / deviation of w_c)
 *
 * and the value is the largest distance of an s from their median, in median absolute deviations (times 1.4826).
 */

import { z } from "zod";
import { WildmarkError } from "../core/errors.js";
import { mean, median, sampleStandardDeviation } from "../core/summary.js";
import { elementCount } from "../core/tensor.js";
import type { Subject } from "./detector.js";
import { featuresOf, type Hidden, scoresOf } from "./hidden.js";
import { largest, medianDeviations } from "./outliers.js";
import type { StatisticMethod } from "./statistic-method.js";

const options = z.strictObject({});

export const lastLayer: StatisticMethod<z.infer<typeof options>> = {
  id: "last-layer",
  title: "Last-layer statistics",
  summary: "Compares the length and lopsidedness of each class's weights in the last layer.",
  source: "ours, after the idea of DFBScanner (arXiv:2605.18907), whose formulas we do not know",
  blind:
    "A mark that is learnt before the last layer, and marks with a label for each trigger, leave these weights even.",
  needs: "nothing",
  options,
  published: {},
  async measure(subject) {
    const rows = await lastRows(subject);
    const sizes = rows.map(({ weights, bias }) => {
      const length = Math.sqrt(weights.reduce((sum, weight) => sum + weight * weight, 0));
      const spread = sampleStandardDeviation(weights);
      const lopsided = spread > 0 ? Math.abs(mean(weights) - median(weights)) / spread : 0;
      return (length + Math.abs(bias)) * (1 + lopsided);
    });
    const distances = medianDeviations(sizes).map(Math.abs);
    const target = largest(distances);
    return { value: distances[target] ?? 0, target, classes: sizes };
  },
};

interface Row {
  readonly weights: readonly number[];
  readonly bias: number;
}

/** Of a score's size: what differs by less is rounding. */
const ROUNDING = 1e-3;

/**
 * The rows of weights as the layer computes them, however the file writes it: what it answers to each feature alone. Of
 * maps of features, one number stands at every position.
 *
 * @throws WildmarkError `bad-model` where the scores are not linear in the features.
 */
async function lastRows(subject: Subject): Promise<readonly Row[]> {
  const hidden = await featuresOf(subject, lastLayer.title);
  const [features = 0, ...positions] = hidden.dims;
  const cells = elementCount(positions);
  const size = features * cells;
  const asked = new Float32Array((features + 3) * size);
  // Row 0 is nothing, then each feature alone, then two to see whether it is linear: a draw, and that twice over.
  for (let i = 0; i < features; i++) asked.fill(1, (i + 1) * size + i * cells, (i + 1) * size + (i + 1) * cells);
  const draw = subject.random.stream("linear");
  for (let i = 0; i < features; i++) {
    const value = draw.normal();
    asked.fill(value, (features + 1) * size + i * cells, (features + 1) * size + (i + 1) * cells);
    asked.fill(2 * value, (features + 2) * size + i * cells, (features + 2) * size + (i + 1) * cells);
  }
  const scores = await scoresOf(hidden, asked, subject.runtime);
  requireLinear(scores, features, hidden);
  return Array.from({ length: subject.classes }, (_, label) => {
    const bias = scores[0]?.[label] ?? Number.NaN;
    return { bias, weights: Array.from({ length: features }, (_, i) => (scores[i + 1]?.[label] ?? Number.NaN) - bias) };
  });
}

function requireLinear(scores: readonly Float32Array[], features: number, { name }: Hidden): void {
  const [nothing, once, twice] = [scores[0], scores[features + 1], scores[features + 2]];
  const size = Math.max(...(twice ?? []).map(Math.abs));
  const linear = twice?.every(
    (value, i) => Math.abs(value - 2 * (once?.[i] ?? 0) + (nothing?.[i] ?? 0)) <= ROUNDING * size,
  );
  if (linear === true) return;
  throw new WildmarkError(
    "bad-model",
    `${lastLayer.title} cannot read this model: its scores are not linear in "${name}".`,
    {
      hint: "The other detectors may: each is asked by itself.",
    },
  );
}
