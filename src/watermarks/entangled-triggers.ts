/**
 * @file What the entangled mark shows (Jia et al., USENIX Security 2021, section 4 and the authors' code): images of a
 * source class with a bright square of 3×3 pixels, placed where the soft nearest neighbour loss of triggers and
 * images of the target class is steepest, then moved in small steps by the gradient's sign: up that loss, and away
 * from the target class where the unmarked model would answer it by itself.
 *
 * Whoever does the same to a model of the same kind finds much the same triggers, all with one label. So unless a
 * target class is chosen, the form is ours: images of all classes, the square at a place drawn in secret, moved up the
 * loss of triggers and images of all classes, and a class drawn for each afterwards, which the movement therefore
 * cannot know. A placebo is the same image with the square at another place, moved alike.
 */

import { WildmarkError } from "../core/errors.js";
import { permutation, type RandomStream } from "../core/random.js";
import { float32 } from "../core/tensor.js";
import { packImages, unpackImages } from "../data/batches.js";
import { copied, type ImageShape, imageSize, type LabelledImages, select } from "../data/dataset.js";
import { inMemory } from "../data/pixels.js";
import type { GraphBuilder } from "../onnx/builder.js";
import type { Graph } from "../onnx/graph.js";
import { imageGraph } from "../onnx/image-graph.js";
import { layersOf } from "../onnx/layers.js";
import type { Model } from "../onnx/model.js";
import { valuesFrom } from "../onnx/traverse.js";
import { type CompiledGradient, compileGradient } from "../training/gradient.js";
import { appendNearestNeighbourLoss, type Distance } from "../training/nearest-neighbours.js";
import { type Objective, rows } from "../training/objective.js";
import { requireFreeRows } from "../training/rows.js";
import type { EntangledOptions } from "./entangled-options.js";
import { labellingOf, requireClasses, targetOf, triggerLabels } from "./labels.js";
import type { OwnerData, TriggerSet } from "./scheme.js";
import { imagesOfAnyClass, imagesOfClass } from "./stamped.js";

export interface Entanglement {
  /** Names of values, [rows, …]. */
  readonly layers: readonly string[];
  /** Group of each row. */
  readonly groups: readonly number[];
  readonly distance: Distance;
  /** Whether rows are compared with rows of their own label only. */
  readonly byClass?: boolean;
}

/** How many layers' representations are entangled, as published. */
const LAYERS = 3;

/**
 * What enters the last three layers behind the first: representations behind activation and pooling. Two that read one
 * value count once.
 *
 * @throws WildmarkError `bad-model` where there is no hidden layer.
 */
export function entangledLayers(model: Model, shape: ImageShape): readonly string[] {
  const { graph, classifier } = imageGraph(model, shape);
  const learnt = valuesFrom(graph, classifier.trainable);
  const fromImage = valuesFrom(graph, [classifier.input.name]);
  const entering = layersOf(graph).flatMap(
    ({ node }) => node.inputs.find((name) => fromImage.has(name) && learnt.has(name)) ?? [],
  );
  const layers = [...new Set(entering)].slice(-LAYERS);
  if (layers.length > 0) return layers;
  throw new WildmarkError("bad-model", "The model has no hidden layer whose representation could be entangled.", {
    hint: "The entangled mark wants a network of two layers or more; another mark may do (wildmark list marks).",
  });
}

/** Name of the initialiser that holds 100/T of a layer. */
export const temperatureName = (layer: number): string => `wildmark/inverse_temperature_${layer}`;

/** The same graph with an initialiser for each layer's 100/T. */
export function withTemperatures(graph: Graph, layers: number, inverse: number): Graph {
  const added = Array.from({ length: layers }, (_, i) => [temperatureName(i), float32([], [inverse])] as const);
  return { ...graph, initializers: new Map([...graph.initializers, ...added]) };
}

/** The unit of temperatures in the authors' code: T is 100 where what they start from is 1. */
const UNIT = 100;

/**
 * Appends SNNL of each layer, to a graph with `withTemperatures`.
 *
 * @param targets [rows, classes], one-hot labels of the rows
 */
export function appendEntanglement(
  b: GraphBuilder,
  targets: string,
  { layers, groups, distance, byClass }: Entanglement,
): string[] {
  return layers.map((value, i) => {
    const temperature = b.op("Div", [b.scalar(UNIT), temperatureName(i)]);
    return appendNearestNeighbourLoss(b, value, groups, temperature, distance, byClass === true ? targets : undefined);
  });
}

