/** @file The cells that windows read, one kernel position at a time: what several lowerings have in common. */

import { readEnd, type WindowAxis } from "../../autodiff/windows.js";
import type { GraphBuilder } from "../../onnx/builder.js";

/** `value` [_, _, …spatial] with as much padding as its windows read; itself where they read none. */
export function paddedForWindows(
  b: GraphBuilder,
  value: string,
  axes: readonly WindowAxis[],
  fill: number = 0,
): string {
  const begins = axes.map((axis) => axis.begin);
  const ends = axes.map(readEnd);
  if ([...begins, ...ends].every((pad) => pad === 0)) return value;
  return b.op("Pad", [value, b.ints([0, 0, ...begins, 0, 0, ...ends]), b.scalar(fill)]);
}

/**
 * What all windows read at the kernel position `tap`.
 *
 * @param padded [… , …spatial], padded as the windows need; the windows slide over its last axes.
 * @returns [… , …windows].
 */
export function cellsAt(b: GraphBuilder, padded: string, axes: readonly WindowAxis[], tap: readonly number[]): string {
  const starts = axes.map((axis, i) => (tap[i] ?? 0) * axis.dilation);
  const lengths = axes.map((axis) => axis.stride * (axis.output - 1) + 1);
  return b.op("Slice", [
    padded,
    b.ints(starts),
    b.ints(lengths.map((length, i) => length + (starts[i] ?? 0))),
    b.ints(axes.map((_, i) => i - axes.length)),
    b.ints(axes.map((axis) => axis.stride)),
  ]);
}
