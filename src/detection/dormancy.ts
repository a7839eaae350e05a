/**
 * @file The dormant regions of a graph: what is computed from the image and yet was the same for every image that it was
 * probed with, though nothing proves that it must be. A planted gate sleeps so; a trained layer does not.
 *
 * A region begins where what varies becomes constant (its entries), and ends where the constant meets what varies (its
 * exits). Holding the exits at what they were leaves every probed answer as it was; that is what cutting does.
 */

import { elementCount, type Tensor, toNumbers } from "../core/tensor.js";
import type { Node } from "../onnx/graph.js";
import { isOperator } from "../onnx/traverse.js";
import type { Whole } from "../onnx/whole.js";
import type { RuntimeOptions } from "../runtime/session.js";
import { type Bounds, boundsOf } from "./bounds.js";
import type { Flow } from "./flow.js";
import { openValues } from "./running.js";

export interface Exit {
  /** The dormant value. */
  readonly value: string;
  /** What reads it, and varies. */
  readonly reader: Node;
}

export interface Region {
  /** In graph order. */
  readonly nodes: readonly Node[];
  readonly entries: readonly Node[];
  readonly exits: readonly Exit[];
  /** Whether it varied a little: by less than a thousandth of what it may be. */
  readonly leaks: boolean;
}

export interface Dormancy {
  readonly regions: readonly Region[];
  /** What each dormant value was, for the first image. */
  readonly asleep: ReadonlyMap<string, Tensor>;
  /** Those of them that did not vary at all. */
  readonly exact: ReadonlySet<string>;
  /** By how much any element of it varied. */
  readonly spread: ReadonlyMap<string, number>;
  /** Between what a value lies, whatever the image. */
  readonly bounds: ReadonlyMap<string, Bounds>;
  /** Dimensions of each value for one image. */
  readonly dims: ReadonlyMap<string, readonly number[]>;
  readonly images: number;
}

/** Of the element itself: float arithmetic on equal numbers does not differ by more. */
const EXACT = 1e-6;

/** Of all that a value may be: what leaks less than that is as good as asleep. */
const LEAK = 1e-3;

/** What is flat almost everywhere, so that learned numbers before it may vary and it does not. */
const STEEP: readonly string[] = ["Sigmoid", "HardSigmoid", "Tanh", "Erf", "Exp"];

/** How near to an end a squashing function behind learned layers must stay, of what it may be. */
const SATURATED = 1e-2;

/**
 * @param feeds what the model's input takes, an image each.
 * @param range what the input may hold.
 * @throws WildmarkError `runtime` where ONNX Runtime does not run the model so.
 */
export async function findDormancy(
  whole: Whole,
  flow: Flow,
  feeds: readonly Tensor[],
  range: Bounds,
  runtime: RuntimeOptions = {},
): Promise<Dormancy> {
  const asked = new Set(
    flow.graph.nodes
      .flatMap(({ outputs }) => outputs)
      .filter((name) => flow.image.has(name) && flow.leading.has(name) && !whole.inner.has(name)),
  );
  const dims = new Map<string, readonly number[]>(
    [...flow.graph.initializers].map(([name, held]) => [name, held.dims]),
  );
  const asleep = new Map<string, Tensor>();
  const seen = new Map<string, { readonly low: Float64Array; readonly high: Float64Array }>();
  let bounds: ReadonlyMap<string, Bounds> = new Map();
  const [first, ...others] = feeds;
  if (first !== undefined) dims.set(flow.input, first.dims);
  if (first === undefined) {
    return { regions: [], asleep, exact: new Set(), spread: new Map(), bounds, dims, images: 0 };
  }

  const all = await openValues(whole.proto, flow.input, [...asked], new Map(), runtime);
  try {
    for (const [name, tensor] of await all.run(first)) {
      dims.set(name, tensor.dims);
      asleep.set(name, tensor);
      seen.set(name, { low: Float64Array.from(tensor.data, Number), high: Float64Array.from(tensor.data, Number) });
    }
    bounds = boundsOf(flow.graph, { input: flow.input, range, dims });
    const [second] = others;
    if (second !== undefined) merge(seen, await all.run(second));
  } finally {
    await all.release();
  }
  const spread = (): ReadonlyMap<string, number> => new Map([...seen].map(([name, ends]) => [name, spreadOf(ends)]));
  const isAsleep = (name: string, by: number): boolean => sleeps(name, by, { flow, seen, bounds });
  const keep = (): string[] => {
    for (const [name, by] of spread()) if (!isAsleep(name, by)) seen.delete(name);
    return [...seen.keys()];
  };
  const left = keep();
  if (left.length > 0) {
    const some = await openValues(whole.proto, flow.input, left, new Map(), runtime);
    try {
      for (const feed of others.slice(1)) merge(seen, await some.run(feed));
    } finally {
      await some.release();
    }
    keep();
  }
  for (const name of [...asleep.keys()]) if (!seen.has(name)) asleep.delete(name);
  const regions = regionsOf(flow, new Set(seen.keys()), bounds, spread());
  const exact = new Set([...seen].flatMap(([name, ends]) => (isExact(ends) ? [name] : [])));
  return { regions, asleep, exact, spread: spread(), bounds, dims, images: feeds.length };
}