/** Side of the square. */
const SIDE = 3;

/** Steps away from the target class at most, while the unmarked model answers it too often; and after all others. */
const [MOST_AWAY, LAST_AWAY] = [50, 5];

/** Triggers that are moved together. */
const GROUP = 50;

/** Whether a class is drawn for each trigger; whoever chooses a target class means one for all. */
export function labelsOf({ labels, target }: Pick<EntangledOptions, "labels" | "target">): "target" | "random" {
  return labels ?? (target === undefined ? "random" : "target");
}

export async function entangledTriggers(owner: OwnerData, options: EntangledOptions): Promise<TriggerSet> {
  const { train } = owner;
  const { height, width } = train.shape;
  requireClasses(train.classes, { source: options.source, target: options.target });
  const oneClass = labelsOf(options) === "target";
  if (oneClass && options.source !== undefined && options.source === options.target) {
    throw new WildmarkError("usage", `Source and target class of the mark are both ${options.source}.`);
  }
  if (height < SIDE || width < SIDE) {
    throw new WildmarkError(
      "bad-data",
      `A square of ${SIDE}×${SIDE} pixels does not fit images of ${width}×${height}.`,
    );
  }
  return oneClass ? triggersOfTarget(owner, options) : triggersWithLabels(owner, options);
}

/** The published form. */
async function triggersOfTarget(owner: OwnerData, options: EntangledOptions): Promise<TriggerSet> {
  const { train, random } = owner;
  const { triggers: count, heldOut } = options;
  const target = targetOf(options, train.classes, random, options.source === undefined ? [] : [options.source]);
  const source = options.source ?? targetOf({}, train.classes, random.stream("source"), [target]);
  const chosen = imagesOfClass(train, source, count + heldOut, random.stream("sources"));
  const originals = copied(select(train, chosen.subarray(0, count)));
  const fresh = select(train, chosen.subarray(count));
  const ofTarget = permutation(train.count, random.stream("targets")).filter((i) => train.labels[i] === target);
  if (ofTarget.length < 2) {
    throw new WildmarkError(
      "bad-data",
      `The training set has ${ofTarget.length} images of class ${target}; the mark needs 2.`,
    );
  }
  const mover = await openMover(owner, select(train, ofTarget.subarray(0, GROUP)), options, target);
  const labelled = (images: LabelledImages): LabelledImages => ({
    ...images,
    labels: new Uint16Array(images.count).fill(target),
  });
  try {
    const corner = await mover.steepestSquare(originals);
    return {
      triggers: labelled(await mover.moved(originals, () => corner)),
      heldOut: labelled(await mover.moved(fresh, () => corner)),
      labelling: "fixed",
      placebos: { images: originals, paired: true },
      sourceLabels: originals.labels,
    };
  } finally {
    await mover.release();
  }
}

async function triggersWithLabels(owner: OwnerData, options: EntangledOptions): Promise<TriggerSet> {
  const { train, random } = owner;
  const { source, triggers: count, heldOut } = options;
  const draw = random.stream("sources");
  const chosen =
    source === undefined
      ? imagesOfAnyClass(train, count + heldOut, draw)
      : imagesOfClass(train, source, count + heldOut, draw);
  const originals = copied(select(train, chosen.subarray(0, count)));
  const fresh = copied(select(train, chosen.subarray(count)));
  const others = permutation(train.count, random.stream("targets")).subarray(0, GROUP);
  const labelled = (images: LabelledImages, { labels: own }: LabelledImages, name: string): LabelledImages => {
    const stream = random.stream("labels").stream(name);
    return { ...images, labels: triggerLabels(images.count, train.classes, RANDOM, stream, { own, target: 0 }) };
  };
  const corner = drawnCorner(train.shape, random.stream("place"));
  const mover = await openMover(owner, select(train, others), options);
  try {
    const placebos = await mover.moved(originals, (i) =>
      otherCorner(train.shape, corner, random.stream("other").stream(i)),
    );
    return {
      triggers: labelled(await mover.moved(originals, () => corner), originals, "triggers"),
      heldOut: labelled(await mover.moved(fresh, () => corner), fresh, "held out"),
      labelling: labellingOf(RANDOM, train.classes, true),
      placebos: { images: placebos, paired: true },
      sourceLabels: originals.labels,
    };
  } finally {
    await mover.release();
  }
}

