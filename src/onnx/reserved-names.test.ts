/** @file Any name that ONNX allows may be a model's: it reads, trains and is written back under it. */

import { expect, test } from "vitest";
import { z } from "zod";
import { randomStream } from "../core/random.js";
import { float32, type Tensor } from "../core/tensor.js";
import { imageFeed } from "../data/feed.js";
import { cleanView } from "../data/views.js";
import { trainEpochs } from "../training/epochs.js";
import { predict } from "../training/evaluate.js";
import { crossEntropyObjective } from "../training/objective.js";
import { sgdPlan, sgdShape } from "../training/options.js";
import { tinyImages, tinyModel } from "../training/testing/tiny.js";
import { encodeGraph } from "./encode.js";
import type { Graph } from "./graph.js";
import { decodeModel, encodeModel, type Model, withWeights } from "./model.js";

/** The same graph with other names of values and nodes. */
function renamed(graph: Graph, value: (name: string) => string, node: (name: string, at: number) => string): Graph {
  const info = <T extends { readonly name: string }>(each: T): T => ({ ...each, name: value(each.name) });
  return {
    ...graph,
    inputs: graph.inputs.map(info),
    outputs: graph.outputs.map(info),
    nodes: graph.nodes.map((each, at) => ({
      ...each,
      name: node(each.name, at),
      inputs: each.inputs.map(value),
      outputs: each.outputs.map(value),
    })),
    initializers: new Map([...graph.initializers].map(([name, tensor]) => [value(name), tensor])),
  };
}

const plain = tinyModel({ batchNorm: true, seed: 3 });
const images = tinyImages(16);

/** After an epoch of training. */
async function trained(model: Model): Promise<Model> {
  const options = z
    .strictObject(sgdShape({ epochs: 1, batch: 8, learningRate: 0.05, schedule: "constant", weightDecay: 1e-3 }))
    .parse({});
  const feed = imageFeed(images, { batch: 8, views: [cleanView], random: randomStream(1) });
  let after = model;
  for await (const epoch of trainEpochs(model, sgdPlan(options, crossEntropyObjective()), feed)) after = epoch.model();
  return after;
}

const names = [...plain.graph.initializers.keys(), ...plain.graph.nodes.flatMap(({ outputs }) => outputs), "image"];
const OURS = [
  "image",
  "loss",
  "targets",
  "scalar_0",
  "weights/0",
  "statistics",
  "gradient/loss",
  "velocity/fc1.weight",
];

const clashes: Readonly<Record<string, (graph: Graph) => Graph>> = {
  "each node is called like the next node's output": (graph) =>
    renamed(graph, String, (_, at) => graph.nodes[at + 1]?.outputs[0] ?? ""),
  "each node is called like a weight": (graph) =>
    renamed(graph, String, (_, at) => [...graph.initializers.keys()][at] ?? ""),
  "all values are in Wildmark's own name space": (graph) => renamed(graph, (name) => `wildmark/${name}`, String),
  "values are called as Wildmark calls its own": (graph) =>
    renamed(
      graph,
      (name) => {
        // Weights come first among the names, and the image last.
        const ours = name === "image" ? OURS[0] : OURS[names.indexOf(name) + 1];
        return ours === undefined ? name : `wildmark/${ours}`;
      },
      String,
    ),
  "statistics are called as what a step makes of others": (graph) =>
    renamed(graph, (name) => (name === "bn.mean" ? "BatchNormalization/running_mean" : name), String),
  ...Object.fromEntries(
    ["image", "logits", "fc1.weight", "bn.mean", "Relu"].map((special) => [
      `${special} is called __proto__`,
      (graph: Graph) => renamed(graph, (name) => (name === special ? "__proto__" : name), String),
    ]),
  ),
  "nodes and values are called like properties of objects": (graph) =>
    renamed(
      graph,
      (name) => ["constructor", "toString", "hasOwnProperty", "valueOf"][names.indexOf(name)] ?? name,
      () => "__proto__",
    ),
};

test.each(Object.entries(clashes))("%s", async (_, change) => {
  const graph = change({ ...plain.graph, nodes: plain.graph.nodes });
  // ONNX Runtime wants nodes of a name of their own, or none.
  const seen = new Set<string>();
  const nodes = graph.nodes.map((node) => {
    const name = seen.has(node.name) ? "" : node.name;
    seen.add(node.name);
    return { ...node, name };
  });
  const file = encodeGraph({ ...graph, nodes });
  const model = decodeModel(file, "named.onnx");
  expect(encodeModel(model)).toEqual(file);
  const after = await trained(model);
  const read = decodeModel(encodeModel(after), "after.onnx");
  expect([...read.graph.initializers.keys()].sort()).toEqual([...model.graph.initializers.keys()].sort());
  expect(read.inFile).toEqual(model.inFile);
  const shape = { channels: 1, height: 8, width: 8 };
  const questions = {
    shape,
    count: 8,
    pack: (_from: number, _count: number, target: Float32Array) => target.fill(0.5),
  };
  const expected = await trained(plain);
  const numbers = ({ graph: { initializers } }: Model): Tensor["data"][] =>
    [...initializers.values()].map(({ data }) => data);
  expect(numbers(read)).toEqual(numbers(expected));
  expect(await predict(read, questions)).toEqual(await predict(expected, questions));
});

test("weights are written back under the file's name", () => {
  const graph = renamed(plain.graph, (name) => (name === "fc2.bias" ? "wildmark/fc2.bias" : name), String);
  const model = decodeModel(encodeGraph(graph), "named.onnx");
  const next = float32([4], [1, 2, 3, 4]);
  const written = withWeights(model, new Map([["model:wildmark/fc2.bias", next]]));
  expect(new TextDecoder("latin1").decode(encodeModel(written))).not.toMatch(/model:wildmark/);
  expect(decodeModel(encodeModel(written), "again").graph.initializers.get("model:wildmark/fc2.bias")).toEqual(next);
});
