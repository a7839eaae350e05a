import { expect, test } from "vitest";
import { symmetricEigen } from "./eigen.js";
import { randomStream } from "./random.js";

test("known values", () => {
  const [first, second] = symmetricEigen([
    [2, 1],
    [1, 2],
  ]);
  expect(first?.value).toBeCloseTo(3, 12);
  expect(second?.value).toBeCloseTo(1, 12);
  for (const value of first?.vector ?? []) expect(value).toBeCloseTo(Math.SQRT1_2, 12);
});

test.each([1, 4, 12, 27])("%i×%i: A v = λ v, vectors orthogonal and of length 1, largest value first", (n) => {
  const random = randomStream(n, "eigen");
  const rows = Array.from({ length: n }, () => Array.from({ length: n }, () => random.normal()));
  const matrix = rows.map((_, i) =>
    rows.map((__, j) => (rows[i]?.[j] ?? 0) + (rows[j]?.[i] ?? 0) + (i === j ? 1e-3 : 0)),
  );
  const found = symmetricEigen(matrix);
  const dot = (x: readonly number[], y: readonly number[]): number => x.reduce((sum, v, i) => sum + v * (y[i] ?? 0), 0);
  found.forEach(({ value, vector }, i) => {
    matrix.forEach((row, k) => {
      expect(dot(row, vector)).toBeCloseTo(value * (vector[k] ?? 0), 10);
    });
    found.forEach((other, j) => {
      expect(dot(vector, other.vector)).toBeCloseTo(i === j ? 1 : 0, 10);
    });
    if (i > 0) expect(value).toBeLessThanOrEqual(found[i - 1]?.value ?? 0);
  });
});

test("of nothing but zeros", () => {
  expect(
    symmetricEigen(
      [
        [0, 0],
        [0, 0],
      ].map((row) => row),
    ).map(({ value }) => value),
  ).toEqual([0, 0]);
});