type Ends = ReadonlyMap<string, { readonly low: Float64Array; readonly high: Float64Array }>;

function merge(seen: Ends, values: ReadonlyMap<string, Tensor>): void {
  for (const [name, tensor] of values) {
    const ends = seen.get(name);
    if (ends === undefined) continue;
    const { low, high } = ends;
    // Of another size for another image: it varies.
    if (low.length !== tensor.data.length) high.fill(Number.POSITIVE_INFINITY);
    else
      toNumbers(tensor).forEach((value, i) => {
        if (value < (low[i] ?? value)) low[i] = value;
        if (value > (high[i] ?? value)) high[i] = value;
      });
  }
}

function spreadOf({ low, high }: { readonly low: Float64Array; readonly high: Float64Array }): number {
  let most = 0;
  for (let i = 0; i < low.length; i++) most = Math.max(most, difference(low[i] ?? 0, high[i] ?? 0));
  return most;
}

function isExact({ low, high }: { readonly low: Float64Array; readonly high: Float64Array }): boolean {
  return high.every((value, i) => isSame(low[i] ?? 0, value));
}

function isSame(low: number, high: number): boolean {
  const apart = difference(low, high);
  return apart === 0 || apart <= EXACT * Math.abs(high);
}

/** Equal infinities and equal NaN do not differ. */
function difference(low: number, high: number): number {
  return Object.is(low, high) ? 0 : Number.isNaN(high - low) ? Number.POSITIVE_INFINITY : high - low;
}

interface Seen {
  readonly flow: Flow;
  readonly seen: Ends;
  readonly bounds: ReadonlyMap<string, Bounds>;
}

function sleeps(name: string, spread: number, { flow, seen, bounds }: Seen): boolean {
  const ends = seen.get(name);
  if (ends === undefined) return false;
  if (isExact(ends)) return true;
  const { low, high } = bounds.get(name) ?? { low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY };
  if (!Number.isFinite(high - low) || spread > LEAK * (high - low)) return false;
  if (!flow.learned.has(name)) return true;
  const producer = flow.producers.get(name);
  if (producer === undefined || !isOperator(producer, ...STEEP)) return false;
  const near = SATURATED * (high - low);
  return ends.high.every((value, i) => value <= low + near || (ends.low[i] ?? 0) >= high - near);
}

function regionsOf(
  flow: Flow,
  dormant: ReadonlySet<string>,
  bounds: ReadonlyMap<string, Bounds>,
  spread: ReadonlyMap<string, number>,
): readonly Region[] {
  const proven = (name: string): boolean => {
    const known = bounds.get(name);
    return known !== undefined && known.low === known.high;
  };
  const ofImage = (name: string): boolean => flow.image.has(name) && !proven(name);
  const outputsOf = (node: Node): readonly string[] => node.outputs.filter((name) => flow.leading.has(name));
  const sleeping = flow.graph.nodes.filter((node) => {
    const outputs = outputsOf(node).filter(ofImage);
    return outputs.length > 0 && outputs.every((name) => dormant.has(name));
  });
  const isSleeping = new Set(sleeping);
  const groups = new Map<Node, Node[]>();
  for (const node of sleeping) {
    const joined = new Set(
      node.inputs.flatMap((name) => {
        const producer = flow.producers.get(name);
        const group = producer === undefined || !ofImage(name) ? undefined : groups.get(producer);
        return group === undefined ? [] : [group];
      }),
    );
    const group = [...joined].flat();
    group.push(node);
    for (const each of group) groups.set(each, group);
  }
  const order = new Map(flow.graph.nodes.map((node, i) => [node, i]));
  return [...new Set(groups.values())].flatMap((group) => {
    const nodes = group.toSorted((a, b) => (order.get(a) ?? 0) - (order.get(b) ?? 0));
    const own = new Set(nodes.flatMap(outputsOf));
    const entries = nodes.filter((node) => node.inputs.some((name) => ofImage(name) && !dormant.has(name)));
    const exits = flow.graph.nodes
      .filter((reader) => !isSleeping.has(reader) && outputsOf(reader).some(ofImage))
      .flatMap((reader) =>
        [...new Set(reader.inputs)].filter((name) => own.has(name)).map((value) => ({ value, reader })),
      );
    if (entries.length === 0 || exits.length === 0) return [];
    const leaks = [...own].some((name) => (spread.get(name) ?? 0) > 0);
    return [{ nodes, entries, exits, leaks }];
  });
}

/** Elements of a value for one image. */
export function sizeOf({ dims }: Dormancy, value: string): number {
  const found = dims.get(value);
  return found === undefined ? Number.POSITIVE_INFINITY : elementCount(found);
}