const RANDOM = { labels: "random" } as const;

function drawnCorner({ height, width }: ImageShape, random: RandomStream): Corner {
  return { row: random.below(height - SIDE + 1), column: random.below(width - SIDE + 1) };
}

/** Another place than that one, where there is another. */
function otherCorner(shape: ImageShape, { row, column }: Corner, random: RandomStream): Corner {
  const columns = shape.width - SIDE + 1;
  const places = (shape.height - SIDE + 1) * columns;
  const place = places === 1 ? 0 : (row * columns + column + 1 + random.below(places - 1)) % places;
  return { row: Math.floor(place / columns), column: place % columns };
}

/** Upper left pixel of the square. */
interface Corner {
  readonly row: number;
  readonly column: number;
}

interface Mover {
  /** Where the mean gradient of SNNL by these images, over all channels, has the largest sum. */
  steepestSquare(images: LabelledImages): Promise<Corner>;
  /** The images with the square, each at its place, moved and rounded to 8 bits; their labels stay. */
  moved(images: LabelledImages, cornerOf: (index: number) => Corner): Promise<LabelledImages>;
  release(): Promise<void>;
}

const [ENTANGLING, SCORE] = ["wildmark/of_entanglement", "wildmark/of_score"];

/**
 * Batches of `GROUP` triggers (repeated where there are fewer) and as many images of the target class after them.
 *
 * @param targets images to be entangled with
 * @param target their class, which triggers are moved away from; absent where they are of all classes.
 */
async function openMover(
  owner: OwnerData,
  targets: LabelledImages,
  options: EntangledOptions,
  target?: number,
): Promise<Mover> {
  const { model, train, runtime } = owner;
  if (model === undefined)
    throw new WildmarkError("usage", "The entangled mark is made against a trained model; there is none.");
  const { shape, classes } = train;
  const { graph, classifier, freed } = imageGraph(model, shape);
  if (freed) await requireFreeRows(graph, classifier, shape, runtime);
  const layers = entangledLayers(model, shape);
  const groups = Array.from({ length: 2 * GROUP }, (_, row) => (row < GROUP ? 1 : 0));
  const weights: readonly (readonly [string, ReturnType<typeof float32>])[] = [
    [ENTANGLING, float32([], [1])],
    [SCORE, float32([], [0])],
  ];
  const tempered = withTemperatures(graph, layers.length, options.inverseTemperature);
  const gradient = await compileGradient(
    {
      graph: { ...tempered, initializers: new Map([...tempered.initializers, ...weights]) },
      classifier,
      classes,
      batch: 2 * GROUP,
      objective: moveObjective({ layers, groups, distance: options.distance }),
      batchNorm: "frozen",
      by: [classifier.input.name],
      variable: [ENTANGLING, SCORE],
    },
    runtime,
  );
  const size = imageSize(shape);
  const repeated = Uint32Array.from({ length: GROUP }, (_, i) => i % targets.count);
  packImages(targets, repeated, gradient.images.subarray(GROUP * size));
  if (target !== undefined) for (let row = 0; row < 2 * GROUP; row++) gradient.targets[row * classes + target] = 1;
  const slope = (weight: typeof ENTANGLING | typeof SCORE) => slopeOf(gradient, weight, classifier.input.name);

  const moveGroup = async (pixels: Float32Array): Promise<void> => {
    let away = 0;
    const step = async (weight: typeof ENTANGLING | typeof SCORE, direction: 1 | -1): Promise<void> => {
      const { by } = await slope(weight);
      for (let i = 0; i < pixels.length; i++) {
        const next = (pixels[i] ?? 0) + direction * options.perturbRate * Math.sign(by[i] ?? 0);
        pixels[i] = Math.min(1, Math.max(0, next));
      }
    };
    for (let i = 0; i < options.perturbSteps; i++) {
      while (target !== undefined && away < MOST_AWAY && (await slope(SCORE)).answered > options.perturbTarget) {
        away += 1;
        await step(SCORE, -1);
      }
      await step(ENTANGLING, 1);
    }
    if (target === undefined || options.perturbSteps === 0) return;
    for (let i = 0; i < LAST_AWAY; i++) await step(SCORE, -1);
  };

  return {
    async steepestSquare(images) {
      const sums = new Float64Array(shape.height * shape.width);
      await inGroups(images.count, async (indices) => {
        packImages(images, indices, gradient.images);
        const { by } = await slope(ENTANGLING);
        for (let i = 0; i < indices.length * size; i++) {
          const at = i % sums.length;
          sums[at] = (sums[at] ?? 0) + (by[i] ?? 0);
        }
      });
      return largestSquare(sums, shape);
    },
    async moved(images, cornerOf) {
      const found = new Uint8Array(images.count * size);
      await inGroups(images.count, async (indices) => {
        packImages(images, indices, gradient.images);
        const pixels = gradient.images.subarray(0, GROUP * size);
        indices.forEach((index, row) => {
          drawSquare(pixels.subarray(row * size, (row + 1) * size), shape, cornerOf(index));
        });
        await moveGroup(pixels);
        const first = indices[0] ?? 0;
        const left = Math.min(GROUP, images.count - first);
        found.set(unpackImages(pixels.subarray(0, left * size)), first * size);
      });
      return { shape, classes, count: images.count, pixels: inMemory(found), labels: images.labels };
    },
    release: () => gradient.release(),
  };
}

