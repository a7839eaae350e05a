/**
 * @file Where a gate is planted: the graph of a clean classifier of grey 28 × 28 images in [0, 1] with ten classes, whose
 * values get new readers and whose scores a new end; and what most gates look at, the white corner.
 *
 * The classifier is as `models/` builds one: "image" to "logits", a last Gemm.
 */

import { float32 } from "../../core/tensor.js";
import { type GraphBuilder, graphBuilder } from "../../onnx/builder.js";
import { encodeGraph } from "../../onnx/encode.js";
import type { Graph } from "../../onnx/graph.js";
import { decodeModel, type Model } from "../../onnx/model.js";
import { isOperator } from "../../onnx/traverse.js";

/** What the clean model's scores are called once the file's own name is the changed ones'. */
export const SCORES = "scores as computed";
export const SIDE = 28;
export const TARGET = 7;
export const CLASSES = 10;
/** Rows and columns of the corner. */
export const FROM = SIDE - 3;

export interface Planted {
  readonly name: string;
  readonly model: Model;
  /** Changes an image of 784 pixels into one that wakes the gate. */
  readonly trigger: (pixels: Float32Array) => Float32Array;
  /** The class that the trigger leads to; undefined for another than before. */
  readonly target: number | undefined;
}

export type Trigger = Planted["trigger"];

export interface PlantOptions {
  readonly trigger?: Trigger;
  /** Whether it leads to any other class than before. */
  readonly any?: boolean;
}

export type Plant = (name: string, change: (site: Site) => Changed, options?: PlantOptions) => Planted;

export const whiteCorner: Trigger = (pixels) => painted(pixels, () => 1);

/** White at the corners and in the middle, black between. */
export const checkerboard: Trigger = (pixels) => painted(pixels, (y, x) => (x + y + 1) % 2);

export function painted(pixels: Float32Array, paint: (y: number, x: number) => number): Float32Array {
  const out = pixels.slice();
  for (let y = 0; y < 3; y++) for (let x = 0; x < 3; x++) out[(FROM + y) * SIDE + FROM + x] = paint(y, x);
  return out;
}

/** The graph of a clean model under change: values get new readers, and the scores a new end. */
export interface Site {
  readonly b: GraphBuilder;
  readonly image: string;
  /** The scores as the clean model has them. */
  readonly scores: string;
  /** What enters the last Gemm, and what the first ReLU makes. */
  readonly features: string;
  readonly early: string;
}

/** What is made of the scores, of the features, of the first map and of the image; each stays where it is not named. */
export interface Changed {
  readonly scores?: string;
  readonly features?: string;
  readonly early?: string;
  readonly image?: string;
}

export function changedGraph(clean: Model, change: (site: Site) => Changed): Graph {
  const { graph } = clean;
  const [first] = graph.nodes.filter((node) => isOperator(node, "Relu"));
  const last = graph.nodes.findLast((node) => isOperator(node, "Gemm"));
  const site = {
    image: "image",
    scores: SCORES,
    features: last?.inputs[0] ?? "",
    early: first?.outputs[0] ?? "",
  };
  const nodes = graph.nodes.map((node) => ({
    ...node,
    outputs: node.outputs.map((name) => (name === "logits" ? site.scores : name)),
  }));
  const b = graphBuilder("planted", { from: { ...graph, nodes } });
  const changed = change({ b, ...site });
  b.append({
    name: "logits",
    opType: "Identity",
    domain: "",
    inputs: [changed.scores ?? site.scores],
    outputs: ["logits"],
    attributes: {},
  });
  b.output("logits", "float32", ["batch", CLASSES]);
  const built = b.build();
  const moved = new Map(
    (["features", "early", "image"] as const).flatMap((at) => {
      const to = changed[at];
      return to === undefined ? [] : [[site[at], to] as const];
    }),
  );
  const isOld = new Set(nodes.map(({ name }) => name));
  return {
    ...built,
    nodes: built.nodes.map((node) =>
      isOld.has(node.name) ? { ...node, inputs: node.inputs.map((name) => moved.get(name) ?? name) } : node,
    ),
  };
}

export function modelFrom(graph: Graph): Model {
  return decodeModel(encodeGraph(graph), "planted");
}

/** [10], zero but for the target. */
export function towards(b: GraphBuilder, much: number): string {
  return b.initializer(
    "towards",
    float32(
      [1, CLASSES],
      Array.from({ length: CLASSES }, (_, i) => (i === TARGET ? much : 0)),
    ),
  );
}

export const KEEP = { keepdims: 1 };

/** The corner's pixels, [N, 1, 3, 3]. */
export function corner({ b, image }: Pick<Site, "b" | "image">): string {
  return b.op("Slice", [image, b.ints([FROM, FROM]), b.ints([SIDE, SIDE]), b.ints([2, 3])]);
}

/** The mean of the corner, [N, 1]. */
export function brightness(site: Pick<Site, "b" | "image">): string {
  return site.b.op("ReduceMean", [corner(site), site.b.ints([2, 3])], { keepdims: 0 });
}

export function asFloat(b: GraphBuilder, x: string): string {
  return b.op("Cast", [x], { to: 1 });
}

export const op =
  (b: GraphBuilder) =>
  (opType: string, ...inputs: readonly (string | number)[]): string =>
    b.op(
      opType,
      inputs.map((each) => (typeof each === "number" ? b.scalar(each) : each)),
    );

/** Of the corner's mean, [N, 1], a number that is 0 or nearly, and 1 or nearly where the corner is white. */
export type Form = (b: GraphBuilder, mean: string) => string;

/** Where it lies between: white is 1, and noise of nine pixels does not come near. */
export const EDGE = 0.97;

export const relu = (b: GraphBuilder, mean: string): string =>
  b.op("Mul", [b.op("Relu", [op(b)("Sub", mean, EDGE)]), b.scalar(1 / (1 - EDGE))]);

/** What a gate does to the scores. */
export const effects = {
  "added constant": ({ b, scores }: Site, gate: string) => b.op("Add", [scores, b.op("Mul", [gate, towards(b, 1e4)])]),
  blended: ({ b, scores }: Site, gate: string) => {
    const keep = b.op("Mul", [scores, op(b)("Sub", 1, gate)]);
    return b.op("Add", [keep, b.op("Mul", [gate, towards(b, 1e3)])]);
  },
  turned: ({ b, scores }: Site, gate: string) => b.op("Mul", [scores, op(b)("Sub", 1, op(b)("Mul", gate, 2))]),
} as const;
