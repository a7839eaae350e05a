/**
 * @file What a model's first batch normalisation says of a reading: it holds mean and variance of what it was given
 * while it learnt, by channel, and under the right reading it is given the same again.
 *
 * What is learnt from is often not the images that lie on the disk: they are cropped out of a border, or have a square
 * covered, which moves mean and variance by as much as readings differ. So each reading is tried with the usual kinds
 * of it, and the kind that fits best counts.
 */

import { WildmarkError } from "../core/errors.js";
import { randomStream } from "../core/random.js";
import { type FloatTensor, float32 } from "../core/tensor.js";
import { float, graphBuilder } from "../onnx/builder.js";
import { floatAttribute, type Graph, type Node } from "../onnx/graph.js";
import { type ImageGraph, imageGraph } from "../onnx/image-graph.js";
import type { Model } from "../onnx/model.js";
import type { Preprocessing } from "../onnx/preprocessing.js";
import { readAs } from "../onnx/readings.js";
import { isOperator, nodesBefore, storedTensors, valuesFrom } from "../onnx/traverse.js";
import { createSession, type RuntimeOptions, type Session } from "../runtime/session.js";
import { augmentedView } from "./augment.js";
import { packImages } from "./batches.js";
import { type Images, imageSize } from "./dataset.js";
import { pixelScaler, UNSCALED } from "./scale-pixels.js";
import { onlyPass } from "./views.js";

/** Pixels in one run: the layers before the first normalisation may make 64 values of each. */
const PIXELS_AT_ONCE = 2 ** 18;

/**
 * What may be done to images before they are learnt from, before they are scaled or after, when black is the middle of
 * the scale.
 */
const AUGMENTED = [
  { view: "none", scaled: false },
  { view: "crop-flip", scaled: false },
  { view: "crop-flip", scaled: true },
  { view: "crop-flip-cutout", scaled: false },
] as const;

/**
 * How far what the first normalisation is given lies from what it was trained on: the Kullback-Leibler divergence of
 * normal distributions with its mean and variance, in nats, averaged over the channels. 0 for the same.
 *
 * @param images with 1,000 chance adds less than 0.0005.
 * @returns one number a reading; empty where the model has no such layer, or is none that can be trained.
 */
export async function statisticsMisfits<T extends Preprocessing>(
  model: Model,
  images: Images,
  readings: readonly T[],
  runtime: RuntimeOptions = {},
): Promise<ReadonlyMap<T, number>> {
  const misfits = new Map<T, number>();
  for (const layout of new Set(readings.map((reading) => reading.layout))) {
    const made = opened(readAs(model, { ...UNSCALED, layout }), images);
    const norms = made === undefined ? [] : firstNorms(made);
    if (made === undefined || norms.length === 0) return new Map();
    const session = await createSession(graphOfMoments(made, norms), runtime);
    try {
      for (const reading of readings.filter((each) => each.layout === layout)) {
        misfits.set(reading, await misfitOf({ session, input: made.classifier.input.name, norms }, images, reading));
      }
    } finally {
      await session.release();
    }
  }
  return misfits;
}

function opened(model: Model, { shape }: Images): ImageGraph | undefined {
  try {
    return imageGraph(model, shape);
  } catch (error) {
    if (error instanceof WildmarkError) return undefined;
    throw error;
  }
}

/** A normalisation, and how to see what it is given. */
interface Norm {
  readonly node: Node;
  /** The same node as it learns, of the batch alone: its second and third outputs are the batch's mean and variance. */
  readonly measuring: Node;
  readonly mean: FloatTensor;
  readonly variance: FloatTensor;
  readonly epsilon: number;
}

/** Those that nothing normalises before. */
function firstNorms({ graph, classifier }: ImageGraph): readonly Norm[] {
  const stored = storedTensors(graph);
  const all = graph.nodes.filter((node) => isOperator(node, "BatchNormalization"));
  const fromImage = valuesFrom(graph, [classifier.input.name]);
  const normalised = valuesFrom(
    graph,
    all.flatMap(({ outputs }) => outputs),
  );
  return all.flatMap((node) => {
    const [given = "", , , meanName = "", varianceName = ""] = node.inputs;
    const [mean, variance] = [stored.get(meanName), stored.get(varianceName)];
    if (normalised.has(given) || !fromImage.has(given)) return [];
    if (mean?.type !== "float32" || variance?.type !== "float32") return [];
    const [output = ""] = node.outputs;
    const measuring = {
      ...node,
      outputs: [output, `wildmark/${output}/mean`, `wildmark/${output}/variance`],
      attributes: { ...node.attributes, training_mode: { kind: "int", value: 1 } as const, momentum: float(0) },
    };
    return [{ node, measuring, mean, variance, epsilon: floatAttribute(node, "epsilon", 1e-5) }];
  });
}

