/**
 * @file Writes the functions of a model's own (`ModelProto.functions`) out where they are called: PyTorch's exporters
 * put a module into each, and what is trained and looked into should be plain operators.
 *
 * Every value inside gets the name of the call before its own, so that a function may be called twice. Weights are no
 * part of functions: they are handed in, and keep their names.
 */

import { clone, create, fromBinary } from "@bufbuild/protobuf";
import { BinaryReader } from "@bufbuild/protobuf/wire";
import { WildmarkError } from "../core/errors.js";
import {
  type AttributeProto,
  AttributeProtoSchema,
  type FunctionProto,
  type GraphProto,
  type ModelProto,
  type NodeProto,
  NodeProtoSchema,
} from "./onnx_pb.js";
import { opsetChanges, withoutEquivalent } from "./opset-changes.js";

/** Functions that call functions multiply: a small file may claim more nodes than there is memory for. */
const MOST_NODES = 200_000;

/** Deeper calls are a circle, which ONNX forbids. */
const DEEPEST = 64;

/**
 * Changes `model` in place; functions that are called nowhere are left where they are.
 *
 * @returns how many calls were written out.
 * @throws WildmarkError `bad-model` for functions that call themselves, that blow up, or that are written in an
 *   operator set in which one of their operators means something else than in the model's.
 */
export function inlineFunctions(model: ModelProto): number {
  if (model.functions.length === 0 || model.graph === undefined) return 0;
  const functions = new Map(model.functions.map((each) => [identity(each.domain, each.name, overloadOf(each)), each]));
  const names = namesIn(model.graph, new Set());
  const inliner: Inliner = { functions, names, opsets: opsetsOf(model), called: new Set(), count: 0, nodes: 0 };
  inlineGraph(model.graph, inliner, 0);
  if (inliner.count === 0) return 0;
  model.functions = model.functions.filter(
    (each) => !inliner.called.has(identity(each.domain, each.name, overloadOf(each))),
  );
  const used = new Set(model.functions.map(({ domain }) => domain));
  const own = new Set([...inliner.called].map((key) => functions.get(key)?.domain ?? ""));
  model.opsetImport = model.opsetImport.filter(({ domain }) => !own.has(domain) || used.has(domain) || domain === "");
  return inliner.count;
}

interface Inliner {
  readonly functions: ReadonlyMap<string, FunctionProto>;
  /** Every name of a value or a node. */
  readonly names: Set<string>;
  readonly opsets: ReadonlyMap<string, number>;
  readonly called: Set<string>;
  count: number;
  nodes: number;
}

function inlineGraph(graph: GraphProto, inliner: Inliner, depth: number): void {
  graph.node = graph.node.flatMap((node) => inlined(node, inliner, depth));
}

/** The nodes that stand for `node`: itself, or those of the function that it calls. */
function inlined(node: NodeProto, inliner: Inliner, depth: number): NodeProto[] {
  for (const { g, graphs } of node.attribute) {
    for (const inner of g === undefined ? graphs : [g, ...graphs]) inlineGraph(inner, inliner, depth);
  }
  const key = identity(node.domain, node.opType, overloadOf(node, 8));
  const called = inliner.functions.get(key);
  if (called === undefined) return [node];
  if (depth >= DEEPEST) throw broken(called, "calls itself, or calls others too deeply");
  inliner.nodes += called.node.length;
  if (inliner.nodes > MOST_NODES) throw broken(called, `is called until the graph has more than ${MOST_NODES} nodes`);
  requireSameOperators(called, inliner.opsets);
  inliner.called.add(key);
  inliner.count++;
  const call = node.name || (node.output.find((name) => name !== "") ?? called.name);
  const values = new Map<string, string>([["", ""]]);
  called.input.forEach((formal, i) => {
    values.set(formal, node.input[i] ?? "");
  });
  const handedOn: NodeProto[] = [];
  called.output.forEach((formal, i) => {
    const actual = node.output[i] ?? "";
    if (actual === "") return;
    const already = values.get(formal);
    // An output that is an input, or another output, as it is.
    if (already !== undefined) handedOn.push(identityNode(already, actual));
    else values.set(formal, actual);
  });
  const attributes = new Map([...defaultsOf(called), ...node.attribute].map((each) => [each.name, each]));
  const scope: Scope = { values, attributes, call, names: inliner.names };
  const body = called.node.map((each) => renamed(clone(NodeProtoSchema, each), scope));
  return [...body.flatMap((each) => inlined(each, inliner, depth + 1)), ...handedOn];
}

interface Scope {
  /** What each value of the function is called outside. */
  readonly values: Map<string, string>;
  readonly attributes: ReadonlyMap<string, AttributeProto>;
  readonly call: string;
  readonly names: Set<string>;
}

