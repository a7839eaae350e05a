/**
 * @file The layout pass: walks over a graph, says what computes each node and how each value lies.
 *
 * Convolutions bring images into blocks, everything that can follow its inputs does, and what has no kernel in blocks
 * gets them in plain order. Nothing is written here, so the pass can be asked what there is to choose before anything
 * is measured.
 */

import { convGeometry } from "../../autodiff/windows.js";
import { WILDMARK_DOMAIN } from "../../autodiff/primitives.js";
import { describeNode, type Graph, intsAttribute, type Node, operatorName } from "../../onnx/graph.js";
import type { Device } from "../options.js";
import type { Place, Replacement, Rewrite, Site } from "./rewrite.js";

export interface LayoutOptions {
  readonly device: Device;
  /** Lanes of a block; absent: nothing is in blocks. */
  readonly block?: number;
  /** Names of kernels that are not offered where others match; default: none. */
  readonly without?: readonly string[];
  /**
   * Another kernel than the rule's, by name; undefined for the rule's. @param names of kernels that match, never empty.
   */
  readonly choose?: (node: Node, names: readonly string[]) => string | undefined;
}

/** What becomes of a node. */
export interface Placement {
  readonly node: Node;
  /** The chosen kernel; absent where the node stays as it is. */
  readonly chosen?: {
    readonly kernel: string;
    /** All kernels that match, the static choice first. */
    readonly candidates: readonly string[];
    readonly replacement: Replacement;
    /** The node as autotuning measures it. */
    readonly alone: Node;
  };
}

/** The placements of all nodes, in their order, but for those that others compute along. */
export function placeKernels(
  graph: Graph,
  rewrites: ReadonlyMap<string, Rewrite>,
  { device, block, without = [], choose }: LayoutOptions,
): readonly Placement[] {
  const places = new Map<string, readonly Place[]>();
  const dims = staticDims(graph);
  const readers = readersOf(graph);
  const outputs = new Set(graph.outputs.map(({ name }) => name));
  const along = new Set<Node>();
  const hold = (value: string, place: Place | undefined): void => {
    const known = places.get(value) ?? [];
    if (value === "" || place === undefined || known.some(({ lanes }) => lanes === place.lanes)) return;
    places.set(value, [...known, place]);
  };
  const siteOf = (node: Node): Site => ({
    node,
    device,
    block,
    place: (value) => places.get(value)?.[0],
    channelBlocks: (value) => places.get(value)?.find(({ lanes }) => lanes === "channels")?.dims,
    dims: (value) => dims.get(value),
    integers(value) {
      const tensor = graph.initializers.get(value);
      return tensor?.type === "int64" ? Array.from(tensor.data, Number) : undefined;
    },
    soleReader(value) {
      const [reader, ...others] = outputs.has(value) ? [] : (readers.get(value) ?? []);
      return others.length === 0 ? reader : undefined;
    },
  });

  const placements: Placement[] = [];
  for (const node of graph.nodes) {
    if (along.has(node)) continue;
    const chosen = chosenFor(siteOf(node), rewrites.get(operatorName(node)), { without, choose });
    placements.push(chosen === undefined ? { node } : { node, chosen });
    if (chosen === undefined) continue;
    const { reads = [], gives, along: reader } = chosen.replacement;
    for (const [i, input] of node.inputs.entries()) hold(input, reads[i]);
    if (reader !== undefined) along.add(reader);
    hold((reader ?? node).outputs[0] ?? "", gives);
  }
  return placements;
}

/** @throws Error where a choice is none of the kernels. */
function chosenFor(
  site: Site,
  rewrite: Rewrite | undefined,
  { without, choose }: { readonly without: readonly string[]; readonly choose: LayoutOptions["choose"] },
): Placement["chosen"] {
  const { node } = site;
  const matching = (["inBlocks", "kernels"] as const)
    .map((list) =>
      (rewrite?.[list] ?? []).flatMap(({ name, match }) => {
        const replacement = without.includes(name) ? undefined : match(site);
        return replacement === undefined ? [] : [{ name, replacement }];
      }),
    )
    .find(({ length }) => length > 0);
  if (rewrite === undefined || matching === undefined) return undefined;
  const names = matching.map(({ name }) => name);
  const [first = ""] = names;
  const rule = names.length > 1 ? (rewrite.choose?.(site, names) ?? first) : first;
  const candidates = [rule, ...names.filter((name) => name !== rule)];
  const kernel = choose?.(node, candidates) ?? rule;
  const found = matching.find(({ name }) => name === kernel);
  if (found === undefined) {
    throw new Error(`${describeNode(node)}: no kernel "${kernel}" for this node; there are: ${names.join(", ")}`);
  }
  return { kernel, candidates, replacement: found.replacement, alone: rewrite.alone?.(site) ?? node };
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
