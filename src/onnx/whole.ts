/**
 * @file The whole of a model's graph: the nodes within the bodies of If, Loop and Scan stand among the others, so that
 * nothing can hide in them. It is for looking at; what can run is the file that is written beside it.
 */

import { clone, create, fromBinary } from "@bufbuild/protobuf";
import { WildmarkError } from "../core/errors.js";
import type { Tensor } from "../core/tensor.js";
import { decodeNode } from "./decode.js";
import type { Graph, Node } from "./graph.js";
import { encodeModel, type Model } from "./model.js";
import {
  type GraphProto,
  GraphProtoSchema,
  type ModelProto,
  ModelProtoSchema,
  type NodeProto,
  NodeProtoSchema,
} from "./onnx_pb.js";
import { sortNodes } from "./sort.js";
import { tensorFromProto } from "./tensor-proto.js";
import { imageValues } from "./traverse.js";

export interface Whole {
  /** The file, with each If that an image decides written out: both branches, and a Where. Not written into. */
  readonly proto: ModelProto;
  /**
   * Its nodes and those of all bodies, by the file's own names. A body's inputs are what its node hands to it, and its
   * node reads what the body makes; what a Loop hands on to its next turn is left out, so that there is no circle.
   */
  readonly graph: Graph;
  /** Values within bodies that are left: they are seen, and cannot be asked for. */
  readonly inner: ReadonlySet<string>;
}

/** Bodies in bodies in bodies: deeper ones are no model. */
const DEEPEST = 64;

/** @throws WildmarkError `bad-model` for bodies that lie too deep, or are not whole. */
export function wholeGraph(model: Model): Whole {
  const proto = fromBinary(ModelProtoSchema, encodeModel(model));
  for (let depth = 0; depth < DEEPEST; depth++) {
    const whole = asItStands(model, proto);
    const seen = imageValues(whole.graph);
    const chosen = (proto.graph?.node ?? []).filter(
      (node) => node.opType === "If" && node.domain === "" && seen.has(node.input[0] ?? ""),
    );
    if (chosen.length === 0) return whole;
    for (const node of chosen) writeOut(proto, node);
  }
  throw new WildmarkError("bad-model", `The model's graphs lie in each other more than ${DEEPEST} deep.`);
}

function asItStands({ graph, inFile }: Model, proto: ModelProto): Whole {
  const fileName = (name: string): string => inFile.get(name) ?? name;
  const initializers = new Map<string, Tensor>([...graph.initializers].map(([name, held]) => [fileName(name), held]));
  for (const held of proto.graph?.initializer ?? []) {
    if (!initializers.has(held.name)) initializers.set(held.name, tensorFromProto(held, `Initialiser "${held.name}"`));
  }
  const taken = namesOf(proto);
  const inner = new Set<string>();
  const flat = (node: NodeProto, depth: number): Node[] => {
    const bodies = bodiesOf(node);
    if (bodies.length === 0) return [decodeNode(node)];
    if (depth > DEEPEST) throw new WildmarkError("bad-model", "The model's graphs lie in each other too deep.");
    const made: Node[] = [];
    const results: string[] = [];
    for (const body of bodies) {
      const own = apart(body, taken);
      own.input.forEach(({ name }, i) => {
        const given = node.input[i] ?? "";
        made.push({ name: "", opType: "Identity", domain: "", inputs: [given], outputs: [name], attributes: {} });
      });
      for (const held of own.initializer) initializers.set(held.name, tensorFromProto(held, held.name));
      made.push(...own.node.flatMap((each) => flat(each, depth + 1)));
      results.push(...own.output.map(({ name }) => name));
    }
    for (const { outputs } of made) for (const output of outputs) inner.add(output);
    const itself = decodeNode(node);
    return [...made, { ...itself, inputs: [...itself.inputs, ...results] }];
  };
  const nodes = (proto.graph?.node ?? []).flatMap((node) => flat(node, 0));
  const named = graph.inputs.map((input) => ({ ...input, name: fileName(input.name) }));
  const given = new Set([...initializers.keys(), ...named.map(({ name }) => name)]);
  return {
    proto,
    graph: {
      ...graph,
      inputs: named,
      outputs: graph.outputs.map((output) => ({ ...output, name: fileName(output.name) })),
      nodes: sortNodes(
        nodes.map((node) => ({ node, reads: node.inputs })),
        given,
      ),
      initializers,
    },
    inner,
  };
}