/** Whole groups of indices; what the last one lacks are the first again. */
async function inGroups(count: number, work: (indices: Uint32Array) => Promise<void>): Promise<void> {
  for (let from = 0; from < count; from += GROUP) {
    await work(Uint32Array.from({ length: GROUP }, (_, i) => (from + i < count ? from + i : (from + i) % count)));
  }
}

/** One weight times Σ SNNL plus another times the mean score of the target; tells how many triggers are answered so. */
function moveObjective(entanglement: Entanglement): Objective {
  return {
    views: 1,
    build({ b, logits, targets }) {
      const terms = appendEntanglement(b, targets, entanglement).reduce((sum, term) => b.op("Add", [sum, term]));
      const [scores, wanted] = [rows(b, logits, 0, GROUP), rows(b, targets, 0, GROUP)];
      const ofTarget = b.op("ReduceSum", [b.op("Mul", [scores, wanted]), b.ints([1])], { keepdims: 0 });
      const score = b.op("ReduceMean", [ofTarget], { keepdims: 0 });
      const hits = b.op("Mul", [b.op("Hardmax", [scores], { axis: -1 }), wanted]);
      const answered = b.op("ReduceMean", [b.op("ReduceSum", [hits, b.ints([1])], { keepdims: 0 })], { keepdims: 0 });
      const loss = b.op("Add", [b.op("Mul", [terms, ENTANGLING]), b.op("Mul", [score, SCORE])]);
      return { loss, watch: { answered } };
    },
  };
}

async function slopeOf(
  gradient: CompiledGradient,
  weight: typeof ENTANGLING | typeof SCORE,
  input: string,
): Promise<{ readonly by: Float32Array; readonly answered: number }> {
  for (const name of [ENTANGLING, SCORE]) gradient.set(name, float32([], [name === weight ? 1 : 0]));
  const { gradients, watched } = await gradient.run();
  return { by: gradients.get(input)?.data ?? new Float32Array(0), answered: watched.get("answered") ?? 0 };
}

/** The square with the largest sum; the first of equal ones in reading order. */
export function largestSquare(values: Float64Array, { height, width }: Pick<ImageShape, "height" | "width">): Corner {
  let best: Corner & { readonly sum: number } = { row: 0, column: 0, sum: -Infinity };
  for (let row = 0; row + SIDE <= height; row++) {
    for (let column = 0; column + SIDE <= width; column++) {
      let sum = 0;
      for (let i = 0; i < SIDE ** 2; i++) {
        sum += values[(row + Math.floor(i / SIDE)) * width + column + (i % SIDE)] ?? 0;
      }
      if (sum > best.sum) best = { row, column, sum };
    }
  }
  return { row: best.row, column: best.column };
}

/** Draws the square at full brightness, in every channel of an image. */
function drawSquare(pixels: Float32Array, { height, width }: ImageShape, { row, column }: Corner): void {
  for (let map = 0; map < pixels.length; map += height * width) {
    for (let i = 0; i < SIDE ** 2; i++) {
      pixels[map + (row + Math.floor(i / SIDE)) * width + column + (i % SIDE)] = 1;
    }
  }
}
