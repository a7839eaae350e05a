/**
 * @file Cuts a planted gate out of a model: what it made while it slept stays, as a constant, and what only it was for
 * goes. No weight changes. It is cut where it is certain alone, and the cut model is asked beside the old one: answers to
 * every probed image must be the same, and the image that woke the gate must be answered as if it slept.
 */

import { create, toBinary } from "@bufbuild/protobuf";
import { WildmarkError } from "../core/errors.js";
import { int64, type Tensor, toNumbers } from "../core/tensor.js";
import { type Model, withBytes } from "../onnx/model.js";
import {
  type GraphProto,
  type ModelProto,
  ModelProtoSchema,
  type NodeProto,
  NodeProtoSchema,
} from "../onnx/onnx_pb.js";
import { ownAnswer } from "../onnx/own-answer.js";
import { tensorToProto } from "../onnx/tensor-proto.js";
import { readBy } from "../onnx/whole.js";
import type { Subject } from "./detector.js";
import type { Dormancy } from "./dormancy.js";
import { answersHeld } from "./effect.js";
import type { Finding } from "./finding.js";
import { type Flow, nameOf } from "./flow.js";
import { levelOf } from "./gates.js";
import { type Gate, heldAsleep, probe, structureOf, type Probed } from "./inspection.js";
import { openValues } from "./running.js";

export interface Cut {
  /** The model without what was cut; the given one where nothing was. */
  readonly model: Model;
  /** What was cut, by the names of the nodes that are gone. */
  readonly cut: readonly CutGate[];
  /** What stays, and why. */
  readonly refused: readonly RefusedGate[];
}

export interface CutGate {
  readonly finding: Finding;
  /** Nodes that are no longer there. */
  readonly removed: readonly string[];
}

export interface RefusedGate {
  readonly finding: Finding;
  /** A sentence. */
  readonly why: string;
}

/** How far scores may move, of the largest score. */
const TOLERANCE = 1e-4;

/** The same where a gate leaked, since a constant does not. */
const LEAKY_TOLERANCE = 1e-2;

/**
 * @param subject the very object that was scanned.
 * @param findings what `scanGraph` found in it; those that are not certain are refused.
 * @throws WildmarkError `runtime` where the cut model does not run.
 */
export async function cutPlanted(subject: Subject, findings: readonly Finding[]): Promise<Cut> {
  const probed = await probe(subject);
  const cut: CutGate[] = [];
  const refused: RefusedGate[] = [];
  let proto = structureOf(subject).whole.proto;
  for (const finding of findings) {
    if (finding.level === "note") continue;
    const gate = probed?.gates.find(({ region }) => sameNames(region.nodes.map(nameOf), finding.nodes));
    if (probed === undefined || gate === undefined || finding.detector !== "gates" || levelOf(gate) !== "planted") {
      refused.push({ finding, why: "It is not certain that it was planted." });
      continue;
    }
    const found = await cutOne(proto, gate, { subject, probed });
    if (typeof found === "string") refused.push({ finding, why: found });
    else {
      const left = new Set(found.graph?.node.flatMap(({ output }) => output));
      const removed = (proto.graph?.node ?? []).filter(({ output }) => !output.some((name) => left.has(name)));
      cut.push({ finding, removed: removed.map((node) => node.name || (node.output[0] ?? node.opType)) });
      proto = found;
    }
  }
  return {
    model: cut.length === 0 ? subject.model : withBytes(subject.model, toBinary(ModelProtoSchema, proto)),
    cut,
    refused,
  };
}

function sameNames(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((name, i) => name === b[i]);
}

interface Context {
  readonly subject: Subject;
  readonly probed: Probed;
}