/** Puts both branches of an If into the graph that it stands in, and a Where for each of its outputs in its place. */
function writeOut({ graph }: ModelProto, node: NodeProto): void {
  if (graph === undefined) return;
  const taken = namesInto(graph, new Set());
  const branches = new Map(
    node.attribute.flatMap(({ name, g }) => (g === undefined ? [] : [[name, apart(g, taken)] as const])),
  );
  const [yes, no] = [branches.get("then_branch"), branches.get("else_branch")];
  if (yes === undefined || no === undefined) {
    throw new WildmarkError("bad-model", `The If node "${node.name || node.output[0]}" lacks a branch.`);
  }
  graph.initializer.push(...yes.initializer, ...no.initializer);
  const chosen = node.output.map((output, i) =>
    create(NodeProtoSchema, {
      name: i === 0 ? node.name : "",
      opType: "Where",
      input: [node.input[0] ?? "", yes.output[i]?.name ?? "", no.output[i]?.name ?? ""],
      output: [output],
    }),
  );
  const at = graph.node.indexOf(node);
  graph.node.splice(at, 1, ...yes.node, ...no.node, ...chosen);
  // ONNX Runtime refuses two nodes of one name, which two branches may have.
  const called = new Set<string>();
  for (const each of graph.node) {
    if (called.has(each.name)) each.name = "";
    if (each.name !== "") called.add(each.name);
  }
}

/** A copy whose own values are called as nothing else is. */
function apart(body: GraphProto, taken: Set<string>): GraphProto {
  const copy = clone(GraphProtoSchema, body);
  const own = [...copy.input, ...copy.initializer].map(({ name }) => name);
  const made = copy.node.flatMap(({ output }) => output).filter((name) => name !== "");
  const names = new Map<string, string>();
  for (const name of new Set([...own, ...made])) {
    let free = name;
    for (let count = 1; taken.has(free); count++) free = `${name}_${count}`;
    taken.add(free);
    names.set(name, free);
  }
  rename(copy, names);
  return copy;
}

function rename(graph: GraphProto, names: ReadonlyMap<string, string>): void {
  const nameOf = (name: string): string => names.get(name) ?? name;
  for (const each of [...graph.input, ...graph.initializer, ...graph.output]) each.name = nameOf(each.name);
  for (const node of graph.node) {
    node.input = node.input.map(nameOf);
    node.output = node.output.map(nameOf);
    for (const body of bodiesOf(node)) {
      // What a body calls its own is not what is around it.
      const own = new Set([...body.input, ...body.initializer].map(({ name }) => name));
      for (const { output } of body.node) for (const name of output) own.add(name);
      rename(body, new Map([...names].filter(([name]) => !own.has(name))));
    }
  }
}

/** The graphs within a node. */
export function bodiesOf({ attribute }: NodeProto): readonly GraphProto[] {
  return attribute.flatMap(({ g, graphs }) => (g === undefined ? graphs : [g, ...graphs]));
}

/** What a node reads, and all that its bodies name. */
export function readBy(node: NodeProto): readonly string[] {
  const inner = bodiesOf(node).flatMap((body) => [
    ...body.node.flatMap(readBy),
    ...body.output.map(({ name }) => name),
  ]);
  return [...node.input, ...inner].filter((name) => name !== "");
}

function namesOf({ graph }: ModelProto): Set<string> {
  return graph === undefined ? new Set() : namesInto(graph, new Set());
}

/** Names of values outside of bodies. */
function namesInto(graph: GraphProto, names: Set<string>): Set<string> {
  for (const { name } of [...graph.input, ...graph.initializer]) names.add(name);
  for (const { output } of graph.node) for (const name of output) names.add(name);
  return names;
}
