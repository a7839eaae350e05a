/**
 * @file What the graph detectors and the cut know of one model, found once: its whole graph, how the image flows
 * through it, which regions sleep, what wakes them, and what they do then.
 */

import { WildmarkError } from "../core/errors.js";
import { elementCount, float32, type Tensor, toNumbers } from "../core/tensor.js";
import type { Model } from "../onnx/model.js";
import { ownAnswer } from "../onnx/own-answer.js";
import { ownInput } from "../onnx/own-input.js";
import { isOperator } from "../onnx/traverse.js";
import { type Whole, wholeGraph } from "../onnx/whole.js";
import type { Subject } from "./detector.js";
import { type Dormancy, findDormancy, type Region, sizeOf } from "./dormancy.js";
import { type Effect, effectOf, type EffectOptions } from "./effect.js";
import { type Flow, flowOf, isHard } from "./flow.js";
import { noiseImages, userImages, wakingImages } from "./probes.js";
import { openFront } from "./running.js";
import { type Awake, wake } from "./waking.js";

export interface Structure {
  readonly whole: Whole;
  readonly flow: Flow;
}

const structures = new WeakMap<Model, Structure>();

/** @throws WildmarkError `bad-model` for a model that cannot be asked, or whose graphs are not whole. */
export function structureOf(subject: Pick<Subject, "model" | "shape">): Structure {
  const { model, shape } = subject;
  const known = structures.get(model);
  if (known !== undefined) return known;
  const fileName = (name: string): string => model.inFile.get(name) ?? name;
  const whole = wholeGraph(model);
  const input = fileName(ownInput(model, shape).input.name);
  const made = { whole, flow: flowOf(whole.graph, input, fileName(ownAnswer(model).output.name)) };
  structures.set(model, made);
  return made;
}

/** A dormant region, and all that is known of it. */
export interface Gate {
  readonly region: Region;
  /** Whether nothing learned decides it. */
  readonly raw: boolean;
  /** Whether it holds an operator that makes a hard choice. */
  readonly hard: boolean;
  /** Whether it comes down to a few numbers an image. */
  readonly narrow: boolean;
  /** Whether it reaches the scores without another learned layer. */
  readonly late: boolean;
  /** Whether what it meets comes through learned layers. */
  readonly joins: boolean;
  readonly awake: readonly Awake[];
  /** Held awake as the witness had it, or turned by force where there is none; undefined where that did not run. */
  readonly effect: Effect | undefined;
}

export interface Probed {
  readonly dormancy: Dormancy;
  readonly gates: readonly Gate[];
  /** Feeds of the images that were probed: of noise, and of the user's. */
  readonly feeds: readonly Tensor[];
}

const probed = new WeakMap<Subject, Promise<Probed | undefined>>();

/** Images of noise that gates are probed with, and most of the user's. */
const NOISE = 20;
const OWN = 20;

/** Undefined where the subject is not to be run, or does not run with its values looked at. */
export async function probe(subject: Subject): Promise<Probed | undefined> {
  const known = probed.get(subject) ?? probeOnce(subject);
  probed.set(subject, known);
  return known;
}

async function probeOnce(subject: Subject): Promise<Probed | undefined> {
  if (subject.structureOnly === true) return undefined;
  const { model, shape, images, random, runtime = {} } = subject;
  const { whole, flow } = structureOf(subject);
  try {
    const front = await openFront(model, shape, runtime);
    try {
      const feed = async (all: readonly ReturnType<typeof float32>[]): Promise<readonly Tensor[]> => {
        const feeds: Tensor[] = [];
        for (const image of all) feeds.push(await front.feed(image));
        return feeds;
      };
      const noise = await feed(noiseImages(shape, NOISE, random.stream("noise")));
      const own = await feed(userImages(images, OWN));
      const [black, white] = await feed([0, 1].map((level) => flat(shape, level)));
      if (black === undefined || white === undefined) return undefined;
      const reach = [...toNumbers(black), ...toNumbers(white)];
      const range = { low: reach.reduce((a, b) => Math.min(a, b)), high: reach.reduce((a, b) => Math.max(a, b)) };
      const feeds = [...noise, ...own];
      const dormancy = await findDormancy(whole, flow, feeds, range, runtime);
      const gates: Gate[] = [];
      const plain = dormancy.regions.length === 0 ? [] : await feed(wakingImages(shape));
      const starts = [...own.slice(0, 2), ...noise.slice(0, 2), black];
      for (const region of dormancy.regions) {
        const awake = await wake(region, {
          ...{ whole, flow, dormancy, plain, starts, runtime },
          ends: [black, white],
          random: random.stream("wake"),
        });
        const { head } = model;
        const { threshold } = ownAnswer(model);
        const asked: EffectOptions = { whole, flow, head, threshold, feeds, runtime };
        gates.push(await gateOf(region, { flow, dormancy, classes: subject.classes, awake, asked }));
      }
      return { dormancy, gates, feeds };
    } finally {
      await front.release();
    }
  } catch (error) {
    // Values that are no tensors, operators that this runtime lacks: then the graph is read, and not run.
    if (error instanceof WildmarkError && NOT_RUN.has(error.code)) return undefined;
    throw error;
  }
}