/** The cut file, or why it is not cut. */
async function cutOne(proto: ModelProto, gate: Gate, context: Context): Promise<ModelProto | string> {
  const { dormancy } = context.probed;
  const { flow } = structureOf(context.subject);
  const batched = await batchedValues(proto, gate, context);
  const exact = exactEdges(gate, flow, dormancy);
  const all = gate.region.exits.map(({ value, reader }) => ({ value, reader: reader.outputs }));
  let why = "Nothing of it stayed the same for every image.";
  for (const edges of exact.length === 0 ? [all] : [exact, all]) {
    const changed = pruned(proto, held(proto, edges, { flow, dormancy, batched }));
    const wrong = await differs([proto, changed], gate, context);
    if (wrong === undefined) return changed;
    why = wrong;
  }
  return why;
}

interface Edge {
  readonly value: string;
  /** Outputs of the node that reads it. */
  readonly reader: readonly string[];
}

/** Where what never changed meets what did: nearer to the entries than the exits are, where the gate leaks. */
function exactEdges({ region }: Gate, flow: Flow, { exact, bounds }: Dormancy): readonly Edge[] {
  const own = new Set(region.nodes.flatMap(({ outputs }) => outputs).filter((name) => exact.has(name)));
  const isProven = (name: string): boolean => bounds.get(name)?.low === bounds.get(name)?.high && bounds.has(name);
  return [...own].flatMap((value) =>
    (flow.readers.get(value) ?? [])
      .filter(({ outputs }) => outputs.some((name) => flow.leading.has(name) && !exact.has(name) && !isProven(name)))
      .map((reader) => ({ value, reader: reader.outputs })),
  );
}

interface Known {
  readonly flow: Flow;
  readonly dormancy: Dormancy;
  /** Values whose first axis is the number of images. */
  readonly batched: ReadonlySet<string>;
}

/** The file with constants in place of what is read along these edges. */
function held(proto: ModelProto, edges: readonly Edge[], known: Known): ModelProto {
  const { graph } = proto;
  if (graph === undefined) return proto;
  const { asleep } = known.dormancy;
  const made: NodeProto[] = [];
  const initializer = [...graph.initializer];
  const constants = new Map<string, string>();
  const constantOf = (value: string): string => {
    const ready = constants.get(value);
    const tensor = asleep.get(value);
    if (ready !== undefined || tensor === undefined) return ready ?? value;
    const stored = `${value}/asleep`;
    initializer.push(tensorToProto(stored, tensor));
    const name = known.batched.has(value) ? `${value}/asleep, each` : stored;
    if (name !== stored) made.push(...eachImage(stored, name, tensor, known.flow.input, initializer));
    constants.set(value, name);
    return name;
  };
  const values = new Map<NodeProto, Set<string>>();
  for (const { value, reader } of edges) {
    const node = graph.node.find(({ output }) => output.some((name) => name !== "" && reader.includes(name)));
    if (node !== undefined) values.set(node, new Set([...(values.get(node) ?? []), value]));
  }
  const node = graph.node.map((each) => {
    const constant = values.get(each);
    if (constant === undefined) return each;
    const same = handedOn(each, constant, known);
    if (same !== undefined) return { ...each, opType: "Identity", domain: "", input: [same], attribute: [] };
    return { ...each, input: each.input.map((name) => (constant.has(name) ? constantOf(name) : name)) };
  });
  return { ...proto, graph: { ...graph, node: [...made, ...node], initializer } };
}

/** The value that a node hands on as it is, where some of its inputs are constants; undefined where it does not. */
function handedOn(node: NodeProto, constant: ReadonlySet<string>, { dormancy }: Known): string | undefined {
  const { asleep, dims } = dormancy;
  const [first = "", second = "", third = ""] = node.input;
  const [output = ""] = node.output;
  const all = (name: string, wanted: number): boolean =>
    constant.has(name) && (asleep.get(name)?.data.every((value) => Number(value) === wanted) ?? false);
  const fits = (name: string): string | undefined =>
    sameNumbers(dims.get(name), dims.get(output)) && !constant.has(name) ? name : undefined;
  const either = (neutral: number): string | undefined =>
    all(first, neutral) ? fits(second) : all(second, neutral) ? fits(first) : undefined;
  if (node.domain !== "") return undefined;
  switch (node.opType) {
    case "Where":
      return all(first, 1) ? fits(second) : all(first, 0) ? fits(third) : undefined;
    case "Add":
    case "Or":
    case "Xor":
      return either(0);
    case "Mul":
    case "And":
      return either(1);
    case "Sub":
      return all(second, 0) ? fits(first) : undefined;
    case "Div":
    case "Pow":
      return all(second, 1) ? fits(first) : undefined;
    default:
      return undefined;
  }
}

