/**
 * @file Images that a model takes for one of its classes, recovered from the model alone: what Dehydra inverts (Lu, Li,
 * Zhang, Pan, Yang: Neural Dehydration, CCS 2024; terms and constants as in the authors' code).
 *
 *     min over x of  CE(f(x), class) + 0.03 · TV(x) + 0.01 · ‖x‖ / N + 0.1 · Σ (‖μ(x) − μ‖ + ‖σ²(x) − σ²‖)
 *
 * over N images x at once, by Adam on what tanh makes of numbers that start normally distributed. TV is twice the mean
 * square of the differences of neighbouring pixels, in rows and in columns; μ and σ² are the running statistics of
 * normalisations, μ(x) and σ²(x) those of the images there (Yin et al., CVPR 2020).
 */

import { float32 } from "../core/tensor.js";
import { imageSize, type LabelledImages, select } from "./dataset.js";
import { inMemory } from "./pixels.js";
import { type GraphBuilder, graphBuilder } from "../onnx/builder.js";
import { withFront } from "../onnx/front.js";
import type { Graph } from "../onnx/graph.js";
import { imageGraph } from "../onnx/image-graph.js";
import { isOperator } from "../onnx/traverse.js";
import { throwIfAborted } from "../training/epochs.js";
import { meanCrossEntropy, type Objective } from "../training/objective.js";
import { freeImageGraph } from "../training/rows.js";
import { scheduleFactor } from "../training/schedule.js";
import { compileSearch } from "../training/search.js";
import { floats, overChunks, withOutputs } from "./hidden-values.js";
import type { Seeker } from "./seeker.js";

const LEARNING_RATE = 0.1;
const BETAS = [0.5, 0.9] as const;
/** The rate falls with a cosine to 0.0001. */
const SCHEDULE = { kind: "cosine", floor: 1e-3 } as const;
const TOTAL_VARIATION = 0.03;
const LENGTH = 0.01;
const STATISTICS = 0.1;
/** Normalisations before the scores that are left out, where there are more. */
const LAST_LEFT_OUT = 2;
/** Images that are sought at once. */
const BATCH = 125;

/** What the search moves: it is added to noise that is fed in place of images. */
const MOVED = "wildmark/recovered/moved";

/** How many searches recover so many images of a class. */
const searches = (perClass: number): number => Math.ceil(perClass / BATCH);

/** Steps of all searches for the images of so many classes. */
export function recoverySteps(perClass: number, steps: number, classes: number): number {
  return classes * searches(perClass) * steps;
}

/**
 * `perClass` images of each class, one class after the other, as 8-bit pictures.
 *
 * @param subset only its shape and classes are looked at.
 * @throws WildmarkError `unsupported-operator` where the model has an operator without a gradient, `interrupted` when
 *   the signal fires.
 */
export async function recoveredImages(
  {
    model,
    subset,
    random,
    runtime,
    progress,
    signal,
  }: Omit<Seeker, "subset"> & { readonly subset: Pick<LabelledImages, "shape" | "classes"> },
  { perClass, steps }: { readonly perClass: number; readonly steps: number },
): Promise<LabelledImages> {
  const { shape, classes } = subset;
  const size = imageSize(shape);
  const batch = Math.min(BATCH, perClass);
  const plain = await freeImageGraph(model, shape, runtime);
  const { input } = plain.classifier;
  const dims = [batch, shape.channels, shape.height, shape.width];
  const named = graphBuilder(plain.graph.name, { from: plain.graph, keepOutputs: true });
  named.initializer(MOVED, float32(dims, new Float32Array(batch * size)));
  const sought = withFront(named.build(), input.name, { ...input, name: "wildmark/noise" }, (b, noise) => {
    const half = b.op("Mul", [b.op("Tanh", [b.op("Add", [noise, MOVED])]), b.scalar(0.5)]);
    return b.op("Add", [half, b.scalar(0.5)]);
  });
  const search = await compileSearch(
    {
      graph: sought.graph,
      classifier: { ...plain.classifier, input: sought.input },
      classes,
      batch,
      objective: inversion(plain.graph, input.name, shape),
      batchNorm: "frozen",
      by: [MOVED],
      betas: BETAS,
    },
    runtime,
  );
  const bytes = new Uint8Array(classes * perClass * size);
  const runs = searches(perClass);
  try {
    for (let label = 0; label < classes; label++) {
      search.targets.fill(0);
      for (let row = 0; row < batch; row++) search.targets[row * classes + label] = 1;
      for (let run = 0; run < runs; run++) {
        const noise = random.stream("recovered").stream(label).stream(run);
        for (let i = 0; i < search.images.length; i++) search.images[i] = noise.normal();
        search.start(new Map([[MOVED, float32(dims, new Float32Array(batch * size))]]));
        for (let step = 0; step < steps; step++) {
          throwIfAborted(signal);
          await search.step(LEARNING_RATE * scheduleFactor(SCHEDULE, step, steps, 1));
          const done = (label * runs + run) * steps + step + 1;
          progress?.prepare?.("recover images", done, classes * runs * steps);
        }
        const moved = search.value(MOVED).data;
        const count = Math.min(batch, perClass - run * batch) * size;
        const at = (label * perClass + run * batch) * size;
        for (let i = 0; i < count; i++) {
          bytes[at + i] = Math.round(127.5 * (Math.tanh((search.images[i] ?? 0) + (moved[i] ?? 0)) + 1));
        }
      }
    }
  } finally {
    await search.release();
  }
  const labels = Uint16Array.from({ length: classes * perClass }, (_, i) => Math.floor(i / perClass));
  return { shape, classes, count: labels.length, pixels: inMemory(bytes), labels };
}

