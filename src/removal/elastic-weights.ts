/**
 * @file Elastic weight consolidation as REFIT uses it (Chen, Wang, Bender, Ding, Jia, Li, Song, AsiaCCS 2021; after
 * Kirkpatrick et al., PNAS 2017): weights that the answers depend on are held near where they were.
 *
 *     Ω = Σ ½ c · min(F, 1/(η c)) · (θ − θ₀)²
 *
 * θ₀ is what a weight was, F its Fisher information as a share of the largest of all, η the rate of the step: with the
 * minimum, no step of gradient descent on Ω alone takes a weight past θ₀ (form and constants as in the authors' code).
 */

import { type FloatTensor, float32 } from "../core/tensor.js";
import { epochOrder, packImages } from "../data/batches.js";
import type { GraphBuilder } from "../onnx/builder.js";
import { imageGraph } from "../onnx/image-graph.js";
import { throwIfAborted } from "../training/epochs.js";
import { compileGradient } from "../training/gradient.js";
import { meanCrossEntropy, type Objective } from "../training/objective.js";
import type { Attack } from "./method.js";

/** A number for each element of each weight. */
export type PerWeight = ReadonlyMap<string, FloatTensor>;

/**
 * The diagonal of the Fisher information: the mean square of ∂ log p(y | x) / ∂θ over images x of the attacker and
 * labels y drawn from the model's own softmax, one gradient a sample. Normalisation is by running statistics.
 *
 * @param names of the weights.
 * @param samples drawn; images take turns, each in every round, with a label drawn anew each time.
 */
export async function fisherInformation(
  { model, subset, random, runtime, progress, signal }: Attack,
  names: readonly string[],
  samples: number,
): Promise<PerWeight> {
  const { graph, classifier } = imageGraph(model, subset.shape);
  const gradient = await compileGradient(
    { graph, classifier, classes: subset.classes, batch: 1, objective: ownLabel, batchNorm: "frozen", by: names },
    runtime,
  );
  const sums = new Map<string, Float64Array>();
  const labels = random.stream("fisher labels");
  let order = new Uint32Array(0);
  try {
    for (let sample = 0; sample < samples; sample++) {
      throwIfAborted(signal);
      const turn = sample % subset.count;
      if (turn === 0) order = epochOrder(subset.count, 1, random.stream("fisher order").stream(sample));
      packImages(subset, order.subarray(turn, turn + 1), gradient.images);
      for (let i = 0; i < gradient.targets.length; i++)
        gradient.targets[i] = -Math.log(-Math.log(1 - labels.uniform()));
      for (const [name, { data }] of (await gradient.run()).gradients) {
        const sum = sums.get(name) ?? new Float64Array(data.length);
        sums.set(name, sum);
        for (let i = 0; i < sum.length; i++) sum[i] = (sum[i] ?? 0) + (data[i] ?? 0) ** 2;
      }
      progress?.prepare?.("estimate which weights matter", sample + 1, samples);
    }
  } finally {
    await gradient.release();
  }
  return new Map(
    [...sums].map(([name, sum]) => {
      const dims = graph.initializers.get(name)?.dims ?? [sum.length];
      return [
        name,
        float32(
          dims,
          Float32Array.from(sum, (value) => value / samples),
        ),
      ];
    }),
  );
}

/**
 * −log p(y | x) with y drawn from the model's softmax: the largest of scores plus standard Gumbel noise is such a draw
 * (Gumbel 1954). The noise comes in place of targets.
 */
const ownLabel: Objective = {
  views: 1,
  build({ b, logits, targets }) {
    const label = b.op("Hardmax", [b.op("Add", [logits, targets])], { axis: -1 });
    return { loss: meanCrossEntropy(b, logits, label) };
  },
};

/** Divided by the largest value of all weights together; where all are 0, they stay. */
export function shareOfLargest(information: PerWeight): PerWeight {
  let largest = 0;
  for (const { data } of information.values()) for (const value of data) largest = Math.max(largest, value);
  if (largest === 0) return information;
  return new Map(
    [...information].map(([name, { dims, data }]) => [
      name,
      float32(
        dims,
        data.map((value) => value / largest),
      ),
    ]),
  );
}

/**
 * Appends Ω.
 *
 * @param importance F, by weight; those of `start` that have none are not held.
 * @param start θ₀
 * @param strength c
 * @param rate name of η, a scalar
 * @returns the name of a scalar
 */
export function appendConsolidation(
  b: GraphBuilder,
  { importance, start, strength, rate }: { importance: PerWeight; start: PerWeight; strength: number; rate: string },
): string {
  const c = b.scalar(strength);
  const most = b.op("Div", [b.scalar(1), b.op("Mul", [rate, c])]);
  const terms = [...importance].flatMap(([name, share]) => {
    const before = start.get(name);
    if (before === undefined) return [];
    const moved = b.op("Sub", [name, b.initializer(`start/${name}`, before)]);
    const held = b.op("Min", [b.initializer(`importance/${name}`, share), most]);
    return [b.op("ReduceSum", [b.op("Mul", [held, b.op("Mul", [moved, moved])])], { keepdims: 0 })];
  });
  return b.op("Mul", [b.op("Sum", terms), b.op("Mul", [c, b.scalar(0.5)])]);
}
