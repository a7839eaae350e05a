/** @file Eigenvalues and eigenvectors of small symmetric matrices. */

import { at } from "./lists.js";

export interface Eigen {
  readonly value: number;
  /** Of length 1; its largest element is positive, so that it is one of two. */
  readonly vector: readonly number[];
}

/** Turns after which nothing is left beside the diagonal, whatever the matrix. */
const SWEEPS = 60;

/**
 * All of them, largest eigenvalue first: Jacobi's method.
 *
 * @param matrix n rows of n numbers, symmetric; a few dozen rows.
 */
export function symmetricEigen(matrix: readonly (readonly number[])[]): Eigen[] {
  const n = matrix.length;
  const a = matrix.map((row) => Float64Array.from(row));
  const vectors = matrix.map((_, i) => Float64Array.from({ length: n }, (__, j) => (i === j ? 1 : 0)));
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    for (let p = 0; p < n; p++) for (let q = p + 1; q < n; q++) rotate(a, vectors, p, q);
  }
  return a
    .map((row, i) => ({ value: at([...row], i), vector: oneOfTwo(Array.from(at(vectors, i))) }))
    .toSorted((one, other) => other.value - one.value);
}

/** Turns the plane of the axes p and q so that `a` has 0 there. */
function rotate(a: readonly Float64Array[], vectors: readonly Float64Array[], p: number, q: number): void {
  const [ap, aq] = [at(a, p), at(a, q)];
  const beside = ap[q] ?? 0;
  if (beside === 0) return;
  const half = ((aq[q] ?? 0) - (ap[p] ?? 0)) / (2 * beside);
  const tangent = (half < 0 ? -1 : 1) / (Math.abs(half) + Math.sqrt(half * half + 1));
  const cosine = 1 / Math.sqrt(tangent * tangent + 1);
  const sine = tangent * cosine;
  for (const row of a) turn(row, row, p, q, cosine, sine);
  for (const [first, second] of [
    [ap, aq],
    [at(vectors, p), at(vectors, q)],
  ] as const) {
    for (let k = 0; k < first.length; k++) turn(first, second, k, k, cosine, sine);
  }
}

function turn(first: Float64Array, second: Float64Array, i: number, j: number, cosine: number, sine: number): void {
  const [x, y] = [first[i] ?? 0, second[j] ?? 0];
  first[i] = cosine * x - sine * y;
  second[j] = sine * x + cosine * y;
}

function oneOfTwo(vector: readonly number[]): readonly number[] {
  const largest = vector.reduce((most, value) => (Math.abs(value) > Math.abs(most) ? value : most), 0);
  return largest < 0 ? vector.map((value) => -value) : vector;
}
