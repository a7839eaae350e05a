/**
 * @file A model's graph as training and evaluation run it, whatever form the model came in: one input `[N,C,H,W]` of
 * pixels in [0, 1], any number of images at once, scores `[N,K]`.
 *
 * The model's own nodes stay; in front of them come nodes that do its preprocessing and lay out the pixels as it wants
 * them, and what the export baked in for a fixed batch is loosened. Nothing is added where nothing is needed. Weights
 * keep their names, so that what is trained here goes back into the user's file.
 */

import { WildmarkError } from "../core/errors.js";
import { describeShape, type ImageShape } from "../core/image.js";
import { float32, int64 } from "../core/tensor.js";
import { type GraphBuilder, graphBuilder } from "./builder.js";
import { canonicalGraph } from "./canonical.js";
import { type Classifier, describeDims, findClassifier, graphOfOutput } from "./classifier.js";
import { withFreeBatch } from "./free-batch.js";
import { withFront } from "./front.js";
import { type Dim, describeNode, type Graph, intAttribute, type ValueInfo } from "./graph.js";
import type { Head } from "./head.js";
import type { Model } from "./model.js";
import { fits, type Layout, type ResolvedPreprocessing, resolvePreprocessing } from "./preprocessing.js";
import { knownRanks } from "./rank.js";
import { isOperator } from "./traverse.js";

export interface ImageGraph {
  /** In canonical form (`canonicalGraph`). */
  readonly graph: Graph;
  /** What `findClassifier` found, with this graph's input and output, and logits `[N,K]`. */
  readonly classifier: Classifier;
  readonly preprocessing: ResolvedPreprocessing;
  /**
   * Whether the file fixes the number of images, and this graph does not: then its rows must be seen to be independent.
   */
  readonly freed: boolean;
}

/**
 * @throws WildmarkError `bad-data` where the model takes other images than those of `shape`, `bad-model` where it is no
 * classifier that Wildmark can use.
 */
export function imageGraph(model: Model, shape: ImageShape): ImageGraph {
  const found = findClassifier(model.graph, model.head);
  const { input } = found;
  const preprocessing = modelPreprocessing(model, shape);
  if (!fits(input.dims, preprocessing.layout, shape)) {
    throw new WildmarkError(
      "bad-data",
      `The model takes ${describeDims(input.dims)} (${preprocessing.layout}); the images are ${describeShape(shape)} ` +
        "(channels × height × width).",
      { hint: "Choose the model and the data that belong together." },
    );
  }
  const canonical = withFloatInput(canonicalGraph(graphOfOutput(model.graph, found.output)), input);
  const fixed = input.dims?.[0];
  const free = typeof fixed === "number" ? withFreeBatch(canonical, input.name, fixed) : canonical;
  const dims = ["N", shape.channels, shape.height, shape.width];
  const fed = withFront(free, input.name, { name: "wildmark/image", type: "float32", dims }, (b, image) =>
    appendInput(b, image, { preprocessing, shape, input }),
  );
  const b = graphBuilder(fed.graph.name, { from: fed.graph });
  const ranks = knownRanks(canonical);
  const asRows = (value: string): string =>
    ranks.get(value) === 2 ? value : b.op("Flatten", [value], { axis: 1 }, { name: `${value}_rows` });
  const declared = model.graph.outputs.find(({ name }) => name === found.output)?.dims;
  const rankOfOutput = declared?.length ?? (isDeclared(model, found.output) ? 2 : ranks.get(found.output));
  const output = rankOfOutput === 2 ? found.output : asRows(found.output);
  const logits = found.logits === found.output && rankOfOutput === 2 ? output : asRows(found.logits);
  const read = readByHead(b, { output, logits }, model.head);
  b.output(read.output, "float32", ["N", found.classes]);
  return {
    graph: b.build(),
    classifier: {
      ...found,
      ...read,
      input: fed.input,
    },
    preprocessing,
    freed: typeof fixed === "number",
  };
}

function isDeclared({ graph }: Model, value: string): boolean {
  return graph.outputs.some(({ name }) => name === value);
}

/**
 * What the images are turned into: as `resolvePreprocessing` says; whole numbers are from 0 to 255 unless something
 * else is said.
 */
export function modelPreprocessing({ graph, preprocessing }: Model, shape?: ImageShape): ResolvedPreprocessing {
  const [input] = graph.inputs;
  const whole = input?.type?.match(/^u?int/)
    ? [{ from: `type ${input.type}`, says: { range: [0, 255] as const } }]
    : [];
  return resolvePreprocessing([...preprocessing, ...whole], input?.dims, shape);
}

/**
 * Where the model takes bytes, the same graph fed with whole numbers as floats: the casts that make floats of them are
 * left out, so that nothing is in the way of gradients but where a byte is used as one.
 */
function withFloatInput(graph: Graph, input: ValueInfo): Graph {
  if (input.type !== "uint8") return graph;
  const inputs = graph.inputs.map((each) => ({ ...each, type: "float32" as const }));
  const views = new Set([input.name]);
  const nodes = graph.nodes.map((node) => {
    const [first = ""] = node.inputs;
    if (!views.has(first)) return node;
    if (isOperator(node, "Identity", "Transpose", "Reshape", "Squeeze", "Unsqueeze", "Flatten")) {
      for (const output of node.outputs) views.add(output);
      return node;
    }
    if (isOperator(node, "Cast") && intAttribute(node, "to", 0) === FLOAT32) {
      return { ...node, opType: "Identity", attributes: {} };
    }
    throw new WildmarkError(
      "bad-model",
      `${describeNode(node)} computes with the input's bytes; expected a Cast to float.`,
      {
        hint: "Such a model can be asked (verify, evaluate), not trained.",
      },
    );
  });
  return { ...graph, inputs, nodes };
}

