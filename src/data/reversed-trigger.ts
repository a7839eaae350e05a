/**
 * @file Triggers reversed as Neural Cleanse does it (Wang, Yao, Shan, Li, Viswanath, Zheng, Zhao: Neural Cleanse, S&P
 * 2019): the smallest stamp that makes a model answer a class whatever it is put on. A class that needs a much smaller
 * stamp than the others has a backdoor.
 *
 *     min over m, Δ of  CE(f((1 − m) · x + m · Δ), t) + λ · Σ m        m [H, W], Δ [C, H, W], both in [0, 1]
 *
 * (section 5.2, equations 2 and 3), by Adam on what tanh makes both of. λ grows while the stamp works and falls while
 * it does not. The constants are those of the authors' code, except for the number of rounds (docs/methods.md).
 */

import { z } from "zod";
import type { RandomStream } from "../core/random.js";
import { float32 } from "../core/tensor.js";
import { epochBatches, packImages } from "./batches.js";
import { imageAt, imageSize, type LabelledImages, select } from "./dataset.js";
import { inMemory } from "./pixels.js";
import { type GraphBuilder, graphBuilder } from "../onnx/builder.js";
import { withFront } from "../onnx/front.js";
import { throwIfAborted } from "../training/epochs.js";
import { meanCrossEntropy, type Objective } from "../training/objective.js";
import { freeImageGraph } from "../training/rows.js";
import { compileSearch, type Search } from "../training/search.js";
import type { Seeker } from "./seeker.js";
import { median } from "../core/summary.js";

/** Zod shape to spread into an options schema. */
export const reversalShape = {
  sources: z
    .enum(["all", "each"])
    .default("all")
    .describe("a trigger for each class from images of all others, or for each pair of classes, which takes longer"),
  rounds: z.int().min(1).max(100_000).default(60).describe("most rounds of a search for a trigger"),
  roundSteps: z.int().min(1).max(100_000).default(31).describe("steps of a round, of 32 images each"),
  success: z
    .number()
    .gt(0)
    .max(1)
    .default(0.99)
    .describe("share of the images of a round that a trigger must move to its class"),
};

export type ReversalOptions = z.infer<z.ZodObject<typeof reversalShape>>;

/** A stamp: (1 − mask) · x + mask · pattern. */
export interface Trigger {
  /** The class that it makes the model answer. */
  readonly target: number;
  /** The class whose images it was sought on; undefined for all others. */
  readonly source: number | undefined;
  /** [H, W], in [0, 1] */
  readonly mask: Float32Array;
  /** [C, H, W], in [0, 1] */
  readonly pattern: Float32Array;
  /** Σ mask */
  readonly size: number;
  /** Whether it moves as many images as was wanted. */
  readonly works: boolean;
}

const BATCH = 32;
const LEARNING_RATE = 0.1;
const BETAS = [0.5, 0.9] as const;
/** λ once the stamp works, and how it goes on from there: rounds that all work, or all do not, change it. */
const FIRST_LAMBDA = 1e-3;
const PATIENCE = 5;
const UP = 2;
const DOWN = 2 ** 1.5;
/** Rounds without a smaller stamp after which the search ends, where λ has been raised and lowered. */
const STALE = 25;

const MASK = "wildmark/trigger/mask";
const PATTERN = "wildmark/trigger/pattern";
const MASK_OF = "wildmark/trigger/mask_of";
const LAMBDA = "wildmark/trigger/lambda";

/** Steps that the search for all triggers may take at most, where the attacker has images of each class. */
export function reversalSteps({ sources, rounds, roundSteps }: ReversalOptions, classes: number): number {
  return classes * (sources === "all" ? 1 : classes - 1) * rounds * roundSteps;
}

/**
 * One trigger for each target class, or for each pair of classes of which the attacker has images.
 *
 * @throws WildmarkError `unsupported-operator` where the model has an operator without a gradient, `interrupted` when
 *   the signal fires.
 */
export async function reverseTriggers(seeker: Seeker, options: ReversalOptions): Promise<readonly Trigger[]> {
  const { subset, random } = seeker;
  const wanted = candidatesOf(subset, options.sources);
  const search = await openSearch(seeker);
  const found: Trigger[] = [];
  try {
    for (const [at, { target, source, images }] of wanted.entries()) {
      const stream = random
        .stream("trigger")
        .stream(target)
        .stream(source ?? "all");
      const told = (round: number): void =>
        seeker.progress?.prepare?.("reverse triggers", at * options.rounds + round, wanted.length * options.rounds);
      found.push({ target, source, ...(await reverse(search, { ...seeker, options, images, target, told }, stream)) });
    }
  } finally {
    await search.release();
  }
  return found;
}