/** Changes `node` in place: its names are the model's, and the function's attributes have their values. */
function renamed(node: NodeProto, scope: Scope): NodeProto {
  const { values, call, names } = scope;
  const nameOf = (value: string): string => {
    const known = values.get(value);
    if (known !== undefined) return known;
    const made = unique(`${call}/${value}`, names);
    values.set(value, made);
    return made;
  };
  node.input = node.input.map(nameOf);
  node.output = node.output.map(nameOf);
  if (node.name !== "") node.name = unique(`${call}/${node.name}`, names);
  node.attribute = node.attribute.flatMap((attribute) => {
    if (attribute.refAttrName === "") return [attribute];
    const given = scope.attributes.get(attribute.refAttrName);
    // Not given and without a default: the operator's own default counts.
    if (given === undefined) return [];
    return [{ ...clone(AttributeProtoSchema, given), name: attribute.name }];
  });
  for (const { g, graphs } of node.attribute) {
    for (const inner of g === undefined ? graphs : [g, ...graphs]) renameGraph(inner, scope, nameOf);
  }
  return node;
}

/** A graph within a function reads the function's values; its own names are made unique as the function's are. */
function renameGraph(graph: GraphProto, scope: Scope, nameOf: (value: string) => string): void {
  for (const each of [...graph.input, ...graph.initializer]) each.name = nameOf(each.name);
  for (const node of graph.node) renamed(node, scope);
  for (const each of graph.output) each.name = nameOf(each.name);
  graph.valueInfo = [];
}

/** The attribute defaults of a function (`attribute_proto`, field 11 of newer versions of the format). */
function defaultsOf(called: FunctionProto): AttributeProto[] {
  return unknownPayloads(called, 11).map((bytes) => fromBinary(AttributeProtoSchema, bytes));
}

/** `overload`: field 13 of a function, 8 of a node; newer than the format that the decoder was made from. */
function overloadOf(message: FunctionProto | NodeProto, field = 13): string {
  const [bytes] = unknownPayloads(message, field);
  return bytes === undefined ? "" : new TextDecoder().decode(bytes);
}

function unknownPayloads({ $unknown = [] }: FunctionProto | NodeProto, field: number): Uint8Array[] {
  return $unknown
    .filter(({ no, wireType }) => no === field && wireType === 2)
    .map(({ data }) => new BinaryReader(data).bytes());
}

function identity(domain: string, name: string, overload: string): string {
  return JSON.stringify([domain === "ai.onnx" ? "" : domain, name, overload]);
}

function identityNode(input: string, output: string): NodeProto {
  return create(NodeProtoSchema, { opType: "Identity", input: [input], output: [output] });
}

function opsetsOf({ opsetImport }: Pick<ModelProto, "opsetImport">): ReadonlyMap<string, number> {
  return new Map(opsetImport.map(({ domain, version }) => [domain === "ai.onnx" ? "" : domain, Number(version)]));
}

/** A function may be in another operator set than the model: then its operators must mean the same in both. */
function requireSameOperators(called: FunctionProto, opsets: ReadonlyMap<string, number>): void {
  const [own, outer] = [opsetsOf(called).get(""), opsets.get("")];
  if (own === undefined || outer === undefined || own === outer) return;
  const [older, newer] = [Math.min(own, outer), Math.max(own, outer)];
  for (const { opType, domain } of called.node) {
    const since = domain === "" ? (opsetChanges[opType]?.since ?? withoutEquivalent[opType]) : undefined;
    if (since === undefined || since <= older || since > newer) continue;
    throw broken(called, `is written in opset ${own}, the model in ${outer}, and its ${opType} changed between them`);
  }
}

function broken({ domain, name }: FunctionProto, why: string): WildmarkError {
  return new WildmarkError("bad-model", `The model's function "${domain}.${name}" ${why}.`, {
    hint: "Export the model again without functions of its own (PyTorch: export_modules_as_functions=False).",
  });
}

function unique(base: string, names: Set<string>): string {
  let name = base;
  for (let count = 1; names.has(name); count++) name = `${base}_${count}`;
  names.add(name);
  return name;
}

function namesIn(graph: GraphProto, names: Set<string>): Set<string> {
  for (const { name } of [...graph.input, ...graph.initializer, ...graph.output]) names.add(name);
  for (const node of graph.node) {
    for (const name of [node.name, ...node.output]) names.add(name);
    for (const { g, graphs } of node.attribute) {
      for (const inner of g === undefined ? graphs : [g, ...graphs]) namesIn(inner, names);
    }
  }
  return names;
}
