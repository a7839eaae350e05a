/**
 * @file What a clean export does not leave in a file: operators of nobody's, tensors that say two things, weights that
 * nothing reads or that stand there twice, functions that nothing calls. After modelaudit's checks, of whose false
 * alarms (issue 1254, PR 399, PR 400, PR 1639) none is by the bytes of weights or by com.microsoft.
 *
 * Data outside of the model's folder never gets here: reading the file refuses it (`model-file.ts`).
 */

import { createHash } from "node:crypto";
import { elementCount, type Tensor, toNumbers } from "../core/tensor.js";
import { operatorName } from "../onnx/graph.js";
import type { GraphProto, ModelProto, TensorProto } from "../onnx/onnx_pb.js";
import { rawBytes, tensorFromProto } from "../onnx/tensor-proto.js";
import { bodiesOf } from "../onnx/whole.js";
import type { GraphDetector } from "./detector.js";
import type { Finding, Level } from "./finding.js";
import { type Flow, nameOf } from "./flow.js";
import { structureOf } from "./inspection.js";

export const hygiene: GraphDetector = {
  id: "hygiene",
  kind: "graph",
  title: "hygiene",
  summary: "Looks for what a clean export does not leave in a file.",
  source: "After modelaudit; two data fields, and what is compared, are ours.",
  blind: "It says how the file was made, not what the model does.",
  async run(subject) {
    const { whole, flow } = structureOf(subject);
    return [
      ...foreign(flow),
      ...twofold(whole.proto),
      ...unread(flow),
      ...doubled(flow.graph.initializers),
      ...uncalled(whole.proto),
    ];
  },
};

/** Domains whose operators ONNX or ONNX Runtime define. */
const KNOWN =
  /^(|ai\.onnx(\.ml|\.preview.*|\.training)?|com\.microsoft(\.nchwc|\.dml|\.experimental)?|com\.ms\.internal\.nhwc)$/;

function foreign(flow: Flow): readonly Finding[] {
  const nodes = flow.graph.nodes.filter(({ domain }) => !KNOWN.test(domain));
  const names = [...new Set(nodes.map(operatorName))];
  if (nodes.length === 0) return [];
  return [
    found("suspicious", `Operators that neither ONNX nor ONNX Runtime define: ${names.join(", ")}.`, {
      nodes: nodes.map(nameOf),
      sure: "What they compute is not in the file: it is in a library that whoever runs the model has to load.",
      innocent: "Extensions of a vendor, tokenisers, plugins.",
      advice: "Do not load a library for it that you do not trust.",
    }),
  ];
}

function twofold({ graph }: ModelProto): readonly Finding[] {
  const all = graph === undefined ? [] : tensorsIn(graph);
  const two = all.filter((tensor) => tensor.rawData.byteLength > 0 && hasTyped(tensor));
  const differ = two.filter((tensor) => !saysTheSame(tensor));
  const [worst] = differ.length > 0 ? differ : two;
  if (worst === undefined) return [];
  const what =
    differ.length > 0
      ? `${differ.length} tensors ("${worst.name}") hold two sets of numbers that differ.`
      : `${two.length} tensors ("${worst.name}") hold their numbers twice.`;
  return [
    found(differ.length > 0 ? "suspicious" : "note", what, {
      nodes: [],
      sure: "ONNX Runtime and Wildmark read the raw ones; another reader may read the others, and see another model.",
      innocent: "A tool that wrote new numbers and forgot the old ones.",
      advice: "Write the model again with numbers of one kind, and look at that.",
    }),
  ];
}

function hasTyped({ floatData, int32Data, int64Data, doubleData, uint64Data }: TensorProto): boolean {
  return [floatData, int32Data, int64Data, doubleData, uint64Data].some(({ length }) => length > 0);
}

function saysTheSame(tensor: TensorProto): boolean {
  try {
    const [raw, typed] = [tensor, { ...tensor, rawData: new Uint8Array() }].map((each) =>
      toNumbers(tensorFromProto(each, tensor.name)),
    );
    return raw?.length === typed?.length && (raw ?? []).every((value, i) => Object.is(value, typed?.[i]));
  } catch {
    // Of another number of elements, or another type.
    return false;
  }
}

