/**
 * @file FreeEagle (Fu, Zhang, Zhang, Zhang, Zhou, Zhang, Chen, Ji, Wang: FreeEagle: Detecting Complex Neural Trojans in
 * Data-Free Cases, USENIX Security 2023): of each class the hidden value that the classifier's second half finds most
 * typical of it is sought, and what else the half says of it is looked at. To a target class there is a short way from
 * every class.
 *
 * M[c][j] is the probability of j at the value of class c, v_j the mean of M[c][j] over c ≠ j, and the anomaly how far
 * the largest of v lies above its upper quartile, in interquartile ranges. The half is everything behind the value
 * halfway (`hidden.ts`); the authors choose the layer for each architecture.
 */

import { z } from "zod";
import { elementCount, float32 } from "../core/tensor.js";
import { graphBuilder } from "../onnx/builder.js";
import { withFront } from "../onnx/front.js";
import type { Objective } from "../training/objective.js";
import { compileSearch } from "../training/search.js";
import type { Subject } from "./detector.js";
import { type Hidden, halfwayIn, scoresOf } from "./hidden.js";
import { largest, quartileAnomaly } from "./outliers.js";
import { softmax } from "./softmax.js";
import type { StatisticMethod } from "./statistic-method.js";

const options = z.strictObject({
  steps: z.int().min(1).max(1_000_000).default(1000).describe("steps of Adam to a class's value"),
  learningRate: z.number().positive().default(0.01).describe("of Adam"),
  weightDecay: z.number().min(0).default(5e-3).describe("of the value, added to the gradient"),
});

export const freeEagle: StatisticMethod<z.infer<typeof options>> = {
  id: "free-eagle",
  title: "FreeEagle",
  summary: "Seeks what the network's second half takes for each class, and looks for a class that all others lean to.",
  source:
    "Fu et al.: FreeEagle: Detecting Complex Neural Trojans in Data-Free Cases. USENIX Security 2023; the layer is " +
    "the one halfway here",
  blind:
    "Marks with a label for each trigger lead to no one class, and what is hidden before the middle of the network is " +
    "not looked at.",
  needs: "nothing",
  options,
  published: {},
  async measure(subject, chosen) {
    const leaning = await leanings(subject, chosen);
    return { value: quartileAnomaly(leaning), target: largest(leaning), classes: leaning };
  },
};

const BETAS = [0.9, 0.999] as const;
const VALUE = "wildmark/free-eagle/value";

/** v of each class. */
async function leanings(subject: Subject, chosen: z.infer<typeof options>): Promise<readonly number[]> {
  const { classes, runtime } = subject;
  const hidden = await halfwayIn(subject, freeEagle.title);
  const values = await typicalValues(hidden, subject, chosen);
  const matrix = (await scoresOf(hidden, values, runtime)).map(softmax);
  return Array.from({ length: classes }, (_, to) => {
    const sum = matrix.reduce((total, row, from) => total + (from === to ? 0 : (row[to] ?? 0)), 0);
    return sum / (classes - 1);
  });
}

/** One row a class. */
async function typicalValues(
  hidden: Hidden,
  { classes, random, runtime, progress }: Subject,
  { steps, learningRate, weightDecay }: z.infer<typeof options>,
): Promise<Float32Array> {
  const size = elementCount(hidden.dims);
  const dims = [classes, ...hidden.dims];
  const zeros = new Float32Array(classes * size);
  const named = graphBuilder(hidden.graph.name, { from: hidden.graph, keepOutputs: true });
  named.initializer(VALUE, float32(dims, zeros));
  const fed = { ...hidden.classifier.input, name: "wildmark/free-eagle/nothing" };
  const sought = withFront(named.build(), hidden.name, fed, (b, nothing) => b.op("Add", [nothing, VALUE]));
  const search = await compileSearch(
    {
      graph: sought.graph,
      classifier: { ...hidden.classifier, input: sought.input },
      classes,
      batch: classes,
      objective: crossEntropySum,
      batchNorm: "frozen",
      by: [VALUE],
      betas: BETAS,
      weightDecay,
      // What is never negative, as behind a ReLU, is not sought below 0.
      ...(hidden.onNoise.data.every((value) => value >= 0) ? { least: 0 } : {}),
    },
    runtime,
  );
  // The same start for every class: what classes are called decides nothing.
  const draw = random.stream("start");
  const start = Float32Array.from({ length: size }, () => draw.uniform());
  const values = new Float32Array(classes * size);
  for (let label = 0; label < classes; label++) {
    values.set(start, label * size);
    search.targets[label * classes + label] = 1;
  }
  search.start(new Map([[VALUE, float32(dims, values)]]));
  try {
    for (let step = 0; step < steps; step++) {
      await search.step(learningRate);
      progress?.prepare?.("seek values", step + 1, steps);
    }
    return search.value(VALUE).data.slice();
  } finally {
    await search.release();
  }
}

/** Of all rows together, so that each is sought as if it were alone. */
const crossEntropySum: Objective = {
  views: 1,
  build({ b, logits, targets }) {
    const logQ = b.op("LogSoftmax", [logits], { axis: -1 });
    return { loss: b.op("Neg", [b.op("ReduceSum", [b.op("Mul", [targets, logQ])], { keepdims: 0 })]) };
  },
};