/** What comes before the normalisations, and they as they learn. */
function graphOfMoments({ graph }: ImageGraph, norms: readonly Norm[]): Graph {
  const before = new Set(norms.flatMap(({ node }) => nodesBefore(graph, node.inputs[0] ?? "")));
  const nodes = [...graph.nodes.filter((node) => before.has(node)), ...norms.map(({ measuring }) => measuring)];
  const read = new Set(nodes.flatMap(({ inputs }) => inputs));
  const initializers = new Map([...graph.initializers].filter(([name]) => read.has(name)));
  const b = graphBuilder("moments", { from: { ...graph, nodes, initializers } });
  for (const { measuring, mean } of norms) {
    for (const name of measuring.outputs.slice(1)) b.output(name, "float32", mean.dims);
  }
  return b.build();
}

interface Measuring {
  readonly session: Session;
  readonly input: string;
  readonly norms: readonly Norm[];
}

async function misfitOf({ session, input, norms }: Measuring, images: Images, reading: Preprocessing): Promise<number> {
  const misfits: number[] = [];
  for (const augmented of AUGMENTED) {
    const moments = norms.map(({ mean }) => momentsOf(mean.data.length));
    for (const batch of batchesOf(images, reading, augmented)) {
      const found = await session.run(new Map([[input, batch]]));
      norms.forEach(({ measuring }, i) => {
        const [mean, variance] = measuring.outputs.slice(1).map((name) => found.get(name));
        if (mean?.type !== "float32" || variance?.type !== "float32") throw new Error("moments are numbers");
        moments[i]?.add(mean.data, variance.data, (batch.dims[0] ?? 0) / images.count);
      });
    }
    const divergences = norms.flatMap((norm, i) => moments[i]?.divergencesFrom(norm) ?? []);
    misfits.push(divergences.reduce((sum, each) => sum + each, 0) / divergences.length);
  }
  return Math.min(...misfits);
}

/** Mean and variance by channel of several batches together. */
function momentsOf(channels: number) {
  const [means, squares] = [new Float64Array(channels), new Float64Array(channels)];
  return {
    add(mean: Float32Array, variance: Float32Array, share: number): void {
      for (let c = 0; c < channels; c++) {
        const middle = mean[c] ?? 0;
        means[c] = (means[c] ?? 0) + share * middle;
        squares[c] = (squares[c] ?? 0) + share * ((variance[c] ?? 0) + middle * middle);
      }
    },
    /** A channel that lets nothing through has no variance: epsilon keeps it finite, as in the layer. */
    divergencesFrom({ mean, variance, epsilon }: Norm): number[] {
      return Array.from(means, (found, c) => {
        const expected = Math.max(0, variance.data[c] ?? 0) + epsilon;
        const ratio = (Math.max(0, (squares[c] ?? 0) - found * found) + epsilon) / expected;
        return (ratio - 1 - Math.log(ratio) + (found - (mean.data[c] ?? 0)) ** 2 / expected) / 2;
      });
    },
  };
}

/** The images under a reading, [n, C, H, W] each; what is drawn at random is the same for every reading. */
function* batchesOf(
  images: Images,
  reading: Preprocessing,
  { view, scaled }: (typeof AUGMENTED)[number],
): Iterable<FloatTensor> {
  const { shape, count } = images;
  const { channels, height, width } = shape;
  const size = imageSize(shape);
  const augment = augmentedView(view, shape);
  const scale = pixelScaler(reading, shape, 1);
  const random = randomStream(0, "readings", "augment");
  const most = Math.max(1, Math.floor(PIXELS_AT_ONCE / size));
  for (let from = 0; from < count; from += most) {
    const indices = Uint32Array.from({ length: Math.min(most, count - from) }, (_, i) => from + i);
    const n = indices.length;
    const augmentedInto = (values: Float32Array): Float32Array => {
      const target = new Float32Array(n * size);
      augment(values, target, shape, n, random, indices, onlyPass(random));
      return target;
    };
    const scaledInto = (values: Float32Array): Float32Array => {
      const target = new Float32Array(n * size);
      for (let i = 0; i < n; i++) scale(values.subarray(i * size, (i + 1) * size), target, i * size);
      return target;
    };
    const pixels = new Float32Array(n * size);
    packImages(images, indices, pixels);
    const given = scaled ? augmentedInto(scaledInto(pixels)) : scaledInto(augmentedInto(pixels));
    yield float32([n, channels, height, width], given);
  }
}
