/**
 * @file A step in which weights move together, as vectors, and so do running statistics: for a GPU, which takes as long
 * for the update of a bias as for that of all weights.
 */

import { elementCount, float32 } from "../../core/tensor.js";
import { float, type GraphBuilder, graphBuilder } from "../../onnx/builder.js";
import type { Graph } from "../../onnx/graph.js";
import type { RunningStatistic } from "../batch-norm.js";
import type { GroupGradient } from "../gradient-chain.js";
import { floatInitializer } from "../objective-gradients.js";
import type { StepPlan, StepStrategy } from "../step-plan.js";
import type { Changed } from "../update.js";
import { groupOf, inWeights, vectorOf, type WeightGroup, weightGroups } from "../weight-groups.js";
import { type Arrangement, compileInOneGraph } from "./one-graph.js";

/** @param longest most elements of a vector of weights; default: `weightGroups`'s. */
export const inVectors = (longest?: number): Arrangement => ({
  statistics: appendStatistics,
  groups(b, plan, gradients) {
    const moving = plan.trainable.filter((name) => plan.joinsGradients === true || gradients.has(name));
    const weights = new Map(moving.map((name) => [name, floatInitializer(plan.graph, name)]));
    return weightGroups(plan, weights, longest).map((group): GroupGradient => {
      const names = group.pieces.map(({ weight }) => weight);
      const found = names.flatMap((name) => gradients.get(name) ?? []);
      // Only gradients from elsewhere leave a weight without one, and then it is alone.
      const gradient = found.length < names.length ? undefined : inWeights(b, found);
      return { group, weights: inWeights(b, names), gradient };
    });
  },
  arranged: (graph, groups) => statisticsOfBatch(readingVectors(graph, groups)),
});

export const vectors: StepStrategy = {
  suits: (_, { device = "cpu" }) => device !== "cpu",
  compile: compileInOneGraph(inVectors()),
};

/**
 * The graph, which has the weights as initialisers, with those of larger groups read out of their vectors, which it is
 * fed.
 *
 * By a `Slice` each: a GPU has no `Split` of as many parts as a network has weights.
 */
function readingVectors(graph: Graph, groups: readonly WeightGroup[]): Graph {
  const vectors = groups.filter(({ pieces }) => pieces.length > 1);
  const moved = new Set(vectors.flatMap(({ pieces }) => pieces.map(({ weight }) => weight)));
  const initializers = new Map([...graph.initializers].filter(([name]) => !moved.has(name)));
  const b = graphBuilder(graph.name, { from: { ...graph, initializers }, keepOutputs: true });
  for (const { name, dims, pieces } of vectors) {
    b.input(name, "float32", dims);
    for (const piece of pieces) {
      const end = piece.start + elementCount(piece.dims);
      const flat = b.op("Slice", [name, b.ints([piece.start]), b.ints([end])]);
      const inputs = [flat, b.ints(piece.dims)];
      b.append({ name: "", opType: "Reshape", domain: "", inputs, outputs: [piece.weight], attributes: {} });
    }
  }
  const built = b.build();
  const count = graph.nodes.length;
  return { ...built, nodes: [...built.nodes.slice(count), ...built.nodes.slice(0, count)] };
}

/** Appends the update, kept · old + (1 − kept) · batch, for a graph that is then given `statisticsOfBatch`. */
function appendStatistics(
  b: GraphBuilder,
  { graph }: StepPlan,
  statistics: readonly RunningStatistic[],
): readonly Changed[] {
  if (statistics.length === 0) return [];
  const tensors = new Map(statistics.map(({ initializer }) => [initializer, floatInitializer(graph, initializer)]));
  const group = groupOf("wildmark/statistics", tensors);
  const kept = statistics.flatMap(({ kept: share }, i) =>
    new Array<number>(elementCount(group.pieces[i]?.dims ?? [])).fill(share),
  );
  const shares = (values: readonly number[]): string => b.initializer("share", float32(group.dims, values));
  const old = b.op("Mul", [b.input(group.name, "float32", group.dims), shares(kept)]);
  const batch = b.op(
    "Concat",
    statistics.map(({ updated }) => updated),
    { axis: 0 },
  );
  const moved = b.op("Add", [old, b.op("Mul", [batch, shares(kept.map((share) => 1 - share))])]);
  return [{ input: group.name, output: moved, initial: vectorOf(group, tensors), group, slot: undefined }];
}

/** The graph with the statistics of the batch itself where normalisations that learn give the new running ones. */
function statisticsOfBatch(graph: Graph): Graph {
  return {
    ...graph,
    nodes: graph.nodes.map((node) =>
      node.opType === "BatchNormalization" && node.outputs.length > 1
        ? { ...node, attributes: { ...node.attributes, momentum: float(0) } }
        : node,
    ),
  };
}
