/** @file Padding with zeros, as rules write it. */

import type { GraphBuilder } from "../../onnx/builder.js";

/** Zeros before and after the elements of some axes; a negative number cuts elements off. */
export interface Padding {
  readonly axes: readonly number[];
  readonly begins: readonly number[];
  readonly ends: readonly number[];
}

/**
 * Pads a value of `rank` axes.
 *
 * Lists every axis: where Pad names its axes, ONNX Runtime 1.30 (TransposeOptimizer) moves a Transpose past it as if
 * all were listed, and then fails. The heads of attention, q = transpose(qkv)[0], are such a place.
 */
export function padded(b: GraphBuilder, value: string, rank: number, { axes, begins, ends }: Padding): string {
  const of = (list: readonly number[]): number[] =>
    Array.from({ length: rank }, (_, axis) => (axes.includes(axis) ? (list[axes.indexOf(axis)] ?? 0) : 0));
  return b.op("Pad", [value, b.ints([...of(begins), ...of(ends)]), b.scalar(0)]);
}
