/**
 * @file Batch normalisation while training: batch statistics in the forward pass, running statistics as state.
 *
 * `train` rewrites each inference-mode BatchNormalization to training mode, whose second and third outputs are the new
 * running mean and variance; `frozen` leaves the graph as it is (the statistics of the given model are kept, the scale
 * and shift still train). Statistics that nodes share are left as they are in either mode.
 */

import { floatAttribute, type Graph } from "../onnx/graph.js";

export type BatchNormMode = "train" | "frozen";

/** A running statistic: an initialiser of the model, and the value that replaces it after a step. */
export interface RunningStatistic {
  readonly initializer: string;
  readonly updated: string;
  /** The share of the old value that a step keeps. */
  readonly kept: number;
}

export function batchNormForTraining(
  graph: Graph,
  mode: BatchNormMode,
  frozen: ReadonlySet<string> = new Set(),
): { readonly graph: Graph; readonly statistics: readonly RunningStatistic[] } {
  if (mode === "frozen") return { graph, statistics: [] };
  const statistics: RunningStatistic[] = [];
  const readers = new Map<string, number>();
  for (const input of graph.nodes.flatMap((node) => node.inputs)) readers.set(input, (readers.get(input) ?? 0) + 1);
  /**
   * Exporters store equal tensors once: a statistic that something else reads too cannot follow this node's batches.
   */
  const own = (name: string): boolean => graph.initializers.has(name) && readers.get(name) === 1 && !frozen.has(name);
  const nodes = graph.nodes.map((node) => {
    const [, , , mean = "", variance = ""] = node.inputs;
    const [output = ""] = node.outputs;
    if (node.opType !== "BatchNormalization" || !own(mean) || !own(variance)) {
      return node;
    }
    const updated = [`wildmark/${output}/running_mean`, `wildmark/${output}/running_var`] as const;
    const kept = floatAttribute(node, "momentum", 0.9);
    statistics.push(
      { initializer: mean, updated: updated[0], kept },
      { initializer: variance, updated: updated[1], kept },
    );
    return {
      ...node,
      outputs: [output, ...updated],
      attributes: { ...node.attributes, training_mode: { kind: "int", value: 1 } as const },
    };
  });
  return { graph: { ...graph, nodes }, statistics };
}
