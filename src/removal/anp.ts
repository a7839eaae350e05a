/**
 * @file Adversarial neuron pruning (Wu & Wang, NeurIPS 2021, arXiv:2110.14430): neurons that carry a backdoor are
 * sensitive, and a small perturbation of their weights brings the backdoor's class out on clean images too.
 *
 * Each neuron k has a mask m on its weight, and perturbations δ of its weight, ξ of its bias (section 4, equation 5):
 *
 *     min over m in [0, 1] of  α · L(m · w, b) + (1 − α) · max over |δ|, |ξ| ≤ ε of L((m + δ) · w, (1 + ξ) · b)
 *
 * The inner maximum takes one step of ε in the gradient's sign from a random start, the outer minimum is SGD. Neurons
 * whose mask ends below a threshold lose their weight and keep their bias. The threshold is our own choice
 * (docs/methods.md).
 */

import { performance } from "node:perf_hooks";
import { z } from "zod";
import { WildmarkError } from "../core/errors.js";
import { permutation, type RandomStream } from "../core/random.js";
import { type FloatTensor, float32 } from "../core/tensor.js";
import { select } from "../data/dataset.js";
import { imageFeed } from "../data/feed.js";
import { cleanView } from "../data/views.js";
import { graphBuilder } from "../onnx/builder.js";
import type { Graph } from "../onnx/graph.js";
import { imageGraph } from "../onnx/image-graph.js";
import { type Model, withWeights } from "../onnx/model.js";
import { storedBefore } from "../onnx/train-from.js";
import { storedTensors } from "../onnx/traverse.js";
import { throwIfAborted } from "../training/epochs.js";
import { type CompiledGradient, compileGradient } from "../training/gradient.js";
import { crossEntropyObjective } from "../training/objective.js";
import { requireFreeRows } from "../training/rows.js";
import type { Attack, RemovalMethod, Stage } from "./method.js";
import { type UnitLayer, type UnitTensor, unitLayers, unitMask, withoutUnits } from "./units.js";

const options = z.strictObject({
  images: z.int().min(1).default(500).describe("how many of the attacker's images it uses, drawn at random"),
  iterations: z.int().min(1).max(1_000_000).default(2000).describe("steps of the masks, of three gradients each"),
  batch: z.int().min(1).max(65_536).default(128).describe("images a step"),
  learningRate: z.number().positive().default(0.2).describe("learning rate of the masks"),
  momentum: z.number().min(0).lt(1).default(0.9).describe("momentum of the masks"),
  epsilon: z
    .number()
    .min(0)
    .default(0.4)
    .describe("ε, how far weights and biases are perturbed, as a share of themselves"),
  alpha: z.number().min(0).max(1).default(0.2).describe("α, weight of the loss without perturbation"),
  threshold: z.number().min(0).max(1).default(0.2).describe("neurons with a mask below it are pruned"),
  batchNorm: z
    .enum(["train", "frozen"])
    .default("train")
    .describe("batch normalisation while masks are learnt: statistics of the batch, or those of the given model"),
});

type AnpOptions = z.infer<typeof options>;

export const anp: RemovalMethod<AnpOptions> = {
  id: "anp",
  title: "Adversarial neuron pruning",
  summary: "Finds neurons that are sensitive to adversarial perturbations of their weights, and prunes them.",
  paper: "Wu, Wang: Adversarial Neuron Pruning Purifies Backdoored Deep Models. NeurIPS 2021",
  needs: ["labelled"],
  baseline: false,
  options,
  label: () => "ANP",
  steps: ({ iterations }) => GRADIENTS * iterations,
  run: pruneNeurons,
};

/** Of each iteration: for the perturbation, under it, and without it. */
const GRADIENTS = 3;

/** How often the pruned model is shown on the way. */
const RECORDS = 10;

