/**
 * @file Rewrites a graph of any operator set from 7 on so that it computes the same in the operator set that training
 * graphs are written in.
 *
 * Gradient rules then know one form of each operator, and nodes of the user's graph can stand beside derived ones.
 * Every value keeps its name. What changed between versions is in `opset-changes.ts`.
 */

import { WildmarkError } from "../core/errors.js";
import { float32, int64, type Tensor } from "../core/tensor.js";
import { DEFAULT_OPSET } from "./builder.js";
import { type Attribute, describeNode, type Graph, type Node } from "./graph.js";
import { type ChangeContext, opsetChanges, withoutEquivalent } from "./opset-changes.js";
import { knownRanks } from "./rank.js";
import { isOperator } from "./traverse.js";

/** Before 7, operators broadcast and normalised by rules of their own. */
const OLDEST_OPSET = 7;

/**
 * What ONNX Runtime 1.30 takes. After 21, operators were added and took more element types; none changed its meaning.
 */
const NEWEST_OPSET = 26;

/**
 * The same computation with every standard operator in the form of opset 21 (`DEFAULT_OPSET`), and `Constant` nodes
 * turned into initialisers of the same names. A graph that is newer keeps its version, since nothing changed after 21.
 *
 * @throws WildmarkError `bad-model` for operator sets before 7 or from the future, operators whose old form has no
 * equivalent, and nodes with sub-graphs (If, Loop, Scan); `unsupported-operator` for those of other domains.
 */
export function canonicalGraph(graph: Graph): Graph {
  const version = graph.opsets.get("");
  if (version === undefined) {
    throw new WildmarkError("bad-model", "The model does not say which ONNX opset it is in.", {
      hint: `Export it again, with an opset such as ${DEFAULT_OPSET}.`,
    });
  }
  if (version < OLDEST_OPSET || version > NEWEST_OPSET) {
    throw new WildmarkError(
      "bad-model",
      `The model is in ONNX opset ${version}; Wildmark takes opsets ${OLDEST_OPSET} to ${NEWEST_OPSET}.`,
      { hint: `Export it again with an opset between, such as ${DEFAULT_OPSET}.` },
    );
  }

  const initializers = new Map(graph.initializers);
  const nodes: Node[] = [];
  const wantsNames = (node: Node): boolean => isOperator(node, "Split") && node.outputs.includes("");
  const context = changeContext(graph, version, initializers);
  for (const node of graph.nodes) {
    if (isOperator(node, "Constant")) {
      const [output] = node.outputs;
      if (output !== undefined) initializers.set(output, constantOf(node));
      continue;
    }
    refuseOpaque(node);
    refuseForeign(node);
    const change = node.domain === "" ? opsetChanges[node.opType] : undefined;
    const removed = node.domain === "" ? withoutEquivalent[node.opType] : undefined;
    if (removed !== undefined && version < removed) {
      throw new WildmarkError(
        "bad-model",
        `${describeNode(node)} is in the form of opset ${version}, which means something else since opset ${removed}.`,
        { hint: `Export the model again with opset ${Math.max(removed, DEFAULT_OPSET)}.` },
      );
    }
    if (change !== undefined && version < change.since) nodes.push(...change.convert(node, context));
    else nodes.push(node);
    // ONNX Runtime 1.30 crashes on a Split whose first output is not wanted.
    const last = nodes.at(-1);
    if (last !== undefined && wantsNames(last)) {
      const outputs = last.outputs.map((output) => (output === "" ? context.unique(`${last.name}_unused`) : output));
      nodes[nodes.length - 1] = { ...last, outputs };
    }
  }
  const opsets = new Map([...graph.opsets, ["", Math.max(version, DEFAULT_OPSET)]]);
  return { ...graph, nodes, initializers, opsets };
}

function changeContext(graph: Graph, version: number, initializers: Map<string, Tensor>): ChangeContext {
  const taken = new Set([
    ...graph.inputs.map(({ name }) => name),
    ...graph.initializers.keys(),
    ...graph.nodes.flatMap((node) => node.outputs),
  ]);
  const used = new Set([...graph.nodes.flatMap((node) => node.inputs), ...graph.outputs.map(({ name }) => name)]);
  const unique = (base: string): string => {
    let candidate = base;
    for (let count = 1; taken.has(candidate); count++) candidate = `${base}_${count}`;
    taken.add(candidate);
    return candidate;
  };
  const ranks = knownRanks(graph);
  return {
    version,
    unique,
    constant(base, tensor) {
      const name = unique(base);
      initializers.set(name, tensor);
      return name;
    },
    isUsed: (value) => used.has(value),
    rankOf: (value) => ranks.get(value),
  };
}

function constantOf(node: Node): Tensor {
  const [[name, attribute] = ["", undefined]] = Object.entries(node.attributes);
  const tensor = attribute === undefined ? undefined : tensorOf(attribute);
  if (tensor === undefined) {
    const what = attribute?.kind === "opaque" ? attribute.what : name;
    throw new WildmarkError("bad-model", `${describeNode(node)} holds ${what || "nothing"}; expected numbers.`);
  }
  return tensor;
}

function tensorOf(attribute: Attribute): Tensor | undefined {
  switch (attribute.kind) {
    case "tensor":
      return attribute.value;
    case "float":
      return float32([], [attribute.value]);
    case "floats":
      return float32([attribute.value.length], attribute.value);
    case "int":
      return int64([], [attribute.value]);
    case "ints":
      return int64([attribute.value.length], attribute.value);
    default:
      return undefined;
  }
}

/** ONNX's own operators, and those that ONNX Runtime adds. */
const DOMAINS: readonly string[] = ["", "ai.onnx.ml", "com.microsoft", "com.microsoft.nchwc"];

function refuseForeign(node: Node): void {
  if (DOMAINS.includes(node.domain)) return;
  throw new WildmarkError(
    "unsupported-operator",
    `${describeNode(node)} is of the domain "${node.domain}"; Wildmark takes the operators of ONNX and ONNX Runtime.`,
    { hint: "Export the model with standard operators; functions of the file's own must be inlined." },
  );
}

function refuseOpaque(node: Node): void {
  for (const [name, attribute] of Object.entries(node.attributes)) {
    if (attribute.kind !== "opaque") continue;
    throw new WildmarkError(
      "bad-model",
      `${describeNode(node)} holds a ${attribute.what} in "${name}", which Wildmark does not look into.`,
      { hint: "Export the model without control flow, with fixed shapes." },
    );
  }
}
