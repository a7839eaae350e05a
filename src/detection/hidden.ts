/**
 * @file The part of a classifier that lies behind one of its hidden values, as a network of its own that is fed with
 * that value.
 *
 * A value can be fed alone where all that the scores depend on goes through it: between layers, not beside a shortcut.
 */

import { WildmarkError } from "../core/errors.js";
import type { ImageShape } from "../core/image.js";
import type { RandomStream } from "../core/random.js";
import { elementCount, type FloatTensor, float32 } from "../core/tensor.js";
import type { Classifier } from "../onnx/classifier.js";
import type { Graph } from "../onnx/graph.js";
import { layersOf } from "../onnx/layers.js";
import { tailOf } from "../onnx/tail.js";
import { nodesBefore, valuesFrom } from "../onnx/traverse.js";
import { createSession, type RuntimeOptions } from "../runtime/session.js";
import { traceGraph } from "../runtime/trace.js";
import { freeImageGraph } from "../training/rows.js";
import type { Subject } from "./detector.js";

/** A hidden value, and what becomes of it. */
export interface Hidden {
  readonly name: string;
  /** Of the value for one image. */
  readonly dims: readonly number[];
  /** From the value, [N, ...dims], to the scores. */
  readonly graph: Graph;
  /** With the hidden value as its input. */
  readonly classifier: Classifier;
  /** What the value is for images of noise. */
  readonly onNoise: FloatTensor;
}

/** Images of uniform noise that the value is looked at on. */
const NOISE = 32;

/**
 * The features: what enters the layer that makes the scores.
 *
 * @param who what wants them, for messages.
 * @throws WildmarkError `bad-model` where no layer makes the scores.
 */
export async function featuresOf(subject: Subject, who: string): Promise<Hidden> {
  const { graph, classifier } = await freeImageGraph(subject.model, subject.shape, subject.runtime);
  const { features, logits, note } = classifier;
  if (features === logits) throw noPart(who, note ?? "the scores are what it ends in");
  const found = await hiddenAt(graph, classifier, features, subject);
  if (found === undefined) throw noPart(who, `the scores depend on more than "${features}"`);
  return found;
}

/**
 * The value halfway: with half of the layers before it, or the next that can be fed alone towards the image.
 *
 * @throws WildmarkError `bad-model` where none can be fed alone.
 */
export async function halfwayIn(subject: Subject, who: string): Promise<Hidden> {
  const { graph, classifier } = await freeImageGraph(subject.model, subject.shape, subject.runtime);
  const layers = new Set(layersOf(graph).map(({ node }) => node));
  const depth = (value: string): number => nodesBefore(graph, value).filter((node) => layers.has(node)).length;
  const half = Math.floor(depth(classifier.logits) / 2);
  const fromImage = valuesFrom(graph, [classifier.input.name]);
  const candidates = graph.nodes
    .flatMap(({ outputs }) => outputs)
    .filter((name) => fromImage.has(name) && name !== classifier.logits)
    .map((name) => ({ name, depth: depth(name) }))
    .filter((each) => each.depth >= 1 && each.depth <= Math.max(1, half))
    .reverse()
    .toSorted((a, b) => b.depth - a.depth);
  for (const { name } of candidates) {
    const found = await hiddenAt(graph, classifier, name, subject);
    if (found !== undefined) return found;
  }
  throw noPart(who, "every hidden value has another way to the scores beside it");
}

/** Undefined where it cannot be fed alone. */
async function hiddenAt(
  graph: Graph,
  classifier: Classifier,
  name: string,
  { shape, random, runtime = {} }: Subject,
): Promise<Hidden | undefined> {
  const { input, logits } = classifier;
  const scored = { ...graph, nodes: nodesBefore(graph, logits) };
  const { nodes, beside } = tailOf(scored, name);
  const fromImage = valuesFrom(scored, [input.name]);
  if (beside.some((value) => value !== name && fromImage.has(value))) return undefined;
  const noise = await valueOnNoise(graph, { input: input.name, name }, shape, random, runtime);
  if (noise === undefined) return undefined;
  const dims = noise.dims.slice(1);
  const needed = new Set([...nodes, ...beside.flatMap((value) => (value === name ? [] : nodesBefore(scored, value)))]);
  const fed = { name, type: "float32", dims: ["N", ...dims] } as const;
  return {
    name,
    dims,
    graph: {
      ...graph,
      inputs: [fed],
      nodes: scored.nodes.filter((node) => needed.has(node)),
      outputs: [{ name: logits, type: "float32", dims: undefined }],
    },
    classifier: { ...classifier, input: fed, output: logits },
    onNoise: noise,
  };
}

/** Undefined where it does not hold one float32 row an image. */
async function valueOnNoise(
  graph: Graph,
  { input, name }: { readonly input: string; readonly name: string },
  { channels, height, width }: ImageShape,
  random: RandomStream,
  runtime: RuntimeOptions,
): Promise<FloatTensor | undefined> {
  const draw = random.stream("noise images");
  const data = Float32Array.from({ length: NOISE * channels * height * width }, () => draw.uniform());
  const images = new Map([[input, float32([NOISE, channels, height, width], data)]]);
  const traced = (await traceGraph(graph, images, runtime)).get(name);
  if (traced?.type !== "float32" || traced.dims[0] !== NOISE) return undefined;
  const asked = { ...graph, outputs: [{ name, type: "float32" as const, dims: undefined }] };
  const session = await createSession(asked, runtime);
  try {
    const value = (await session.run(images)).get(name);
    return value?.type === "float32" ? value : undefined;
  } finally {
    await session.release();
  }
}

/** Rows that go through at once. */
const CHUNK = 500;

/**
 * The scores of rows of the hidden value.
 *
 * @param rows [n, ...dims], one row after another.
 * @returns [n][classes]
 */
export async function scoresOf(
  { graph, classifier, dims, name }: Pick<Hidden, "graph" | "classifier" | "dims" | "name">,
  rows: Float32Array,
  runtime: RuntimeOptions = {},
): Promise<readonly Float32Array[]> {
  const size = elementCount(dims);
  const count = rows.length / size;
  const session = await createSession(graph, runtime);
  const scores: Float32Array[] = [];
  try {
    for (let from = 0; from < count; from += CHUNK) {
      const n = Math.min(CHUNK, count - from);
      const fed = float32([n, ...dims], rows.subarray(from * size, (from + n) * size));
      const found = (await session.run(new Map([[name, fed]]))).get(classifier.logits);
      if (found?.type !== "float32") throw new WildmarkError("bad-model", "The scores are no float32 numbers.");
      const classes = found.data.length / n;
      for (let row = 0; row < n; row++) scores.push(found.data.slice(row * classes, (row + 1) * classes));
    }
  } finally {
    await session.release();
  }
  return scores;
}

function noPart(who: string, why: string): WildmarkError {
  return new WildmarkError("bad-model", `${who} cannot read this model: ${why}.`, {
    hint: "The other detectors may: each is asked by itself.",
  });
}
