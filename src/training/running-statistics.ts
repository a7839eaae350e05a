/**
 * @file Running statistics of batch normalisation as one vector, which a step moves at once: on a GPU an operator costs the
 * same for the few numbers of a layer as for those of all.
 */

import { elementCount, float32 } from "../core/tensor.js";
import { float, type GraphBuilder } from "../onnx/builder.js";
import type { Graph } from "../onnx/graph.js";
import type { RunningStatistic } from "./batch-norm.js";
import type { StepPlan } from "./step.js";
import { type Carried, floatInitializer } from "./update.js";
import { groupOf, vectorOf } from "./weight-groups.js";

/** Appends the update, kept · old + (1 − kept) · batch, for a graph that is then given `statisticsOfBatch`. */
export function appendStatistics(
  b: GraphBuilder,
  { graph }: StepPlan,
  statistics: readonly RunningStatistic[],
): readonly Carried[] {
  if (statistics.length === 0) return [];
  const tensors = new Map(statistics.map(({ initializer }) => [initializer, floatInitializer(graph, initializer)]));
  const weights = groupOf("wildmark/statistics", tensors);
  const kept = statistics.flatMap(({ kept: share }, i) =>
    new Array<number>(elementCount(weights.pieces[i]?.dims ?? [])).fill(share),
  );
  const shares = (values: readonly number[]): string => b.initializer("share", float32(weights.dims, values));
  const old = b.op("Mul", [b.input(weights.name, "float32", weights.dims), shares(kept)]);
  const batch = b.op(
    "Concat",
    statistics.map(({ updated }) => updated),
    { axis: 0 },
  );
  const moved = b.op("Add", [old, b.op("Mul", [batch, shares(kept.map((share) => 1 - share))])]);
  return [{ input: weights.name, output: moved, initial: vectorOf(weights, tensors), weights }];
}

/** The graph with the statistics of the batch itself where normalisations that learn give the new running ones. */
export function statisticsOfBatch(graph: Graph): Graph {
  return {
    ...graph,
    nodes: graph.nodes.map((node) =>
      node.opType === "BatchNormalization" && node.outputs.length > 1
        ? { ...node, attributes: { ...node.attributes, momentum: float(0) } }
        : node,
    ),
  };
}
