/**
 * @file Tries to wake a dormant region: with plain images and patches, then along a gradient of what decides it.
 * What it finds is an image, and what the region's exits are for it: a witness.
 */

import { appendGradients } from "../autodiff/differentiate.js";
import { WildmarkError } from "../core/errors.js";
import type { RandomStream } from "../core/random.js";
import { elementCount, float32, type Tensor, toNumbers } from "../core/tensor.js";
import { graphBuilder } from "../onnx/builder.js";
import type { Node } from "../onnx/graph.js";
import type { Whole } from "../onnx/whole.js";
import { targetOf } from "../runtime/autotuning/identity.js";
import { lowerPrimitives } from "../runtime/lowering/index.js";
import { createSession, type RuntimeOptions, type Session } from "../runtime/session.js";
import { traceGraph } from "../runtime/trace.js";
import type { Dormancy, Region } from "./dormancy.js";
import type { Flow } from "./flow.js";
import { openValues } from "./running.js";
import { softened } from "./soften.js";

export interface Awake {
  /** What the model's input was fed. */
  readonly fed: Tensor;
  /** What the region's exits were. */
  readonly exits: ReadonlyMap<string, Tensor>;
  readonly by: "a plain image" | "a search";
  /** Whether the image is of one colour, or nearly: a guard against empty images wakes for these alone. */
  readonly blank: boolean;
  /** How far the exits are from what they were asleep; more than 1. */
  readonly strength: number;
}

export interface WakeOptions {
  readonly whole: Whole;
  readonly flow: Flow;
  readonly dormancy: Dormancy;
  /** Feeds of black and of white images: between them lies what the input may hold. */
  readonly ends: readonly [Tensor, Tensor];
  /** Feeds of plain images and patches. */
  readonly plain: readonly Tensor[];
  /** Feeds that the search starts from. */
  readonly starts: readonly Tensor[];
  readonly random: RandomStream;
  readonly runtime?: RuntimeOptions;
}

/** Witnesses are enough. */
const MOST = 4;

/** Entries of a region that are searched: more decide together, and each costs a gradient. */
const SEARCHED = 3;

/** Steps of a search, each of this share of what a pixel may be. */
const STEPS = 60;
const STEP = 0.05;

/** How often a search is tried on the model itself. */
const TRY_EACH = 6;

export interface Waker {
  /** Witnesses among plain images and patches, those that show something first, and the strongest of them. */
  readonly plain: () => Promise<readonly Awake[]>;
  /** Witnesses along a gradient, the strongest first; none where there is none. */
  readonly sought: () => Promise<readonly Awake[]>;
  readonly release: () => Promise<void>;
}

export async function openWaker(region: Region, options: WakeOptions): Promise<Waker> {
  const { whole, flow, dormancy, plain, runtime } = options;
  const exits = [...new Set(region.exits.map(({ value }) => value))];
  const opened = await openValues(whole.proto, flow.input, exits, new Map(), runtime);
  const tried = async (fed: Tensor, by: Awake["by"]): Promise<Awake> => {
    const values = await opened.run(fed);
    const strength = Math.max(...exits.map((name) => awakeness(name, values.get(name), dormancy)));
    return { fed, exits: values, by, blank: isBlank(fed, options.ends), strength };
  };
  const strongest = (all: readonly Awake[]): readonly Awake[] =>
    all
      .filter(({ strength }) => strength > 1)
      .toSorted((a, b) => Number(a.blank) - Number(b.blank) || b.strength - a.strength)
      .slice(0, MOST);
  return {
    async plain() {
      const all: Awake[] = [];
      for (const fed of plain) all.push(await tried(fed, "a plain image"));
      return strongest(all);
    },
    async sought() {
      const all: Awake[] = [];
      for (const entry of region.entries.slice(0, SEARCHED)) {
        for (const sign of [1, -1])
          await search(entry, sign, options, async (fed) => all.push(await tried(fed, "a search")));
      }
      return strongest(all);
    },
    release: () => opened.release(),
  };
}

/**
 * How far a value is from what it was asleep: more than 1 where that is ten times as far as it ever strayed, and no
 * rounding.
 */
function awakeness(name: string, now: Tensor | undefined, { asleep, spread }: Dormancy): number {
  const before = asleep.get(name);
  if (before === undefined || now === undefined) return 0;
  if (before.data.length !== now.data.length) return Number.POSITIVE_INFINITY;
  const [was, is] = [toNumbers(before), toNumbers(now)];
  const most = was.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
  const least = Math.max(1e-6, 1e-4 * most, 10 * (spread.get(name) ?? 0));
  return is.reduce((max, value, i) => Math.max(max, far(value, was[i] ?? 0) / least), 0);
}