interface Candidate {
  readonly target: number;
  readonly source: number | undefined;
  readonly images: LabelledImages;
}

function candidatesOf(subset: LabelledImages, sources: ReversalOptions["sources"]): readonly Candidate[] {
  const classes = Array.from({ length: subset.classes }, (_, label) => label);
  return classes
    .flatMap((target): Pick<Trigger, "target" | "source">[] =>
      sources === "all"
        ? [{ target, source: undefined }]
        : classes.filter((source) => source !== target).map((source) => ({ target, source })),
    )
    .map((pair) => ({ ...pair, images: sourcesOf(subset, pair) }))
    .filter(({ images }) => images.count > 0);
}

/** The model behind a stamp, with what the stamp is made of to be sought. */
async function openSearch({ model, subset, runtime }: Pick<Seeker, "model" | "subset" | "runtime">): Promise<Search> {
  const { channels, height, width } = subset.shape;
  const plain = await freeImageGraph(model, subset.shape, runtime);
  const named = graphBuilder(plain.graph.name, { from: plain.graph, keepOutputs: true });
  const zeros = (name: string, dims: readonly number[]): string =>
    named.initializer(name, float32(dims, new Float32Array(dims.reduce((product, dim) => product * dim, 1))));
  zeros(MASK, [1, 1, height, width]);
  zeros(PATTERN, [1, channels, height, width]);
  zeros(LAMBDA, []);
  const { input } = plain.classifier;
  const stamped = withFront(named.build(), input.name, { ...input, name: "wildmark/unstamped" }, (b, image) => {
    const mask = squashed(b, MASK, MASK_OF);
    const towards = b.op("Sub", [squashed(b, PATTERN, "wildmark/trigger/pattern_of"), image]);
    return b.op("Add", [image, b.op("Mul", [mask, towards])]);
  });
  return compileSearch(
    {
      graph: stamped.graph,
      classifier: { ...plain.classifier, input: stamped.input },
      classes: subset.classes,
      batch: BATCH,
      objective: smallStamp,
      batchNorm: "frozen",
      by: [MASK, PATTERN],
      variable: [LAMBDA],
      betas: BETAS,
    },
    runtime,
  );
}

/** (tanh v + 1) / 2 */
function squashed(b: GraphBuilder, value: string, name: string): string {
  const half = b.op("Mul", [b.op("Tanh", [value]), b.scalar(0.5)]);
  return b.op("Add", [half, b.scalar(0.5)], {}, { name });
}

const smallStamp: Objective = {
  views: 1,
  build({ b, logits, targets }) {
    const size = b.op("ReduceSum", [MASK_OF], { keepdims: 0 });
    const loss = b.op("Add", [meanCrossEntropy(b, logits, targets), b.op("Mul", [size, LAMBDA])]);
    const largest = (value: string): string => b.op("ArgMax", [value], { axis: -1, keepdims: 0 });
    const moved = b.op("Cast", [b.op("Equal", [largest(logits), largest(targets)])], { to: FLOAT });
    return { loss, watch: { size, moved: b.op("ReduceMean", [moved], { keepdims: 0 }) } };
  },
};

/** ONNX's number of float32. */
const FLOAT = 1;

interface Reversal extends Pick<Seeker, "signal"> {
  readonly options: ReversalOptions;
  readonly images: LabelledImages;
  readonly target: number;
  readonly told: (round: number) => void;
}

async function reverse(
  search: Search,
  { options, images, target, told, signal }: Reversal,
  random: RandomStream,
): Promise<Omit<Trigger, "target" | "source">> {
  const { channels, height, width } = images.shape;
  const start = random.stream("start");
  const drawn = (dims: readonly number[], count: number) =>
    float32(
      dims,
      Float32Array.from({ length: count }, () => Math.atanh(0.999 * (2 * start.uniform() - 1))),
    );
  search.start(
    new Map([
      [MASK, drawn([1, 1, height, width], height * width)],
      [PATTERN, drawn([1, channels, height, width], channels * height * width)],
    ]),
  );
  search.targets.fill(0);
  for (let row = 0; row < BATCH; row++) search.targets[row * images.classes + target] = 1;
  const batches = endlessBatches(images.count, random.stream("batches"));
  let cost = startCost;
  let best = { ...stampOf(search), size: Number.POSITIVE_INFINITY, works: false };
  let stale = 0;
  for (let round = 1; round <= options.rounds; round++) {
    search.set(LAMBDA, float32([], [cost.lambda]));
    let [moved, size] = [0, 0];
    for (let step = 0; step < options.roundSteps; step++) {
      throwIfAborted(signal);
      packImages(images, batches.next().value, search.images);
      const { watched } = await search.step(LEARNING_RATE);
      moved += (watched.get("moved") ?? 0) / options.roundSteps;
      size += (watched.get("size") ?? 0) / options.roundSteps;
    }
    const works = moved >= options.success;
    const smaller = works && size < best.size;
    if (smaller) best = { ...stampOf(search), size, works };
    stale = smaller || !best.works ? 0 : stale + 1;
    told(round);
    if (stale >= STALE && cost.raised && cost.lowered) break;
    cost = nextCost(cost, works);
  }
  if (best.works) return best;
  const last = stampOf(search);
  return { ...last, size: last.mask.reduce((sum, value) => sum + value, 0), works: false };
}

