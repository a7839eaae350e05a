/**
 * @file Exponential weighting (Namba & Sakuma, AsiaCCS 2019, arXiv:1901.06151): the mark is trained in while the
 * network computes with transformed weights, in which the large ones of each layer count more than the small ones:
 *
 *     w  →  exp(|w| T) / max exp(|w| T) · w,  the maximum over the layer's weights
 *
 * so that the mark rests on few large weights, which small changes do not move. Triggers are the owner's own images
 * with changed labels. The marked model is the network as it was trained: its stored weights are the transformed ones.
 */

import { z } from "zod";
import { type FloatTensor, float32 } from "../core/tensor.js";
import { graphBuilder } from "../onnx/builder.js";
import type { Graph } from "../onnx/graph.js";
import { imageGraph } from "../onnx/image-graph.js";
import { layersOf } from "../onnx/layers.js";
import { type Model, withWeights } from "../onnx/model.js";
import { storedBefore } from "../onnx/train-from.js";
import { storedTensors } from "../onnx/traverse.js";
import { type TrainedEpoch, trainEpochs } from "../training/epochs.js";
import { crossEntropyObjective } from "../training/objective.js";
import { sgdPlan } from "../training/options.js";
import { type Embedding, type MarkTraining, markFeed } from "./embed.js";
import { countShape } from "./labels.js";
import { boostShape, relabelledTraining, relabelledTriggers } from "./relabelled.js";
import type { MarkScheme } from "./scheme.js";

const options = z.strictObject({
  ...countShape,
  ...boostShape(6),
  rate: z
    .number()
    .gt(0)
    .max(1000)
    .default(10)
    .describe("times the learning rate: the transformation makes most weights, and the steps they take, far smaller"),
  temperature: z
    .number()
    .min(0)
    .max(1000)
    .default(2)
    .describe("T: how much more large weights count than small ones while the mark is trained in (0: not at all)"),
});

type WeightingOptions = z.infer<typeof options>;

export const exponentialWeighting: MarkScheme<WeightingOptions> = {
  id: "exponential-weighting",
  title: "exponential weighting",
  summary: "Ordinary images with wrong labels, trained into weights of which the large ones count exponentially more.",
  paper: "Namba, Sakuma: Robust Watermarking of Neural Network with Exponential Weighting. AsiaCCS 2019",
  published: { boost: 4, rate: 1 },
  unsaid: { rate: 1 },
  startsTrained: true,
  options,
  make: relabelledTriggers,
  embed: embedWeighted,
};

async function* embedWeighted(
  given: Embedding,
  plain: MarkTraining,
  { temperature, boost, rate }: WeightingOptions,
): AsyncGenerator<TrainedEpoch, void, undefined> {
  const faster = { ...plain, learningRate: rate * plain.learningRate };
  const { embedding, training } = relabelledTraining(given, faster, boost);
  const { model, train, trainFrom } = embedding;
  const { graph, classifier } = imageGraph(model, train.shape);
  const frozen = storedBefore(graph, trainFrom);
  const kernels = new Set(
    layersOf(graph).flatMap(({ kernel }) =>
      classifier.trainable.includes(kernel) && !frozen.has(kernel) ? [kernel] : [],
    ),
  );
  const plan = sgdPlan(training, crossEntropyObjective(training.labelSmoothing), {
    rewrite: (plain) => weightedGraph(plain, kernels, temperature),
  });
  for await (const epoch of trainEpochs(model, plan, markFeed(embedding, training), embedding)) {
    yield { ...epoch, model: () => weightedModel(epoch.model(), kernels, temperature) };
  }
}

/** The same graph that computes with transformed kernels; they are stored as they were, under their names. */
export function weightedGraph(graph: Graph, kernels: ReadonlySet<string>, temperature: number): Graph {
  const b = graphBuilder(graph.name, { from: { ...graph, nodes: [] }, keepOutputs: true });
  const weighted = new Map<string, string>();
  for (const kernel of kernels) {
    const size = b.op("Abs", [kernel]);
    // exp(|w| T) / max exp(|w| T) in a form that does not overflow.
    const below = b.op("Sub", [size, b.op("ReduceMax", [size], { keepdims: 0 })]);
    const factor = b.op("Exp", [b.op("Mul", [below, b.scalar(temperature)])]);
    weighted.set(kernel, b.op("Mul", [factor, kernel], {}, { name: `wildmark/weighted/${kernel}` }));
  }
  for (const node of graph.nodes) b.append({ ...node, inputs: node.inputs.map((name) => weighted.get(name) ?? name) });
  return b.build();
}

/** The model that stores the transformed kernels: what `weightedGraph` computes, as an ordinary network. */
export function weightedModel(model: Model, kernels: ReadonlySet<string>, temperature: number): Model {
  const stored = storedTensors(model.graph);
  const weights = new Map<string, FloatTensor>();
  for (const kernel of kernels) {
    const tensor = stored.get(kernel);
    if (tensor?.type === "float32") weights.set(kernel, weightedTensor(tensor, temperature));
  }
  return withWeights(model, weights);
}

function weightedTensor({ dims, data }: FloatTensor, temperature: number): FloatTensor {
  const largest = data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return float32(
    dims,
    data.map((value) => value * Math.exp(temperature * (Math.abs(value) - largest))),
  );
}