/** Yields the model pruned by the masks so far, ten times at most; the last one is the result. */
async function* pruneNeurons(attack: Attack, chosen: AnpOptions): AsyncGenerator<Stage, void, undefined> {
  const { model, signal, progress, what = "masks" } = attack;
  throwIfAborted(signal);
  const { iterations, learningRate } = chosen;
  const shown = new Set(Array.from({ length: RECORDS }, (_, i) => Math.round(((i + 1) * iterations) / RECORDS)));
  let start = performance.now();
  const search = await openMasks(attack, chosen);
  try {
    let [sum, count, epoch] = [0, 0, 0];
    for (let iteration = 1; iteration <= iterations; iteration++) {
      throwIfAborted(signal);
      sum += await search.step(iteration);
      count += 1;
      progress?.update(what, GRADIENTS * iteration, GRADIENTS * iterations);
      if (!shown.has(iteration)) continue;
      epoch += 1;
      const pruned = withoutNeurons(model, search.masks(), chosen.threshold);
      const seconds = (performance.now() - start) / 1000;
      yield { epoch, loss: sum / count, learningRate, seconds, model: () => pruned };
      [sum, count, start] = [0, 0, performance.now()];
    }
    const masks = search.masks().flatMap(({ mask }) => [...mask]);
    progress?.note(`${masks.filter((mask) => mask < chosen.threshold).length} of ${masks.length} neurons pruned`);
  } finally {
    await search.release();
  }
}

/** The masks of a layer's neurons, in their order. */
export interface LayerMask {
  readonly layer: UnitLayer;
  readonly mask: Float32Array;
}

export interface MaskSearch {
  /** One update of the masks; resolves to the objective before it. */
  step(iteration: number): Promise<number>;
  masks(): readonly LayerMask[];
  release(): Promise<void>;
}

/** A tensor with a factor for each neuron: its value in the graph is the product of both. */
interface Factor extends UnitTensor {
  /** The factor's own name. */
  readonly factor: string;
  readonly dims: readonly number[];
}

/** Factors on weights, m + δ, and on biases, 1 + ξ: the gradient by a factor is that by m, δ or ξ. */
export async function openMasks(attack: Attack, chosen: AnpOptions): Promise<MaskSearch> {
  const { model, subset, random, trainFrom, runtime } = attack;
  const { graph, classifier, freed } = imageGraph(model, subset.shape);
  if (freed) await requireFreeRows(graph, classifier, subset.shape, runtime);
  const layers = unitLayers(graph, classifier, storedBefore(graph, trainFrom));
  if (layers.length === 0) throw withoutUnitsToPrune();
  const factorOn = ({ name, axis }: UnitTensor): Factor => {
    const { dims } = unitMask(graph.initializers.get(name)?.dims ?? [], axis, new Set());
    return { name, axis, factor: `wildmark/factor/${name}`, dims };
  };
  const weights = layers.map(({ weight }) => factorOn(weight));
  const biases = layers.flatMap(({ bias }) => (bias === undefined ? [] : [factorOn(bias)]));
  const order = permutation(subset.count, random.stream("images"));
  const feed = imageFeed(select(subset, order.subarray(0, chosen.images)), { ...chosen, views: [cleanView], random });
  const names = [...weights, ...biases].map(({ factor }) => factor);
  const gradient = await compileGradient(
    {
      graph: withFactors(graph, [...weights, ...biases]),
      classifier,
      classes: subset.classes,
      batch: feed.batch,
      objective: crossEntropyObjective(),
      batchNorm: chosen.batchNorm,
      by: names,
      variable: names,
    },
    runtime,
  );

  const masks = weights.map(({ dims }) => ones(dims).data);
  const velocities = masks.map((mask) => new Float32Array(mask.length));
  const perturbation = random.stream("perturbation");
  return {
    async step(iteration) {
      const epoch = Math.ceil(iteration / feed.stepsPerEpoch);
      feed.fill(epoch, (iteration - 1) % feed.stepsPerEpoch, gradient.images, gradient.targets);
      const centre = [...masks, ...biases.map(({ dims }) => ones(dims).data)];
      const factors = [...weights, ...biases];
      const perturbed = await worstCase(gradient, factors, centre, chosen.epsilon, perturbation.stream(iteration));
      const robust = await gradientAt(gradient, factors, perturbed);
      const natural = await gradientAt(gradient, factors, centre);
      const { alpha, learningRate, momentum } = chosen;
      masks.forEach((mask, i) => {
        const velocity = velocities[i] ?? new Float32Array(mask.length);
        mask.forEach((value, unit) => {
          const slope = alpha * (natural.slopes[i]?.[unit] ?? 0) + (1 - alpha) * (robust.slopes[i]?.[unit] ?? 0);
          velocity[unit] = momentum * (velocity[unit] ?? 0) + slope;
          mask[unit] = clamp(value - learningRate * (velocity[unit] ?? 0), 0, 1);
        });
      });
      return finite(alpha * natural.loss + (1 - alpha) * robust.loss, iteration);
    },
    masks: () => layers.map((layer, i) => ({ layer, mask: (masks[i] ?? new Float32Array(0)).slice() })),
    release: () => gradient.release(),
  };
}