const NOT_RUN: ReadonlySet<string> = new Set(["runtime", "bad-model", "bad-data", "unsupported-operator"]);

function flat({ channels, height, width }: Subject["shape"], level: number) {
  const dims = [1, channels, height, width];
  return float32(dims, new Float32Array(elementCount(dims)).fill(level));
}

interface GateOptions {
  readonly flow: Flow;
  readonly dormancy: Dormancy;
  readonly classes: number;
  readonly awake: readonly Awake[];
  readonly asked: EffectOptions;
}

async function gateOf(region: Region, options: GateOptions): Promise<Gate> {
  const { flow, dormancy, classes, awake } = options;
  const values = region.nodes.flatMap(({ outputs }) => outputs).filter((name) => name !== "");
  const joined = region.exits.flatMap(({ reader }) => reader.outputs);
  return {
    region,
    raw: !values.some((name) => flow.learned.has(name)),
    hard: region.nodes.some((node) => isHard(node) || isFromChoice(node, flow)),
    narrow: values.some((name) => sizeOf(dormancy, name) <= classes),
    late: region.exits.some(({ value }) => flow.late.has(value)),
    joins: joined.some((name) => flow.learned.has(name)),
    awake,
    effect: await strongest(region, options),
  };
}

function isFromChoice(node: Region["nodes"][number], flow: Flow): boolean {
  const producer = flow.producers.get(node.inputs[0] ?? "");
  return isOperator(node, "Cast") && producer !== undefined && isHard(producer);
}

/** The effect that changes most answers, of all witnesses; by force where there is none. */
async function strongest(region: Region, { dormancy, awake, asked }: GateOptions): Promise<Effect | undefined> {
  const asleep = heldAsleep(region, dormancy);
  const tries =
    awake.length > 0
      ? awake.map(({ exits }) => [asleep, exits] as const)
      : [[entriesAsleep(region, dormancy), forced(region, dormancy)] as const];
  let best: Effect | undefined;
  for (const [from, to] of tries) {
    try {
      const effect = await effectOf(from, to, asked);
      if (best === undefined || effect.changed > best.changed) best = effect;
    } catch (error) {
      // What is held does not fit where it is put, or makes the scores no numbers: no effect is known.
      if (!(error instanceof WildmarkError)) throw error;
    }
  }
  return best;
}

/** What a region's exits were while it slept. */
export function heldAsleep({ exits }: Region, { asleep }: Dormancy): ReadonlyMap<string, Tensor> {
  return new Map(exits.flatMap(({ value }) => entryOf(asleep, value)));
}

function entriesAsleep({ entries }: Region, { asleep }: Dormancy): ReadonlyMap<string, Tensor> {
  return new Map(entries.flatMap(({ outputs }) => outputs.flatMap((value) => entryOf(asleep, value))));
}

function entryOf(asleep: ReadonlyMap<string, Tensor>, value: string): readonly (readonly [string, Tensor])[] {
  const tensor = asleep.get(value);
  return tensor === undefined ? [] : [[value, tensor]];
}

/** What the entries make, turned: what was false is true, and a number is as large as it can be, or one more. */
function forced(region: Region, dormancy: Dormancy): ReadonlyMap<string, Tensor> {
  const { bounds } = dormancy;
  return new Map(
    [...entriesAsleep(region, dormancy)].map(([name, tensor]): readonly [string, Tensor] => {
      if (tensor.type === "bool") return [name, { ...tensor, data: tensor.data.map((value) => 1 - value) }];
      if (tensor.type !== "float32") return [name, tensor];
      const { high } = bounds.get(name) ?? { high: Number.POSITIVE_INFINITY };
      const [most] = tensor.data.toSorted().slice(-1);
      const turned = Number.isFinite(high) && high > (most ?? 0) ? high : (most ?? 0) + 1;
      return [name, { ...tensor, data: tensor.data.map(() => turned) }];
    }),
  );
}