/** Of what a pixel may be: less contrast is none. */
const CONTRAST = 0.1;

function isBlank(fed: Tensor, [black, white]: WakeOptions["ends"]): boolean {
  const [values, from, to] = [fed, black, white].map(toNumbers);
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  values?.forEach((value, i) => {
    const [zero, one] = [from?.[i] ?? 0, to?.[i] ?? 1];
    const share = one === zero ? 0 : (value - zero) / (one - zero);
    low = Math.min(low, share);
    high = Math.max(high, share);
  });
  return high - low <= CONTRAST;
}

/** NaN is far from all but NaN. */
function far(a: number, b: number): number {
  if (Object.is(a, b) || a === b) return 0;
  return Number.isNaN(a - b) ? Number.POSITIVE_INFINITY : Math.abs(a - b);
}

async function search(
  entry: Node,
  sign: number,
  { flow, dormancy, ends, starts, random, runtime = {} }: WakeOptions,
  tried: (fed: Tensor) => Promise<unknown>,
): Promise<void> {
  const [low, high] = ends.map(toNumbers);
  const slope = await openSlope(entry, flow, dormancy, ends[0], runtime);
  if (slope === undefined || low === undefined || high === undefined) return;
  try {
    for (const [i, start] of starts.entries()) {
      const stream = random.stream(i);
      const at = Float32Array.from(start.data, Number);
      for (let step = 0; step < STEPS; step++) {
        const gradient = await slope.at(at);
        if (gradient === undefined) return;
        for (let p = 0; p < at.length; p++) {
          const [from, to] = [Math.min(low[p] ?? 0, high[p] ?? 0), Math.max(low[p] ?? 0, high[p] ?? 0)];
          // A flat place is left by chance.
          const towards =
            Math.sign(gradient[p] ?? 0) || (stream.uniform() < 0.05 ? (stream.uniform() < 0.5 ? 1 : -1) : 0);
          at[p] = Math.min(to, Math.max(from, (at[p] ?? 0) + sign * towards * STEP * (to - from)));
        }
        if (step % TRY_EACH === TRY_EACH - 1) await tried(asFed(start, at));
      }
    }
  } finally {
    await slope.release();
  }
}

/** Numbers in the element type of what is fed. */
function asFed(like: Tensor, at: Float32Array): Tensor {
  switch (like.type) {
    case "float32":
      return float32(like.dims, at.slice());
    case "float64":
      return { ...like, data: Float64Array.from(at) };
    case "uint8":
      return { ...like, data: Uint8Array.from(at, Math.round) };
    case "int32":
      return { ...like, data: Int32Array.from(at, Math.round) };
    case "int64":
      return { ...like, data: BigInt64Array.from(at, (value) => BigInt(Math.round(value))) };
    default:
      return like;
  }
}

interface Slope {
  /** The gradient of the drive by the input; undefined where it is lost. */
  at(input: Float32Array): Promise<Float32Array | undefined>;
  release(): Promise<void>;
}

/** Undefined where what decides the entry has no gradient, even made soft. */
async function openSlope(
  entry: Node,
  flow: Flow,
  { asleep }: Dormancy,
  example: Tensor,
  runtime: RuntimeOptions,
): Promise<Slope | undefined> {
  const { dims } = example;
  try {
    const { graph, input, drive } = softened(flow, entry, asleep.get(entry.outputs[0] ?? ""));
    const b = graphBuilder("slope", { from: { ...graph, inputs: [{ ...input, dims }], outputs: [] } });
    const feed = float32(dims, new Float32Array(elementCount(dims)));
    const trace = await traceGraph({ ...graph, inputs: [{ ...input, dims }] }, new Map([[input.name, feed]]), runtime);
    // Of whole numbers and indices there is no gradient.
    if (trace.get(drive)?.type !== "float32") return undefined;
    const gradient = appendGradients(b, { trace, loss: drive, by: [input.name] }).get(input.name);
    if (gradient === undefined) return undefined;
    b.output(gradient, "float32", dims);
    const session: Session = await createSession(
      lowerPrimitives(b.build(), await targetOf({ ...runtime, device: "cpu" })),
      { ...runtime, device: "cpu" },
    );
    return {
      async at(values) {
        const found = (await session.run(new Map([[input.name, float32(dims, values)]]))).get(gradient);
        return found?.type === "float32" && found.data.every(Number.isFinite) ? found.data : undefined;
      },
      release: () => session.release(),
    };
  } catch (error) {
    // Operators without a rule, graphs without a canonical form: such a region is searched with plain images alone.
    if (error instanceof WildmarkError) return undefined;
    throw error;
  }
}
