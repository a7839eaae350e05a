/**
 * @file Replaces the primitives of `autodiff/primitives.ts` by standard operators, so that ONNX Runtime can run them.
 *
 * Each primitive's node gives way, in its place, to the nodes of one lowering; the value keeps its name. Which lowering:
 * the caller's choice (measured, say), else the family's static one.
 */

import { WILDMARK_DOMAIN } from "../../autodiff/primitives.js";
import { convGeometry } from "../../autodiff/windows.js";
import { graphBuilder } from "../../onnx/builder.js";
import { describeNode, type Graph, type Node } from "../../onnx/graph.js";
import type { Device } from "../session.js";
import { averagePoolGrad } from "./average-pool-grad.js";
import { blockConvolutions } from "./blocked-conv.js";
import { convGradInput } from "./conv-grad-input.js";
import { convGradWeight } from "./conv-grad-weight.js";
import type { Lowering, LoweringFamily } from "./lowering.js";
import { maxPoolGrad } from "./max-pool-grad.js";

export const loweringFamilies: readonly LoweringFamily[] = [
  convGradInput,
  convGradWeight,
  maxPoolGrad,
  averagePoolGrad,
];

export interface LowerOptions {
  /** Where the graph will run; default `cpu`. Not every device has every operator. */
  readonly device?: Device;
  /** Channels of a block of this machine's blocked convolutions (`convolutionBlock`); absent: none are used. */
  readonly block?: number;
  /**
   * Chooses by name among the lowerings that support `node`; undefined for the static choice.
   *
   * @param names the candidates, never empty.
   */
  readonly choose?: (node: Node, names: readonly string[]) => string | undefined;
}

/** The same graph with standard operators only. Names of inputs, outputs and existing values are kept. */
export function lowerPrimitives(graph: Graph, options: LowerOptions = {}): Graph {
  const b = graphBuilder(graph.name, { from: graph, keepOutputs: true });
  const producers = new Map(graph.nodes.flatMap((node) => node.outputs.map((output) => [output, node] as const)));
  const replacements = new Map<Node, readonly Node[]>();

  for (const node of graph.nodes) {
    if (node.domain !== WILDMARK_DOMAIN) continue;
    const [output = ""] = node.outputs;
    const start = b.build().nodes.length;
    const result = loweringFor(node, options).append({
      node,
      b,
      block: options.block,
      input: (i) => node.inputs[i] ?? "",
      producer(value) {
        const original = producers.get(value);
        return original && (replacements.get(original)?.[0] ?? original);
      },
      replace(old, replacement) {
        const original = producers.get(old.outputs[0] ?? "");
        if (original !== undefined) replacements.set(original, [replacement]);
      },
    });
    replacements.set(node, renamed(b.build().nodes.slice(start), result, output));
  }

  const built = b.build();
  const lowered = {
    ...built,
    nodes: graph.nodes.flatMap((node) => replacements.get(node) ?? [node]),
    opsets: new Map([...built.opsets].filter(([domain]) => domain !== WILDMARK_DOMAIN)),
  };
  return options.block === undefined ? lowered : blockConvolutions(lowered, options.block, turnedKernels(graph));
}

/** Dimensions of the kernels that gradients to the input convolve with, if they do: channel axes exchanged. */
function turnedKernels(graph: Graph): Map<string, readonly number[]> {
  const gradients = graph.nodes.filter((node) => node.domain === WILDMARK_DOMAIN && node.opType === "ConvGradInput");
  return new Map(
    gradients.map((node) => {
      const { wDims, group } = convGeometry(node);
      const [outputs = 1, inputs = 1, ...kernel] = wDims;
      return [node.outputs[0] ?? "", group === 1 ? [inputs, outputs, ...kernel] : []];
    }),
  );
}

/** The names of the lowerings that can compute a primitive's node, the static choice first. */
export function candidateLowerings(node: Node, device: Device = "cpu", block?: number): readonly string[] {
  const family = familyOf(node);
  const first = family.choose(node, device, block);
  const others = family.lowerings.filter((form) => form.name !== first && form.supports(node, device, block));
  return [first, ...others.map((form) => form.name)];
}

function loweringFor(node: Node, { device = "cpu", block, choose }: LowerOptions): Lowering {
  const family = familyOf(node);
  const names = candidateLowerings(node, device, block);
  const name = choose?.(node, names) ?? names[0];
  const lowering = family.lowerings.find((form) => form.name === name);
  if (lowering === undefined || !names.includes(lowering.name)) {
    throw new Error(`${describeNode(node)}: no lowering "${name}" for this node; there are: ${names.join(", ")}`);
  }
  return lowering;
}

function familyOf(node: Node): LoweringFamily {
  const family = loweringFamilies.find(({ operator }) => operator === node.opType);
  if (family === undefined) throw new Error(`${describeNode(node)}: unknown primitive`);
  return family;
}

function renamed(nodes: readonly Node[], from: string, to: string): Node[] {
  const rename = (value: string): string => (value === from ? to : value);
  return nodes.map((node) => ({ ...node, inputs: node.inputs.map(rename), outputs: node.outputs.map(rename) }));
}
