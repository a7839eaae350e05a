/**
 * @file The gradient of a loss by a model's weights, at weights of one's choice: moved by noise, or to where a mark is
 * weakest. What marks with a training of their own add to each step's gradient (`AddedGradient`).
 */

import type { Classifier } from "../onnx/classifier.js";
import type { Graph } from "../onnx/graph.js";
import { storedBefore } from "../onnx/train-from.js";
import { compileGradient, type Gradient, type GradientPlan } from "../training/gradient.js";
import { freeImageGraph } from "../training/rows.js";
import type { PerWeight } from "../training/weight-noise.js";
import type { Embedding } from "./embed.js";

export interface WeightGradient {
  /** Of the weights that the loss is differentiated by, in the graph's order. */
  readonly names: readonly string[];
  /** The model's input, [batch, C, H, W]: fill it before each `at`. */
  readonly images: Float32Array;
  /** Target probabilities, [batch, classes]: fill it before each `at`. */
  readonly targets: Float32Array;
  /** The loss and its gradient where weights are as given; those that are not given stay as they were. */
  at(weights: PerWeight): Promise<Gradient>;
  release(): Promise<void>;
}

export interface WeightGradientPlan extends Pick<GradientPlan, "batch" | "objective" | "batchNorm"> {
  /**
   * Another forward graph of the same weights, and the weights that it does not train; default: the model's, and none.
   */
  readonly rewrite?: (graph: Graph, classifier: Classifier) => { readonly graph: Graph; readonly held: Held };
  /** More initialisers of the rewritten graph that are differentiated by, and change. */
  readonly also?: readonly string[];
}

/** Names of weights that stay as they are. */
export type Held = ReadonlySet<string>;

/** @throws WildmarkError as `compileGradient` does. */
export async function openWeightGradient(
  { model, train, trainFrom, runtime }: Embedding,
  { rewrite, also = [], ...plan }: WeightGradientPlan,
): Promise<WeightGradient> {
  const { graph, classifier } = await freeImageGraph(model, train.shape, runtime);
  const { graph: seen, held } = rewrite?.(graph, classifier) ?? { graph, held: new Set<string>() };
  const frozen = storedBefore(graph, trainFrom);
  const names = classifier.trainable.filter((name) => !frozen.has(name) && !held.has(name));
  // What is held here may still move in the steps between.
  const variable = [...classifier.trainable.filter((name) => !frozen.has(name)), ...also];
  const gradient = await compileGradient(
    { ...plan, graph: seen, classifier, classes: train.classes, by: [...names, ...also], variable },
    runtime,
  );
  return {
    names,
    images: gradient.images,
    targets: gradient.targets,
    at(weights) {
      for (const name of variable) {
        const value = weights.get(name);
        if (value !== undefined) gradient.set(name, value);
      }
      return gradient.run();
    },
    release: gradient.release,
  };
}

/** Each tensor times a factor. */
export function scaled(tensors: PerWeight, factor: number): PerWeight {
  return new Map(
    [...tensors].map(([name, { type, dims, data }]) => [
      name,
      { type, dims, data: data.map((value) => value * factor) },
    ]),
  );
}
