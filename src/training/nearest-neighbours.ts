/**
 * @file The soft nearest neighbour loss: how mixed two groups of examples are in a representation (Frosst, Papernot,
 * Hinton, ICML 2019; as in Jia et al., USENIX Security 2021, definition 1).
 *
 *     SNNL = −mean over i of log ( Σ_{j ≠ i, w_j = w_i} exp(−d_ij / T) / Σ_{k ≠ i} exp(−d_ik / T) )
 *
 * It is small where each example is near those of its own group, and log of about two where two groups of a size lie as
 * one.
 *
 * Where examples have classes (our extension), j and k go over those of i's class alone, and the mean over all i that
 * have another one of their group there: how mixed the groups are within each class.
 */

import { float32 } from "../core/tensor.js";
import type { GraphBuilder } from "../onnx/builder.js";

/** d: the square of the Euclidean distance, or one minus the cosine. */
export type Distance = "euclidean" | "cosine";

/**
 * Appends the loss.
 *
 * @param features [rows, …], anything behind the first axis taken as one vector
 * @param groups w, the group of each row; each has two members or more
 * @param temperature T, name of a scalar
 * @param classes [rows, classes], one-hot, to look at each class by itself; absent: at all rows together
 * @returns the name of a scalar
 */
export function appendNearestNeighbourLoss(
  b: GraphBuilder,
  features: string,
  groups: readonly number[],
  temperature: string,
  distance: Distance,
  classes?: string,
): string {
  const flat = b.op("Flatten", [features], { axis: 1 });
  const apart = b.op("Neg", [distance === "euclidean" ? squaredDistances(b, flat) : cosineDistances(b, flat)]);
  const exponent = b.op("Div", [apart, temperature]);
  const others = b.op("Add", [exponent, without(b, groups, (i, j) => i === j)]);
  const own = b.op("Add", [exponent, without(b, groups, (i, j) => i === j || groups[i] !== groups[j])]);
  const sum = (value: string): string => b.op("ReduceLogSumExp", [value, b.ints([1])], { keepdims: 0 });
  if (classes === undefined) return b.op("ReduceMean", [b.op("Sub", [sum(others), sum(own)])], { keepdims: 0 });
  const alike = b.op("MatMul", [classes, b.op("Transpose", [classes], { perm: [1, 0] })]);
  const apartByClass = b.op("Mul", [b.op("Sub", [b.scalar(1), alike]), b.scalar(NEVER)]);
  const within = (value: string): string => sum(b.op("Add", [value, apartByClass]));
  const ofGroup = pairs(b, groups, (i, j) => (i !== j && groups[i] === groups[j] ? 1 : 0));
  const neighbours = b.op("ReduceSum", [b.op("Mul", [alike, ofGroup]), b.ints([1])], { keepdims: 0 });
  const counts = b.op("Min", [neighbours, b.scalar(1)]);
  const total = b.op("ReduceSum", [b.op("Mul", [b.op("Sub", [within(others), within(own)]), counts])], { keepdims: 0 });
  const number = b.op("Max", [b.op("ReduceSum", [counts], { keepdims: 0 }), b.scalar(1)]);
  return b.op("Div", [total, number]);
}

/** exp of it is 0 in float32, and what is added to it does not matter. */
const NEVER = -1e9;

/** [rows, rows]: `NEVER` for pairs that are left out, else 0. */
function without(b: GraphBuilder, groups: readonly number[], leftOut: (i: number, j: number) => boolean): string {
  return pairs(b, groups, (i, j) => (leftOut(i, j) ? NEVER : 0));
}

function pairs(b: GraphBuilder, groups: readonly number[], weightOf: (i: number, j: number) => number): string {
  const values = groups.flatMap((_, i) => groups.map((_, j) => weightOf(i, j)));
  return b.initializer("pairs", float32([groups.length, groups.length], values));
}

/** ‖x_i‖² + ‖x_j‖² − 2 ⟨x_i, x_j⟩. */
function squaredDistances(b: GraphBuilder, flat: string): string {
  const squares = b.op("ReduceSum", [b.op("Mul", [flat, flat]), b.ints([1])], { keepdims: 1 });
  const sums = b.op("Add", [squares, b.op("Transpose", [squares], { perm: [1, 0] })]);
  return b.op("Sub", [sums, b.op("Mul", [products(b, flat), b.scalar(2)])]);
}

/** Under the root of a length: a vector of zeros has none. */
const LEAST_SQUARE = 1e-12;

function cosineDistances(b: GraphBuilder, flat: string): string {
  const square = b.op("ReduceSum", [b.op("Mul", [flat, flat]), b.ints([1])], { keepdims: 1 });
  const unit = b.op("Div", [flat, b.op("Sqrt", [b.op("Add", [square, b.scalar(LEAST_SQUARE)])])]);
  return b.op("Sub", [b.scalar(1), products(b, unit)]);
}

/** ⟨x_i, x_j⟩, [rows, rows]. */
function products(b: GraphBuilder, flat: string): string {
  return b.op("MatMul", [flat, b.op("Transpose", [flat], { perm: [1, 0] })]);
}