/** A random start within ε of the centre, and from there one step of ε up the loss, kept within ε. */
async function worstCase(
  gradient: CompiledGradient,
  factors: readonly Factor[],
  centre: readonly Float32Array[],
  epsilon: number,
  random: RandomStream,
): Promise<Float32Array[]> {
  const drawn = centre.map((values) => values.map(() => epsilon * (2 * random.uniform() - 1)));
  const start = centre.map((values, i) => values.map((value, unit) => value + (drawn[i]?.[unit] ?? 0)));
  const { slopes } = await gradientAt(gradient, factors, start);
  return centre.map((values, i) =>
    values.map((value, unit) => {
      const step = epsilon * Math.sign(slopes[i]?.[unit] ?? 0);
      return value + clamp((drawn[i]?.[unit] ?? 0) + step, -epsilon, epsilon);
    }),
  );
}

/** The loss with these factors, and its gradient by each. */
async function gradientAt(gradient: CompiledGradient, factors: readonly Factor[], values: readonly Float32Array[]) {
  factors.forEach(({ factor, dims }, i) => {
    gradient.set(factor, float32(dims, values[i] ?? []));
  });
  const { loss, gradients } = await gradient.run();
  return { loss, slopes: factors.map(({ factor }) => gradients.get(factor)?.data ?? new Float32Array(0)) };
}

/** The same graph with each tensor multiplied by its factor before it is used. */
function withFactors(graph: Graph, factors: readonly Factor[]): Graph {
  const b = graphBuilder(graph.name, { from: { ...graph, nodes: [] }, keepOutputs: true });
  const products = new Map<string, string>();
  for (const { name, factor, dims } of factors) {
    const stored = b.initializer(factor, ones(dims));
    products.set(name, b.op("Mul", [name, stored], {}, { name: `wildmark/product/${name}` }));
  }
  for (const node of graph.nodes) b.append({ ...node, inputs: node.inputs.map((name) => products.get(name) ?? name) });
  return b.build();
}

/** The model whose neurons with a mask below the threshold have no weight. */
function withoutNeurons(model: Model, masks: readonly LayerMask[], threshold: number): Model {
  const stored = storedTensors(model.graph);
  const weights = new Map<string, FloatTensor>();
  for (const { layer, mask } of masks) {
    const { name, axis } = layer.weight;
    const tensor = stored.get(name);
    const gone = new Set(Array.from(mask.keys()).filter((unit) => (mask[unit] ?? 1) < threshold));
    if (tensor?.type === "float32" && gone.size > 0) weights.set(name, withoutUnits(tensor, axis, gone));
  }
  return withWeights(model, weights);
}

function ones(dims: readonly number[]): FloatTensor {
  return float32(dims, new Float32Array(dims.reduce((product, dim) => product * dim, 1)).fill(1));
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(most, Math.max(least, value));
}

function finite(loss: number, iteration: number): number {
  if (Number.isFinite(loss)) return loss;
  throw new WildmarkError("numeric", `The loss of the masks became ${loss} in iteration ${iteration}.`, {
    hint: "Lower --epsilon or --learning-rate.",
  });
}

function withoutUnitsToPrune(): WildmarkError {
  return new WildmarkError("bad-model", "The model has no neurons that could be masked.", {
    hint: "ANP wants convolutions or dense layers with kernels of their own; another method may do.",
  });
}