/** @param image name of the value that the model sees. */
function inversion(graph: Graph, image: string, { height, width }: LabelledImages["shape"]): Objective {
  return {
    views: 1,
    build({ b, batch, logits, targets }) {
      const terms = [meanCrossEntropy(b, logits, targets)];
      for (const [axis, length] of [
        [2, height],
        [3, width],
      ] as const) {
        if (length > 1) terms.push(b.op("Mul", [unevenness(b, image, axis, length), b.scalar(2 * TOTAL_VARIATION)]));
      }
      terms.push(b.op("Mul", [norm(b, image), b.scalar(LENGTH / batch)]));
      for (const gap of statisticsGaps(b, graph)) terms.push(b.op("Mul", [gap, b.scalar(STATISTICS)]));
      return { loss: b.op("Sum", terms) };
    },
  };
}

/** The mean square of the differences of neighbours along an axis. */
function unevenness(b: GraphBuilder, image: string, axis: number, length: number): string {
  const cut = (from: number, to: number): string =>
    b.op("Slice", [image, b.ints([from]), b.ints([to]), b.ints([axis])]);
  const difference = b.op("Sub", [cut(1, length), cut(0, length - 1)]);
  return b.op("ReduceMean", [b.op("Mul", [difference, difference])], { keepdims: 0 });
}

function statisticsGaps(b: GraphBuilder, graph: Graph): readonly string[] {
  const all = graph.nodes.filter((node) => isOperator(node, "BatchNormalization"));
  const counted = all.length > LAST_LEFT_OUT ? all.slice(0, -LAST_LEFT_OUT) : all;
  return counted.flatMap(({ inputs: [value = "", , , mean = "", variance = ""] }) => {
    const rows = b.op("Reshape", [value, b.ints([0, 0, -1])]);
    const average = (of: string, keepdims: 0 | 1): string => b.op("ReduceMean", [of, b.ints([0, 2])], { keepdims });
    const apart = b.op("Sub", [rows, average(rows, 1)]);
    return [
      norm(b, b.op("Sub", [average(rows, 0), mean])),
      norm(b, b.op("Sub", [average(b.op("Mul", [apart, apart]), 0), variance])),
    ];
  });
}

/** Under the root of a norm: at zeros it has no gradient. */
const LEAST_SQUARE = 1e-12;

function norm(b: GraphBuilder, value: string): string {
  const square = b.op("ReduceSumSquare", [value], { keepdims: 0 });
  return b.op("Sqrt", [b.op("Add", [square, b.scalar(LEAST_SQUARE)])]);
}

/** Of the features, the share that says how much an image has of its class. */
const SALIENT = 0.05;

/** Added to a standard deviation that something is divided by. */
const LEAST_DEVIATION = 1e-6;

/**
 * Splits the images of each class in two: those nearer to normal images of it, and those nearer to a mark's. Features
 * with a large mean for their deviation over the class are salient; images with more of them are the normal ones
 * (Dehydra's recovered sample splitting).
 */
export async function splitRecovered(
  { model, runtime = {} }: Pick<Seeker, "model" | "runtime">,
  images: LabelledImages,
): Promise<{ readonly normal: LabelledImages; readonly marked: LabelledImages }> {
  const { graph, classifier } = imageGraph(model, images.shape);
  const { features, input } = classifier;
  const rows: Float32Array[] = [];
  await overChunks(withOutputs(graph, [features]), input.name, images, runtime, (values, _from, count) => {
    const { data } = floats(values, features);
    const size = data.length / count;
    for (let row = 0; row < count; row++) rows.push(data.slice(row * size, (row + 1) * size));
  });
  const [normal, marked]: [number[], number[]] = [[], []];
  for (let label = 0; label < images.classes; label++) {
    const own = Array.from(images.labels.keys()).filter((i) => images.labels[i] === label);
    const most = salient(own.map((i) => rows[i] ?? new Float32Array(0)));
    const share = (i: number): number => most.reduce((sum, feature) => sum + (rows[i]?.[feature] ?? 0), 0);
    const sorted = own.toSorted((a, b) => share(a) - share(b) || a - b);
    const half = Math.floor(sorted.length / 2);
    marked.push(...sorted.slice(0, half));
    normal.push(...sorted.slice(half));
  }
  return { normal: select(images, normal), marked: select(images, marked) };
}

/** The features of the largest means for their deviations: those above the 95 % quantile, at least one. */
function salient(rows: readonly Float32Array[]): readonly number[] {
  const size = rows[0]?.length ?? 0;
  const importance = Array.from({ length: size }, (_, feature) => {
    const values = rows.map((row) => row[feature] ?? 0);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
    return mean / (Math.sqrt(squares / Math.max(1, values.length - 1)) + LEAST_DEVIATION);
  });
  const order = Array.from(importance.keys()).toSorted((a, b) => (importance[b] ?? 0) - (importance[a] ?? 0) || a - b);
  return order.slice(0, Math.max(1, Math.ceil(SALIENT * (size - 1))));
}
