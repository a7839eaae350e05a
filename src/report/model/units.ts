/**
 * @file A model's layers in units: stretches between layers that everything passes through, and what of them repeats.
 *
 * A network is a chain of such units (a layer, a residual block, an attention block), and deep ones repeat a few of
 * them many times. The first copy is drawn; the others are counted.
 */

import { type Layer, nodesOf, type Outline } from "./outline.js";
import { operatorName } from "../../onnx/graph.js";

/** Layers, by their indices in the outline; all that leaves it leaves through the last. */
export type Unit = readonly number[];

/** Units that stand one after another, and that often. */
export interface Run {
  readonly units: readonly Unit[];
  /** At least 1; of the copies after the first, the layers. */
  readonly times: number;
  readonly others: readonly number[];
}

/** Fewer layers than this are not worth folding away. */
const LEAST_FOLDED = 8;

/** As many units as one copy may have. */
const LONGEST_PERIOD = 24;

/** The outline as a chain of units. */
export function unitsOf(outline: Outline): readonly Unit[] {
  const farthest = outline.map((_, index) => index);
  for (const [index, { inputs }] of outline.entries()) for (const from of inputs) farthest[from] = index;
  const units: Unit[] = [];
  let unit: number[] = [];
  let reach = 0;
  for (const index of outline.keys()) {
    unit.push(index);
    if (reach <= index) {
      units.push(unit);
      unit = [];
    }
    reach = Math.max(reach, farthest[index] ?? index);
  }
  return unit.length === 0 ? units : [...units, unit];
}

/**
 * The units, with those folded that only repeat the ones before.
 *
 * @param isMarked whether a layer is like no other, and never folded away.
 */
export function runsOf(
  outline: Outline,
  units: readonly Unit[],
  isMarked: (index: number) => boolean = () => false,
): readonly Run[] {
  const looks = units.map((unit, i) => lookOfUnit(outline, unit, units[i - 1]?.at(-1), isMarked));
  const runs: Run[] = [];
  for (let i = 0; i < units.length; ) {
    const { period, times } = longestRepeat(looks, units, i);
    const copies = units.slice(i, i + period * times);
    runs.push({ units: copies.slice(0, period), times, others: copies.slice(period).flat() });
    i += period * times;
  }
  return runs;
}

/** The period from `start` on that folds most layers away; one unit, once, where none folds enough. */
function longestRepeat(looks: readonly string[], units: readonly Unit[], start: number) {
  let best = { period: 1, times: 1, folded: LEAST_FOLDED - 1 };
  for (let period = 1; period <= LONGEST_PERIOD && start + 2 * period <= looks.length; period++) {
    let end = start + period;
    while (end < looks.length && looks[end] === looks[end - period]) end++;
    const times = Math.floor((end - start) / period);
    const layers = units.slice(start, start + period).reduce((sum, unit) => sum + unit.length, 0);
    const folded = layers * (times - 1);
    if (folded > best.folded) best = { period, times, folded };
  }
  return best;
}

function lookOfUnit(
  outline: Outline,
  unit: Unit,
  before: number | undefined,
  isMarked: (index: number) => boolean,
): string {
  const place = new Map(unit.map((index, i) => [index, i]));
  const looks = unit.map((index) => {
    const layer = outline[index];
    // What is like no other is told apart by its place.
    const own = layer === undefined || isMarked(index) ? `layer ${index}` : lookOfLayer(layer);
    const wires = (layer?.inputs ?? []).map((from) => (from === before ? "-" : (place.get(from) ?? `?${from}`)));
    return `${own}<${wires.join()}>`;
  });
  return looks.join("\n");
}

function lookOfLayer(layer: Layer): string {
  const { kind, trainable, kernel } = layer;
  // Not by its parameters: a constant that all copies share counts for the first.
  return JSON.stringify([kind, nodesOf(layer).map(operatorName), trainable > 0, kernel ?? null]);
}