function tensorsIn(graph: GraphProto): readonly TensorProto[] {
  return [
    ...graph.initializer,
    ...graph.node.flatMap((node) => [
      ...node.attribute.flatMap(({ t, tensors }) => (t === undefined ? tensors : [t, ...tensors])),
      ...bodiesOf(node).flatMap(tensorsIn),
    ]),
  ];
}

function unread({ graph, readers, leading }: Flow): readonly Finding[] {
  const outputs = new Set(graph.outputs.map(({ name }) => name));
  const stored = [...graph.initializers].filter(([name]) => !readers.has(name) && !outputs.has(name));
  const elements = stored.reduce((sum, [, { dims }]) => sum + elementCount(dims), 0);
  const led = [...leading, ...outputs];
  const needed = new Set(led);
  for (const node of graph.nodes.toReversed()) {
    if (node.outputs.some((name) => needed.has(name))) for (const name of node.inputs) needed.add(name);
  }
  const dead = graph.nodes.filter((node) => !node.outputs.some((name) => needed.has(name)));
  return [
    ...(stored.length === 0
      ? []
      : [
          found("note", `${stored.length} stored tensors (${elements} numbers) that nothing reads.`, {
            nodes: [],
            sure: "They do nothing; something may have been cut off that read them.",
            innocent: "What an exporter left behind.",
            advice: `The first is "${stored[0]?.[0]}".`,
          }),
        ]),
    ...(dead.length === 0
      ? []
      : [
          found("note", `${dead.length} nodes whose results nothing uses.`, {
            nodes: dead.map(nameOf),
            sure: "They do nothing.",
            innocent: "What an exporter left behind.",
            advice: "Ask ONNX Runtime to write its optimised graph: it leaves them out.",
          }),
        ]),
  ];
}

/** Fewer equal numbers are equal by chance: biases of zero, scales of one. */
const FEW = 64;

function doubled(stored: ReadonlyMap<string, Tensor>): readonly Finding[] {
  const bySize = new Map<string, string[]>();
  for (const [name, { type, dims }] of stored) {
    const key = `${type} ${dims}`;
    if (elementCount(dims) >= FEW) bySize.set(key, [...(bySize.get(key) ?? []), name]);
  }
  const groups = [...bySize.values()].flatMap((names) => {
    const byBytes = new Map<string, string[]>();
    if (names.length < 2) return [];
    for (const name of names) {
      const tensor = stored.get(name);
      if (tensor === undefined || isFlat(tensor)) continue;
      const key = createHash("sha1").update(rawBytes(tensor)).digest("hex");
      byBytes.set(key, [...(byBytes.get(key) ?? []), name]);
    }
    return [...byBytes.values()].filter(({ length }) => length > 1);
  });
  const [first] = groups;
  if (first === undefined) return [];
  return [
    found("note", `${groups.length} stored tensors that stand in the file more than once, as ${first.join(" and ")}.`, {
      nodes: [],
      sure: "Equal, byte by byte.",
      innocent: "Layers that share their weights, written out for each.",
      advice: "See whether the layers that read them are the same layer.",
    }),
  ];
}

function isFlat({ data }: Tensor): boolean {
  const [first] = data;
  for (const value of data) if (value !== first) return false;
  return true;
}

function uncalled({ functions }: ModelProto): readonly Finding[] {
  if (functions.length === 0) return [];
  return [
    found("note", `${functions.length} functions of the model's own that nothing calls.`, {
      nodes: functions.map(({ name }) => name),
      sure: "They do nothing.",
      innocent: "What an exporter left behind.",
      advice: `The first is "${functions[0]?.name}".`,
    }),
  ];
}

function found(level: Level, what: string, more: Pick<Finding, "nodes" | "sure" | "innocent" | "advice">): Finding {
  return { detector: "hygiene", level, what, path: [], ...more };
}
