/**
 * @file A model's graph as training and evaluation run it, whatever form the model came in: one input `[N,C,H,W]` of
 * pixels in [0, 1], any number of images at once, scores `[N,K]`.
 *
 * The model's own nodes stay; in front of them come nodes that do its preprocessing and lay out the pixels as it wants
 * them, and what the export baked in for a fixed batch is loosened. Nothing is added where nothing is needed. Weights keep
 * their names, so that what is trained here goes back into the user's file.
 */

import { WildmarkError } from "../core/errors.js";
import { describeShape, type ImageShape } from "../core/image.js";
import { float32, int64 } from "../core/tensor.js";
import { type GraphBuilder, graphBuilder } from "./builder.js";
import { canonicalGraph } from "./canonical.js";
import { type Classifier, describeDims, findClassifier } from "./classifier.js";
import { withFreeBatch } from "./free-batch.js";
import { withFront } from "./front.js";
import type { Dim, Graph } from "./graph.js";
import type { Model } from "./model.js";
import { fits, type Layout, type ResolvedPreprocessing, resolvePreprocessing } from "./preprocessing.js";
import { knownRanks } from "./rank.js";

export interface ImageGraph {
  /** In canonical form (`canonicalGraph`). */
  readonly graph: Graph;
  /** What `findClassifier` found, with this graph's input and output, and logits `[N,K]`. */
  readonly classifier: Classifier;
  readonly preprocessing: ResolvedPreprocessing;
  /** Whether the file fixes the number of images, and this graph does not: then its rows must be seen to be independent. */
  readonly freed: boolean;
}

/**
 * @throws WildmarkError `bad-data` where the model takes other images than those of `shape`, `bad-model` where it is no
 * classifier that Wildmark can use.
 */
export function imageGraph(model: Model, shape: ImageShape): ImageGraph {
  const found = findClassifier(model.graph);
  const { input } = found;
  const preprocessing = resolvePreprocessing(model.preprocessing, input.dims, shape);
  if (!fits(input.dims, preprocessing.layout, shape)) {
    throw new WildmarkError(
      "bad-data",
      `The model takes ${describeDims(input.dims)} (${preprocessing.layout}); the images are ${describeShape(shape)} ` +
        "(channels × height × width).",
      { hint: "Choose the model and the data that belong together." },
    );
  }
  const canonical = canonicalGraph(model.graph);
  const fixed = input.dims?.[0];
  const free = typeof fixed === "number" ? withFreeBatch(canonical, input.name, fixed) : canonical;
  const dims = ["N", shape.channels, shape.height, shape.width];
  const fed = withFront(free, input.name, { name: "wildmark/image", type: "float32", dims }, (b, image) =>
    laidOut(b, scaled(b, image, preprocessing, shape), preprocessing.layout, input.dims ?? [], shape),
  );
  const b = graphBuilder(fed.graph.name, { from: fed.graph });
  const ranks = knownRanks(canonical);
  const asRows = (value: string): string =>
    ranks.get(value) === 2 ? value : b.op("Flatten", [value], { axis: 1 }, { name: `${value}_rows` });
  const rankOfOutput = model.graph.outputs[0]?.dims?.length ?? 2;
  const output = rankOfOutput === 2 ? found.output : asRows(found.output);
  const logits = found.logits === found.output && rankOfOutput === 2 ? output : asRows(found.logits);
  b.output(output, "float32", ["N", found.classes]);
  return {
    graph: b.build(),
    classifier: {
      ...found,
      input: fed.input,
      output,
      logits,
    },
    preprocessing,
    freed: typeof fixed === "number",
  };
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
