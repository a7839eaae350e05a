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
import { type Effect, effectOf, type EffectOptions, overrides } from "./effect.js";
import { type Flow, flowOf, isHard, meetsLearned } from "./flow.js";
import { noiseImages, userImages, wakingImages } from "./probes.js";
import { openFront } from "./running.js";
import { type Awake, openWaker, type Waker } from "./waking.js";

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
  /** Whether it puts a constant as large as an image into what is computed. */
  readonly replaces: boolean;
  /** Whether it puts a constant, one number a class, into what becomes the scores. */
  readonly constant: boolean;
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
      const { threshold } = ownAnswer(model);
      for (const region of dormancy.regions) {
        const asked: EffectOptions = { whole, flow, head: model.head, threshold, feeds, runtime };
        const waker = await openWaker(region, {
          ...{ whole, flow, dormancy, plain, starts, runtime },
          ends: [black, white],
          random: random.stream("wake"),
        });
        try {
          gates.push(await gateOf(region, { flow, dormancy, classes: subject.classes, waker, asked }));
        } finally {
          await waker.release();
        }
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
  readonly waker: Waker;
  readonly asked: EffectOptions;
}

async function gateOf(region: Region, options: GateOptions): Promise<Gate> {
  const { flow, dormancy, classes } = options;
  const values = region.nodes.flatMap(({ outputs }) => outputs).filter((name) => name !== "");
  const around = [...region.nodes, ...region.exits.map(({ reader }) => reader)];
  const facts = {
    region,
    raw: !values.some((name) => flow.learned.has(name)),
    hard: region.nodes.some((node) => isHard(node) || isFromChoice(node, flow)),
    narrow: values.some((name) => sizeOf(dormancy, name) <= classes),
    late: region.exits.some(({ value }) => flow.late.has(value)),
    joins: region.exits.some(
      ({ reader }) => reader.outputs.some((name) => flow.learned.has(name)) || meetsLearned(reader, flow),
    ),
    replaces: around.some((node) =>
      node.inputs.some((name) => !flow.image.has(name) && sizeOf(dormancy, name) >= sizeOf(dormancy, flow.input) / 2),
    ),
    constant: around.some((node) => {
      const stored = node.inputs.filter((name) => !flow.image.has(name));
      return (
        node.outputs.some((name) => flow.late.has(name)) && stored.some((name) => sizeOf(dormancy, name) === classes)
      );
    }),
  };
  // A dead map of learned features is nothing more, whatever wakes it; a large network has many.
  if (!facts.raw && !facts.hard && !facts.narrow) return { ...facts, awake: [], effect: undefined };
  return { ...facts, ...(await woken(region, options)) };
}

function isFromChoice(node: Region["nodes"][number], flow: Flow): boolean {
  const producer = flow.producers.get(node.inputs[0] ?? "");
  return isOperator(node, "Cast") && producer !== undefined && isHard(producer);
}

/** By plain images; by a search where these do not override the answers; by force where nothing wakes it. */
async function woken(region: Region, options: GateOptions): Promise<Pick<Gate, "awake" | "effect">> {
  const { dormancy, waker, asked } = options;
  const asleep = heldAsleep(region, dormancy);
  const after = async (awake: readonly Awake[]): Promise<Pick<Gate, "awake" | "effect">> => {
    const tried: { readonly awake: Awake; readonly effect: Effect | undefined }[] = [];
    for (const each of awake) tried.push({ awake: each, effect: await measured(asleep, each.exits, asked) });
    const best = tried.toSorted((a, b) => worth(b) - worth(a));
    return { awake: best.map((each) => each.awake), effect: best[0]?.effect };
  };
  /** One that shows something and overrides the answers goes before all that are blank. */
  const worth = ({ awake: { blank }, effect }: { awake: Awake; effect: Effect | undefined }): number =>
    (effect?.changed ?? 0) + (!blank && effect !== undefined && overrides(effect) ? 1 : 0);
  const plain = await after(await waker.plain());
  if (plain.effect !== undefined && overrides(plain.effect)) return plain;
  const sought = await after(await waker.sought());
  if ((sought.effect?.changed ?? 0) > (plain.effect?.changed ?? 0)) return sought;
  if (plain.awake.length > 0) return plain;
  if (sought.awake.length > 0) return sought;
  const turned = forced(region, dormancy);
  return { awake: [], effect: await measured(entriesAsleep(region, dormancy), turned, asked) };
}

/** Undefined where what is held does not fit where it is put, or makes the scores no numbers. */
async function measured(
  from: ReadonlyMap<string, Tensor>,
  to: ReadonlyMap<string, Tensor>,
  asked: EffectOptions,
): Promise<Effect | undefined> {
  try {
    return await effectOf(from, to, asked);
  } catch (error) {
    if (error instanceof WildmarkError) return undefined;
    throw error;
  }
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
