/**
 * @file Lowering: a training graph, with the primitives of `autodiff/primitives.ts`, becomes one of operators that ONNX
 * Runtime has, and has quick. Every change is a rewrite (`rewrite.ts`), in three passes:
 *
 * 1. What the device lacks is decomposed into other operators and primitives (`decompose.ts`).
 * 2. Kernels are chosen and layouts propagated (`layout-pass.ts`), for the forward pass as for gradients: by each
 *   rewrite's
 *    static rule, or as the caller says (measured, say).
 * 3. The graph is written, with images reordered where a kernel reads them otherwise than they lie (`write-graph.ts`).
 */

import { WILDMARK_DOMAIN } from "../../autodiff/primitives.js";
import { describeNode, type Graph, type Node } from "../../onnx/graph.js";
import { averagePoolGrad } from "./average-pool-grad.js";
import { batchNormalization } from "./batch-normalization.js";
import { channelAffine, channelCenter, channelMean } from "./channels.js";
import { conv, convPrimitive } from "./conv.js";
import { convGradInput } from "./conv-grad-input.js";
import { convGradWeight } from "./conv-grad-weight.js";
import { decompositions } from "./decompose.js";
import { elementwise } from "./elementwise.js";
import { type LayoutOptions, placeKernels } from "./layout-pass.js";
import { maxPool } from "./max-pool.js";
import { maxPoolGrad } from "./max-pool-grad.js";
import { globalAveragePool, reduceSum } from "./reductions.js";
import { reluGrad } from "./relu-grad.js";
import type { Rewrite } from "./rewrite.js";
import { writeGraph } from "./write-graph.js";

const byOperator = (rewrites: readonly Rewrite[]): ReadonlyMap<string, Rewrite> =>
  new Map(rewrites.map((rewrite) => [rewrite.operator, rewrite]));

const decomposing = byOperator(decompositions);

/** Each operator that several kernels compute, or one in blocks. */
export const rewrites: ReadonlyMap<string, Rewrite> = byOperator([
  conv,
  convPrimitive,
  convGradInput,
  convGradWeight,
  maxPool,
  maxPoolGrad,
  averagePoolGrad,
  reluGrad,
  channelMean,
  channelCenter,
  channelAffine,
  batchNormalization,
  globalAveragePool,
  reduceSum,
  ...elementwise,
]);

/**
 * Where the graph will run, default `cpu`: not every device has every operator. And what is chosen otherwise than by
 * rule.
 */
export type LowerOptions = Partial<LayoutOptions>;

/**
 * The same graph with operators that ONNX Runtime has. Names of inputs, outputs and existing values are kept, but a
 * value that only nodes in blocks read is there in blocks only, under another name.
 */
export function lowerPrimitives(given: Graph, options: LowerOptions = {}): Graph {
  const graph = decompose(given, options);
  const placements = placeKernels(graph, rewrites, { device: "cpu", ...options });
  const unknown = placements.find(({ node, chosen }) => chosen === undefined && node.domain === WILDMARK_DOMAIN);
  if (unknown !== undefined) throw new Error(`${describeNode(unknown.node)}: no kernel computes this primitive`);
  const lowered = writeGraph(graph, placements);
  return { ...lowered, opsets: new Map([...lowered.opsets].filter(([domain]) => domain !== WILDMARK_DOMAIN)) };
}

/** The same graph, of operator set 18 or newer, in operators that the device has and in primitives. */
export function decompose(graph: Graph, { device = "cpu" }: LowerOptions): Graph {
  return writeGraph(graph, placeKernels(graph, decomposing, { device }));
}

/** A node that kernels compute, and which there are. */
export interface KernelChoice {
  /** With all its shapes. */
  readonly node: Node;
  /** The value that it gives: what tells it from others. */
  readonly value: string;
  readonly kernel: string;
  /** The static choice first. */
  readonly candidates: readonly string[];
}

/** The nodes of a graph that kernels compute, in their order, as `lowerPrimitives` with the same options has them. */
export function kernelChoices(given: Graph, options: LowerOptions = {}): readonly KernelChoice[] {
  const graph = decompose(given, options);
  return placeKernels(graph, rewrites, { device: "cpu", ...options }).flatMap(({ node, chosen }) =>
    chosen === undefined
      ? []
      : {
          node: chosen.alone,
          value: node.outputs[0] ?? "",
          kernel: chosen.kernel,
          candidates: chosen.candidates,
        },
  );
}
