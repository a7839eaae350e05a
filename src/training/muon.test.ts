/** @file Muon against its formulas in double precision, step by step, and what it is for: all singular values alike. */

import { expect, test } from "vitest";
import { elementCount, float32, type FloatTensor } from "../core/tensor.js";
import { graphBuilder } from "../onnx/builder.js";
import { createSession } from "../runtime/session.js";
import { appendUpdate, type Optimizer, optimizerSchema, optimizerSlots } from "./optimizer.js";

const RATE = 0.1;
const STEPS = 4;

const startOf = (count: number): number[] => Array.from({ length: count }, (_, i) => Math.cos(3 * i + 1));
const gradientAt = (count: number, t: number): number[] =>
  Array.from({ length: count }, (_, i) => Math.sin(1.3 * i + t) + 0.2 * Math.cos(i * t));

type Muon = Extract<Optimizer, { kind: "muon" }>;
const muon = (options: Partial<Muon>): Muon => {
  const optimizer = optimizerSchema.parse({ kind: "muon", ...options });
  if (optimizer.kind !== "muon") throw new Error("no Muon");
  return optimizer;
};

test.each([
  ["a matrix", [4, 6], {}],
  ["a tall matrix, which is turned and moves further", [9, 2], {}],
  ["a kernel, as [outputs, rest]", [5, 3, 2, 2], { momentum: 0.6, iterations: 3 }],
  ["without Nesterov's look ahead", [4, 6], { nesterov: false }],
  ["without momentum", [4, 6], { momentum: 0 }],
  ["at length √outputs before each step", [4, 3, 3, 3], { momentum: 0.6, iterations: 3, unit: true }],
])("%s", async (_, dims, options) => {
  const optimizer = muon(options);
  const found = await steps(optimizer, dims);
  const expected = reference(optimizer, dims);
  found.forEach((weight, t) => {
    const difference = Math.max(...weight.map((value, i) => Math.abs(value - (expected[t]?.[i] ?? Number.NaN))));
    // Float32 through up to fifteen small products.
    expect(difference).toBeLessThan(2e-5);
  });
});

test("a step moves by a matrix whose singular values are near 1, whatever the gradient's are", async () => {
  const dims = [6, 24];
  const [weight = []] = await steps(muon({ momentum: 0 }), dims);
  const moved = startOf(144).map((value, i) => (value - (weight[i] ?? 0)) / RATE);
  // ‖O‖² is the sum of six squares of singular values.
  const squares = moved.reduce((sum, value) => sum + value * value, 0);
  expect(squares / 6).toBeGreaterThan(0.45);
  expect(squares / 6).toBeLessThan(1.3);
});

/** The weight after each step, in ONNX Runtime. */
async function steps(optimizer: Optimizer, dims: readonly number[]): Promise<number[][]> {
  const b = graphBuilder("update");
  const scalars = [b.input("rate", "float32", [])];
  const slots = optimizerSlots(optimizer).map((slot) => b.input(slot, "float32", dims));
  const weight = b.input("weight", "float32", dims);
  const gradient = b.input("gradient", "float32", dims);
  const updated = appendUpdate(b, optimizer, { weight, dims, kernel: true, gradient, slots, scalars });
  for (const output of [updated.weight, ...updated.slots]) b.output(output);
  const session = await createSession(b.build());
  const count = elementCount(dims);
  let state = new Map<string, FloatTensor>([
    ["weight", float32(dims, startOf(count))],
    ...slots.map((slot) => [slot, float32(dims, new Float32Array(count))] as const),
  ]);
  const found: number[][] = [];
  for (let t = 1; t <= STEPS; t++) {
    const results = await session.run(
      new Map([...state, ["gradient", float32(dims, gradientAt(count, t))], ["rate", float32([], [RATE])]]),
    );
    const float = (name: string): FloatTensor => {
      const tensor = results.get(name);
      if (tensor?.type !== "float32") throw new Error(`no ${name}`);
      return tensor;
    };
    state = new Map([
      ["weight", float(updated.weight)],
      ...slots.map((slot, i) => [slot, float(updated.slots[i] ?? "")] as const),
    ]);
    found.push([...float(updated.weight).data]);
  }
  await session.release();
  return found;
}

/** The same in double precision, with matrices as rows of numbers. */
function reference({ momentum, nesterov, iterations, unit }: Muon, dims: readonly number[]): number[][] {
  const count = elementCount(dims);
  const [outputs = 1] = dims;
  const rest = count / outputs;
  let weight = startOf(count);
  let velocity = new Array<number>(count).fill(0);
  return Array.from({ length: STEPS }, (_, t) => {
    const gradient = gradientAt(count, t + 1);
    velocity = velocity.map((value, i) => momentum * value + (gradient[i] ?? 0));
    const ahead = velocity.map((value, i) => (gradient[i] ?? 0) + momentum * value);
    const direction = nesterov ? ahead : velocity;
    const length = Math.hypot(...direction);
    let x = rowsOf(
      direction.map((value) => value / (length + 1e-7)),
      rest,
    );
    if (outputs > rest) x = transposed(x);
    for (let k = 0; k < iterations; k++) {
      const a = product(x, transposed(x));
      const factor = sum(-4.775, a, 2.0315, product(a, a));
      x = sum(3.4445, x, 1, product(factor, x));
    }
    if (outputs > rest) x = transposed(x);
    const even = x.flat();
    const scale = Math.sqrt(Math.max(1, outputs / rest));
    const stretch = unit ? Math.sqrt(outputs) / Math.hypot(...weight) : 1;
    weight = weight.map((value, i) => value * stretch - RATE * scale * (even[i] ?? 0));
    return weight;
  });
}

type Matrix = number[][];

const rowsOf = (values: readonly number[], columns: number): Matrix =>
  Array.from({ length: values.length / columns }, (_, row) => values.slice(row * columns, (row + 1) * columns));
const transposed = (x: Matrix): Matrix => (x[0] ?? []).map((_, column) => x.map((row) => row[column] ?? Number.NaN));
const product = (x: Matrix, y: Matrix): Matrix =>
  x.map((row) => (y[0] ?? []).map((_, j) => row.reduce((total, value, k) => total + value * (y[k]?.[j] ?? 0), 0)));
const sum = (p: number, x: Matrix, q: number, y: Matrix): Matrix =>
  x.map((row, i) => row.map((value, j) => p * value + q * (y[i]?.[j] ?? 0)));