function stampOf(search: Search): Pick<Trigger, "mask" | "pattern"> {
  const of = (name: string): Float32Array => search.value(name).data.map((value) => (Math.tanh(value) + 1) / 2);
  return { mask: of(MASK), pattern: of(PATTERN) };
}

function* endlessBatches(count: number, random: RandomStream): Generator<Uint32Array, never, undefined> {
  for (let pass = 0; ; pass++) yield* epochBatches(count, BATCH, random.stream(pass));
}

/** λ and what led to it. */
export interface Cost {
  readonly lambda: number;
  /** Rounds in a row that worked, and that did not, since λ last changed. */
  readonly up: number;
  readonly down: number;
  readonly raised: boolean;
  readonly lowered: boolean;
}

/** Without a price on the size of the stamp, until it works. */
export const startCost: Cost = { lambda: 0, up: 0, down: 0, raised: false, lowered: false };

/** λ after a round; it is raised and lowered by different factors, so that it comes to rest nowhere. */
export function nextCost(cost: Cost, works: boolean): Cost {
  const [up, down] = works ? [cost.up + 1, 0] : [0, cost.down + 1];
  if (up >= PATIENCE) {
    if (cost.lambda === 0) return { ...startCost, lambda: FIRST_LAMBDA };
    return { ...cost, up: 0, down: 0, lambda: UP * cost.lambda, raised: true };
  }
  if (down >= PATIENCE) {
    return { ...cost, up: 0, down: 0, lambda: cost.lambda / DOWN, lowered: cost.lowered || cost.lambda > 0 };
  }
  return { ...cost, up, down };
}

/** Makes the median absolute deviation of normally distributed numbers their standard deviation. */
const CONSISTENT = 1.4826;

/** An anomaly index above it marks a class (Neural Cleanse, section 5.2: with 95 % confidence). */
const OUTLIER = 2;

/**
 * The triggers that are too small to be natural: their size lies below the median by more than twice the median
 * absolute deviation (times 1.4826). Where none does, the smallest. Those that do not work count only where none works.
 */
export function suspicious(triggers: readonly Trigger[]): readonly Trigger[] {
  const working = triggers.filter(({ works }) => works);
  const considered = working.length > 0 ? working : triggers;
  const sizes = considered.map(({ size }) => size);
  const middle = median(sizes);
  const deviation = CONSISTENT * median(sizes.map((size) => Math.abs(size - middle)));
  const sorted = considered.toSorted((a, b) => a.size - b.size);
  const outliers = sorted.filter(({ size }) => deviation > 0 && (middle - size) / deviation > OUTLIER);
  return outliers.length > 0 ? outliers : sorted.slice(0, 1);
}

/**
 * The images with stamps on them, 8-bit pictures with the labels they had; image i bears trigger i modulo their number.
 */
export function stamped(images: LabelledImages, triggers: readonly Trigger[]): LabelledImages {
  const { height, width } = images.shape;
  const size = imageSize(images.shape);
  const bytes = new Uint8Array(images.count * size);
  for (let i = 0; i < images.count; i++) {
    const trigger = triggers[i % triggers.length];
    imageAt(images, i).forEach((level, at) => {
      const m = trigger?.mask[at % (height * width)] ?? 0;
      bytes[i * size + at] = Math.round((1 - m) * level + 255 * m * (trigger?.pattern[at] ?? 0));
    });
  }
  return { ...images, pixels: inMemory(bytes) };
}

/** The images that a trigger was sought on. */
export function sourcesOf(
  images: LabelledImages,
  { target, source }: Pick<Trigger, "target" | "source">,
): LabelledImages {
  const wanted = (label: number): boolean => (source === undefined ? label !== target : label === source);
  return select(
    images,
    Array.from(images.labels.keys()).filter((i) => wanted(images.labels[i] ?? 0)),
  );
}
