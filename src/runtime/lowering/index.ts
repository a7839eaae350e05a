/**
 * @file Replaces the primitives of `autodiff/primitives.ts` by operators that ONNX Runtime has, in one walk over the graph.
 *
 * Each primitive's node gives way, in its place, to the nodes of one lowering; the value keeps its name. Which lowering:
 * the caller's choice (measured, say), else the family's static one. Where the machine has a blocked layout, convolutions
 * bring images into it and whatever can follow stays in it (`blocked-forms.ts`). What other devices lack is spelled out for
 * them before (`spelled-out.ts`).
 */

import { WILDMARK_DOMAIN } from "../../autodiff/primitives.js";
import { convGeometry } from "../../autodiff/windows.js";
import { graphBuilder } from "../../onnx/builder.js";
import { describeNode, type Graph, intsAttribute, type Node } from "../../onnx/graph.js";
import type { Device } from "../session.js";
import { averagePoolGrad } from "./average-pool-grad.js";
import { appendBlocked } from "./blocked-forms.js";
import { channelAffine, channelCenter, channelMean } from "./channels.js";
import { conv } from "./conv.js";
import { convGradInput } from "./conv-grad-input.js";
import { convGradWeight } from "./conv-grad-weight.js";
import { layoutsOf } from "./layouts.js";
import type { Lowering, LoweringFamily } from "./lowering.js";
import { maxPoolGrad } from "./max-pool-grad.js";
import { reluGrad } from "./relu-grad.js";
import { spelledOut } from "./spelled-out.js";

export const loweringFamilies: readonly LoweringFamily[] = [
  conv,
  convGradInput,
  convGradWeight,
  maxPoolGrad,
  averagePoolGrad,
  reluGrad,
  channelMean,
  channelCenter,
  channelAffine,
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

/**
 * The same graph with operators that ONNX Runtime has. Names of inputs, outputs and existing values are kept, but a value
 * that only nodes in blocks read is there in blocks only, under another name.
 */
export function lowerPrimitives(given: Graph, options: LowerOptions = {}): Graph {
  const graph = spelledOut(given, options.device ?? "cpu", staticDims(given));
  const b = graphBuilder(graph.name, { from: graph, keepOutputs: true });
  const layouts = layoutsOf(b, options.block);
  const dims = staticDims(graph);
  const readers = readersOf(graph);
  const outputs = new Set(graph.outputs.map(({ name }) => name));
  const nodes: Node[] = [];

  /** Appends what `node` becomes; a node that stays as it is comes back. */
  const lower = (node: Node): Node | undefined => {
    const [output = ""] = node.outputs;
    if (layouts.gave(output)) return undefined;
    if (layouts.block !== undefined) {
      const soleReader = (value: string): Node | undefined => {
        const [reader, ...others] = outputs.has(value) ? [] : (readers.get(value) ?? []);
        return others.length === 0 ? reader : undefined;
      };
      const integers = (value: string): readonly number[] | undefined => {
        const tensor = graph.initializers.get(value);
        return tensor?.type === "int64" ? Array.from(tensor.data, Number) : undefined;
      };
      const context = { node, b, layouts, block: layouts.block, dims: (value: string) => dims.get(value) };
      if (appendBlocked({ ...context, integers, soleReader })) return undefined;
    }
    if (node.domain !== WILDMARK_DOMAIN) return { ...node, inputs: node.inputs.map(layouts.plain) };
    const result = loweringFor(node, options).append({
      node,
      b,
      device: options.device ?? "cpu",
      block: options.block,
      input: (i) => layouts.plain(node.inputs[i] ?? ""),
      blocked: (i, inputDims) => layouts.blocked(node.inputs[i] ?? "", inputDims),
      layouts,
      producer: (value) => nodes.find(({ outputs: made }) => made.includes(value)),
      replace: (old, replacement) => nodes.splice(nodes.indexOf(old), 1, replacement),
    });
    if (typeof result === "string") layouts.name(output, result);
    else layouts.give(output, result.name, result.dims, result.lanes);
    return undefined;
  };
  /** Runs `append` and moves the nodes that it appended to the end of the new graph. */
  const collect = (append: () => Node | undefined): void => {
    const start = b.build().nodes.length;
    const kept = append();
    nodes.push(...b.build().nodes.slice(start), ...(kept === undefined ? [] : [kept]));
  };

  for (const node of graph.nodes) collect(() => lower(node));
  // What was computed under another name gets its own one, and so does each output of the graph.
  const names = new Map<string, string>();
  for (const value of [...outputs, ...graph.nodes.flatMap((node) => node.outputs)]) {
    if (!layouts.gave(value) || !(outputs.has(value) || layouts.ordered(value))) continue;
    collect(() => {
      const made = layouts.plain(value);
      if (!names.has(made)) names.set(made, value);
      else if (outputs.has(value) && names.get(made) !== value) {
        nodes.push({ name: "", opType: "Identity", domain: "", inputs: [made], outputs: [value], attributes: {} });
      }
      return undefined;
    });
  }
  const built = b.build();
  return {
    ...built,
    nodes: nodes.map((node) => renamed(node, names)),
    opsets: new Map([...built.opsets].filter(([domain]) => domain !== WILDMARK_DOMAIN)),
  };
}

/** Dimensions that the graph says: of initialisers, of inputs without free dimensions, and of what primitives read. */
function staticDims(graph: Graph): Map<string, readonly number[]> {
  const known = new Map<string, readonly number[]>([...graph.initializers].map(([name, { dims }]) => [name, dims]));
  for (const { name, dims = [] } of graph.inputs) {
    const fixed = dims.filter((dim) => typeof dim === "number");
    if (fixed.length === dims.length) known.set(name, fixed);
  }
  for (const node of graph.nodes) {
    if (node.domain !== WILDMARK_DOMAIN) continue;
    const [first = "", second = ""] = node.inputs;
    if (node.opType.startsWith("Channel")) known.set(first, intsAttribute(node, "shape") ?? []);
    if (node.opType === "ConvGradWeight") known.set(first, convGeometry(node).xDims);
    if (node.opType === "ConvGradInput") known.set(second, convGeometry(node).wDims);
  }
  return known;
}

function readersOf(graph: Graph): Map<string, Node[]> {
  const readers = new Map<string, Node[]>();
  for (const node of graph.nodes) {
    for (const input of node.inputs) readers.set(input, [...(readers.get(input) ?? []), node]);
  }
  return readers;
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

function renamed(node: Node, names: ReadonlyMap<string, string>): Node {
  const rename = (value: string): string => names.get(value) ?? value;
  return { ...node, inputs: node.inputs.map(rename), outputs: node.outputs.map(rename) };
}