function sameNumbers(a: readonly number[] | undefined, b: readonly number[] | undefined): boolean {
  return a !== undefined && b !== undefined && a.length === b.length && a.every((value, i) => value === b[i]);
}

/** Nodes that give a constant of one image to as many as there are. */
function eachImage(
  stored: string,
  name: string,
  { dims }: Tensor,
  input: string,
  initializer: GraphProto["initializer"],
): readonly NodeProto[] {
  const node = (opType: string, inputs: string[], output: string): NodeProto =>
    create(NodeProtoSchema, { name: output, opType, input: inputs, output: [output] });
  const ints = (called: string, values: readonly number[]): string => {
    initializer.push(tensorToProto(called, int64([values.length], values)));
    return called;
  };
  const count = [ints(`${name}/from`, [0]), ints(`${name}/to`, [1])];
  const counted = node("Slice", [`${name}/shape`, ...count], `${name}/images`);
  const ones = ints(
    `${name}/ones`,
    dims.slice(1).map(() => 1),
  );
  return [
    node("Shape", [input], `${name}/shape`),
    counted,
    {
      ...node("Concat", [`${name}/images`, ones], `${name}/size`),
      attribute: axisZero(),
    },
    node("Expand", [stored, `${name}/size`], name),
  ];
}

function axisZero(): NodeProto["attribute"] {
  return create(NodeProtoSchema, { attribute: [{ name: "axis", type: 2, i: 0n }] }).attribute;
}

/** Those exits and edges' values that grow with the number of images; none where the file fixes that. */
async function batchedValues(proto: ModelProto, { region }: Gate, { subject, probed }: Context): Promise<Set<string>> {
  const { flow } = structureOf(subject);
  const fixed = flow.graph.inputs.find(({ name }) => name === flow.input)?.dims?.[0];
  const values = region.nodes.flatMap(({ outputs }) => outputs).filter((name) => probed.dormancy.asleep.has(name));
  const [first] = probed.feeds;
  if (typeof fixed === "number" || first === undefined) return new Set();
  try {
    const opened = await openValues(proto, flow.input, values, new Map(), subject.runtime);
    try {
      const found = await opened.run(twice(first));
      return new Set(
        values.filter((name) => found.get(name)?.dims[0] === 2 * (probed.dormancy.dims.get(name)?.[0] ?? 0)),
      );
    } finally {
      await opened.release();
    }
  } catch (error) {
    // It takes one image at a time, whatever it says.
    if (error instanceof WildmarkError) return new Set();
    throw error;
  }
}

function twice(tensor: Tensor): Tensor {
  const dims = [2 * (tensor.dims[0] ?? 1), ...tensor.dims.slice(1)];
  switch (tensor.type) {
    case "float32":
      return { ...tensor, dims, data: Float32Array.from([...tensor.data, ...tensor.data]) };
    case "float64":
      return { ...tensor, dims, data: Float64Array.from([...tensor.data, ...tensor.data]) };
    case "int64":
      return { ...tensor, dims, data: BigInt64Array.from([...tensor.data, ...tensor.data]) };
    case "int32":
      return { ...tensor, dims, data: Int32Array.from([...tensor.data, ...tensor.data]) };
    case "uint8":
      return { ...tensor, dims, data: Uint8Array.from([...tensor.data, ...tensor.data]) };
    default:
      return tensor;
  }
}

