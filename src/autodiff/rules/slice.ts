/** @file Gradient of Slice: the pieces go back to where they were, with zeros around and between. */

import { toNumbers } from "../../core/tensor.js";
import type { GradientContext } from "../rule.js";
import { reshapeTo } from "./broadcast.js";
import { padded } from "./padded.js";

/** One sliced axis, its elements counted upwards. */
interface Cut {
  readonly axis: number;
  /** Elements before the lowest one taken. */
  readonly start: number;
  /** Distance of those taken, positive. */
  readonly step: number;
  /** Whether they were taken from the highest to the lowest. */
  readonly reversed: boolean;
}

/** Turns reversed axes round, spreads strided axes, pads; at most five nodes, one for plain slices. */
export function sliceRule(context: GradientContext): (string | undefined)[] {
  const { b, dy, node, input, dims } = context;
  const from = dims(input(0));
  const to = dims(node.outputs[0] ?? "");
  const cuts = cutsOf(context);

  let gradient = dy;
  const reversed = cuts.filter((cut) => cut.reversed);
  if (reversed.length > 0) {
    gradient = b.op("Slice", [
      gradient,
      b.ints(reversed.map(() => -1)),
      b.ints(reversed.map(() => Number.MIN_SAFE_INTEGER)),
      b.ints(reversed.map(({ axis }) => axis)),
      b.ints(reversed.map(() => -1)),
    ]);
  }

  // [… , m, …] → [… , m, 1, …] → [… , m, step, …] → [… , m·step, …]: each element is followed by step − 1 zeros.
  const stepOf = (axis: number): number => cuts.find((cut) => cut.axis === axis)?.step ?? 1;
  const spread = to.map((dim, axis) => dim * stepOf(axis));
  const strided = to.flatMap((_, axis) => (stepOf(axis) > 1 ? [axis] : []));
  if (strided.length > 0) {
    const split = to.flatMap((dim, axis) => (strided.includes(axis) ? [dim, 1] : [dim]));
    // Each strided axis has moved by the axes that were put in before it, and its zeros go to the axis after it.
    const inserted = strided.map((axis, i) => axis + i + 1);
    gradient = reshapeTo(b, gradient, to, split);
    const [begins, ends] = [strided.map(() => 0), strided.map((axis) => stepOf(axis) - 1)];
    gradient = padded(b, gradient, split.length, { axes: inserted, begins, ends });
    gradient = b.op("Reshape", [gradient, b.ints(spread)]);
  }

  const begins = cuts.map(({ start }) => start);
  // Negative where the zeros after the last element run past the end of the axis.
  const ends = cuts.map(({ axis, start }) => (from[axis] ?? 0) - start - (spread[axis] ?? 0));
  if ([...begins, ...ends].every((pad) => pad === 0)) return [gradient];
  return [padded(b, gradient, from.length, { axes: cuts.map(({ axis }) => axis), begins, ends })];
}

function cutsOf({ node, input, has, dims, constant }: GradientContext): Cut[] {
  const from = dims(input(0));
  const to = dims(node.outputs[0] ?? "");
  const starts = toNumbers(constant(1));
  const axes = has(3) ? toNumbers(constant(3)) : [...starts.keys()];
  const steps = has(4) ? toNumbers(constant(4)) : starts.map(() => 1);
  return axes.map((given, i) => {
    const axis = given < 0 ? given + from.length : given;
    const size = from[axis] ?? 0;
    const count = to[axis] ?? 0;
    const step = steps[i] ?? 1;
    const start = starts[i] ?? 0;
    // As Python has it: counted from the end where negative, then brought inside.
    const first = Math.min(Math.max(start < 0 ? start + size : start, 0), step > 0 ? size : size - 1);
    if (step > 0) return { axis, start: first, step: count > 1 ? step : 1, reversed: false };
    const lowest = first + Math.max(count - 1, 0) * step;
    return { axis, start: lowest, step: count > 1 ? -step : 1, reversed: count > 1 };
  });
}