/** `TensorProto.FLOAT` */
const FLOAT32 = 1;

/** Whole numbers from 0 to 255, where the model takes bytes. */
function asBytes(b: GraphBuilder, image: string, input: ValueInfo): string {
  if (input.type !== "uint8") return image;
  const whole = b.op("Round", [image], {}, { name: "wildmark/image_whole" });
  return b.op("Clip", [whole, b.scalar(0), b.scalar(255)], {}, { name: "wildmark/image_bytes" });
}

/** Scores of the classes that are asked for, in their order; of one score, those of two classes. */
function readByHead(
  b: GraphBuilder,
  { output, logits }: Pick<Classifier, "output" | "logits">,
  { binary = false, classes }: Head,
): Pick<Classifier, "output" | "logits"> {
  // The softmax of (0, z) is the sigmoid of z.
  const two = (z: string): string =>
    b.op("Concat", [b.op("Mul", [z, b.scalar(0)]), z], { axis: 1 }, { name: "wildmark/two_scores" });
  const both = binary ? two(logits) : undefined;
  const chosen = (scores: string): string =>
    classes === undefined
      ? scores
      : b.op("Gather", [scores, b.ints(classes)], { axis: 1 }, { name: "wildmark/chosen_scores" });
  const asked = chosen(both ?? logits);
  return { output: both !== undefined || output === logits ? asked : chosen(output), logits: asked };
}

/**
 * Appends what makes of images [N,C,H,W] in [0, 1] what a model's input takes, as floats; `image` itself where that is
 * it.
 */
export function appendInput(
  b: GraphBuilder,
  image: string,
  to: { readonly preprocessing: ResolvedPreprocessing; readonly shape: ImageShape; readonly input: ValueInfo },
): string {
  const { preprocessing, shape, input } = to;
  const pixels = asBytes(b, scaled(b, image, preprocessing, shape), input);
  return laidOut(b, pixels, preprocessing.layout, input.dims ?? [], shape);
}

/** Channel order, range, mean and standard deviation: one Gather, Mul and Add at most. */
function scaled(
  b: GraphBuilder,
  image: string,
  preprocessing: ResolvedPreprocessing,
  { channels }: ImageShape,
): string {
  const { range, mean, std, channelOrder } = preprocessing;
  const [low, high] = range;
  const deviations = perChannel(std, channels, "std");
  const factors = deviations.map((sigma) => (high - low) / sigma);
  const shifts = perChannel(mean, channels, "mean").map((mu, c) => (low - mu) / (deviations[c] ?? 1));
  if (![...factors, ...shifts].every((value) => Number.isFinite(Math.fround(value)))) {
    throw new WildmarkError("bad-model", "The preprocessing's range, mean and std make pixels too large for float32.", {
      hint: "Give the numbers that the model was trained with.",
    });
  }
  const step = (opType: string, value: string, name: string, values: readonly number[]): string => {
    const stored = b.initializer(`wildmark/${name}`, float32([1, channels, 1, 1], values));
    return b.op(opType, [value, stored], {}, { name: `wildmark/image_${name}` });
  };
  let value = image;
  if (channelOrder === "BGR" && channels === 3) {
    const order = b.initializer("wildmark/order", int64([3], [2, 1, 0]));
    value = b.op("Gather", [value, order], { axis: 1 }, { name: "wildmark/image_bgr" });
  }
  if (factors.some((factor) => factor !== 1)) value = step("Mul", value, "scale", factors);
  if (shifts.some((shift) => shift !== 0)) value = step("Add", value, "shift", shifts);
  return value;
}

function perChannel(values: readonly number[], channels: number, what: string): readonly number[] {
  const [only] = values;
  if (values.length === 1 && only !== undefined) return new Array<number>(channels).fill(only);
  if (values.length === channels) return values;
  throw new WildmarkError(
    "bad-model",
    `The preprocessing's ${what} has ${values.length} numbers; the images have ${channels} channels.`,
    { hint: "Give one number for each channel, or one for all." },
  );
}

function laidOut(
  b: GraphBuilder,
  image: string,
  layout: Layout,
  dims: readonly Dim[],
  { channels, height, width }: ImageShape,
): string {
  const reshaped = (value: string, target: readonly number[]): string => {
    const stored = b.initializer("wildmark/layout", int64([target.length], target));
    return b.op("Reshape", [value, stored], {}, { name: "wildmark/image_layout" });
  };
  const channelsLast = (): string =>
    channels === 1 ? image : b.op("Transpose", [image], { perm: [0, 2, 3, 1] }, { name: "wildmark/image_nhwc" });
  const pixels = channels * height * width;
  // [N,784], [N,784,1] or [N,1,784]
  const row = dims.length === 2 ? [-1, pixels] : dims[1] === 1 ? [-1, 1, pixels] : [-1, pixels, 1];
  switch (layout) {
    case "NCHW":
      return image;
    case "NHWC":
      return channels === 1 ? reshaped(image, [-1, height, width, 1]) : channelsLast();
    case "NHW":
      return reshaped(image, [-1, height, width]);
    case "flat":
      return reshaped(image, row);
    case "flat-NHWC":
      return reshaped(channelsLast(), row);
  }
}