/** Without what served only what was cut: what nothing used before stays, and so does every other byte. */
function pruned(before: ModelProto, after: ModelProto): ModelProto {
  const { graph } = after;
  if (graph === undefined || before.graph === undefined) return after;
  const [was, is] = [aliveIn(before.graph), aliveIn(graph)];
  const node = graph.node.filter((each) => is.nodes.has(each) || !wasAlive(each, was));
  const kept = new Set(node.flatMap(({ output }) => output));
  const gone = new Set(graph.node.flatMap(({ output }) => output).filter((name) => !kept.has(name)));
  const initializer = graph.initializer.filter(({ name }) => is.values.has(name) || !was.values.has(name));
  const valueInfo = graph.valueInfo.filter(({ name }) => !gone.has(name));
  return { ...after, graph: { ...graph, node, initializer, valueInfo } };
}

interface Alive {
  readonly nodes: ReadonlySet<NodeProto>;
  readonly values: ReadonlySet<string>;
}

function wasAlive({ output }: NodeProto, { values }: Alive): boolean {
  return output.some((name) => name !== "" && values.has(name));
}

/** What leads to the outputs. */
function aliveIn(graph: GraphProto): Alive {
  const makers = new Map(graph.node.flatMap((node) => node.output.map((name) => [name, node] as const)));
  const values = new Set(graph.output.map(({ name }) => name));
  const nodes = new Set<NodeProto>();
  for (const name of values) {
    const maker = makers.get(name);
    if (maker === undefined || nodes.has(maker)) continue;
    nodes.add(maker);
    for (const read of readBy(maker)) values.add(read);
  }
  return { nodes, values };
}

/** In what the cut model is another one where it should not be, as a sentence; undefined where all is well. */
async function differs(
  [old, changed]: readonly [ModelProto, ModelProto],
  gate: Gate,
  { subject, probed }: Context,
): Promise<string | undefined> {
  const { model, runtime } = subject;
  const { whole, flow } = structureOf(subject);
  const { threshold } = ownAnswer(model);
  const options = { flow, head: model.head, threshold, ...(runtime === undefined ? {} : { runtime }) };
  const asleep = heldAsleep(gate.region, probed.dormancy);
  const woken = gate.awake.map(({ fed }) => fed);
  try {
    const tolerance = gate.region.leaks ? LEAKY_TOLERANCE : TOLERANCE;
    const moved = await largestMove([old, changed], probed.feeds, flow, runtime);
    if (moved > tolerance)
      return `Without it the scores of clean images move by ${moved.toPrecision(2)} of the largest.`;
    const ask = (proto: ModelProto, feeds: readonly Tensor[], values: ReadonlyMap<string, Tensor> = new Map()) =>
      answersHeld(values, { ...options, whole: { ...whole, proto }, feeds });
    const [before, after] = [await ask(old, probed.feeds), await ask(changed, probed.feeds)];
    if (before.some((answer, i) => answer !== after[i])) return "Without it the answers to clean images change.";
    const [held, now] = [await ask(old, woken, asleep), await ask(changed, woken)];
    if (held.some((answer, i) => answer !== now[i])) return "The image that woke it still changes the answer.";
    return undefined;
  } catch (error) {
    if (error instanceof WildmarkError) return `The model does not run without it: ${error.message}`;
    throw error;
  }
}

/** By how much the scores of any image differ, of the largest score. */
async function largestMove(
  [before, after]: readonly [ModelProto, ModelProto],
  feeds: readonly Tensor[],
  { input, output }: Flow,
  runtime: Subject["runtime"],
): Promise<number> {
  const all = await Promise.all([before, after].map((proto) => openValues(proto, input, [output], new Map(), runtime)));
  try {
    let most = 0;
    for (const feed of feeds) {
      const [was = [], is = []] = await Promise.all(
        all.map(async (opened) => {
          const found = (await opened.run(feed)).get(output);
          return found === undefined ? [] : toNumbers(found);
        }),
      );
      if (was.length !== is.length) return Number.POSITIVE_INFINITY;
      const largest = was.reduce((max, value) => Math.max(max, Math.abs(value)), 1e-6);
      was.forEach((value, i) => {
        most = Math.max(most, Math.abs(value - (is[i] ?? Number.NaN)) / largest || 0);
      });
    }
    return most;
  } finally {
    for (const opened of all) await opened.release();
  }
}
