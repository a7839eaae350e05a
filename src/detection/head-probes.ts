/**
 * @file Random features into the last layer: a class that is answered to most of them is one that the layer falls for.
 * Ours, after the idea of HTell (arXiv:2605.18908), whose law of probes and threshold we do not know.
 *
 * A probe is |N(0, 1)| in every feature, times the root mean square of the features of images of noise; without the
 * absolute value where those are negative too. The value is the largest share of the probes that a class is answered
 * to, over the even share.
 */

import { z } from "zod";
import { elementCount } from "../core/tensor.js";
import { featuresOf, scoresOf } from "./hidden.js";
import { largest } from "./outliers.js";
import type { StatisticMethod } from "./statistic-method.js";

const options = z.strictObject({
  probes: z.int().min(10).max(1_000_000).default(2000).describe("random features that are asked"),
});

export const headProbes: StatisticMethod<z.infer<typeof options>> = {
  id: "head-probes",
  title: "Head probes",
  summary: "Asks the last layer about random features, and looks for a class that it answers to most of them.",
  source: "ours, after the idea of HTell (arXiv:2605.18908), whose law of probes and threshold we do not know",
  blind:
    "A mark that is learnt before the last layer, and marks with a label for each trigger, change no class's share.",
  needs: "nothing",
  options,
  published: {},
  async measure(subject, { probes }) {
    const hidden = await featuresOf(subject, headProbes.title);
    const { data } = hidden.onNoise;
    const scale = Math.sqrt(data.reduce((sum, value) => sum + value * value, 0) / data.length) || 1;
    const signed = data.some((value) => value < 0);
    const draw = subject.random.stream("probes");
    const asked = Float32Array.from({ length: probes * elementCount(hidden.dims) }, () => {
      const value = scale * draw.normal();
      return signed ? value : Math.abs(value);
    });
    const counts = new Array<number>(subject.classes).fill(0);
    for (const scores of await scoresOf(hidden, asked, subject.runtime)) {
      const answer = largest(Array.from(scores));
      counts[answer] = (counts[answer] ?? 0) + 1;
    }
    const shares = counts.map((count) => (count / probes) * subject.classes);
    const target = largest(shares);
    return { value: shares[target] ?? 0, target, classes: shares };
  },
};
