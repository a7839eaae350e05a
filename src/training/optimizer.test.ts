/** @file Each optimiser against its formula in double precision, over five steps with a gradient that changes. */

import { expect, test } from "vitest";
import { float32, type Tensor } from "../core/tensor.js";
import { graphBuilder } from "../onnx/builder.js";
import { createSession } from "../runtime/session.js";
import { appendUpdate, type Optimizer, optimizerScalars, optimizerSchema, optimizerSlots } from "./optimizer.js";

const RATE = 0.1;
const STEPS = 5;
const start = [1, -2, 0.5, 3];
const gradientAt = (t: number): number[] => start.map((_, i) => Math.sin(i + 1) * t - 0.3 * i);

/** The formulas of torch.optim 2.x, one weight at a time. */
const formulas: Readonly<Record<string, (w0: number, gradient: (t: number) => number) => number>> = {
  "sgd {}": (w0, gradient) => sgd(w0, gradient, { momentum: 0.9 }),
  'sgd {"momentum":0}': (w0, gradient) => sgd(w0, gradient, { momentum: 0 }),
  'sgd {"momentum":0.8,"nesterov":true,"weightDecay":0.01}': (w0, gradient) =>
    sgd(w0, gradient, { momentum: 0.8, nesterov: true, weightDecay: 0.01 }),
  'adam {"weightDecay":0.05}': (w0, gradient) => adam(w0, gradient, { coupled: 0.05 }),
  'adamw {"beta1":0.8,"weightDecay":0.05}': (w0, gradient) => adam(w0, gradient, { beta1: 0.8, decoupled: 0.05 }),
};

test.each(Object.entries(formulas))("%s", async (name, formula) => {
  const [kind, options = "{}"] = name.split(/ (.*)/);
  const optimizer = optimizerSchema.parse({ kind, ...JSON.parse(options) });
  const weights = await optimise(optimizer);
  start.forEach((w0, i) => {
    // Five float32 updates; each rounds to about 1e-7.
    expect(weights[i]).toBeCloseTo(
      formula(w0, (t) => gradientAt(t)[i] ?? 0),
      5,
    );
  });
});

test("decay on kernels spares what has one dimension", async () => {
  const decaying = optimizerSchema.parse({ kind: "sgd", weightDecay: 0.1, decayOn: "kernels" });
  const plain = await optimise(optimizerSchema.parse({ kind: "sgd" }));
  expect(await optimise(decaying)).toEqual(plain);
  const everywhere = await optimise(optimizerSchema.parse({ kind: "sgd", weightDecay: 0.1 }));
  expect(everywhere).not.toEqual(plain);
  expect(await optimise(decaying, true)).toEqual(everywhere);
});

async function optimise(optimizer: Optimizer, kernel = false): Promise<readonly number[]> {
  const b = graphBuilder("update");
  const dims = [start.length];
  const scalars = optimizerScalars(optimizer, RATE, 1).map((_, i) => b.input(`scalar${i}`, "float32", []));
  const slots = optimizerSlots(optimizer).map((slot) => b.input(slot, "float32", dims));
  const weight = b.input("weight", "float32", dims);
  const gradient = b.input("gradient", "float32", dims);
  const updated = appendUpdate(b, optimizer, { weight, dims, kernel, gradient, slots, scalars });
  for (const output of [updated.weight, ...updated.slots]) b.output(output);
  const session = await createSession(b.build());
  let state: Tensor[] = [weight, ...slots].map((_, i) => float32(dims, i === 0 ? start : start.map(() => 0)));
  for (let t = 1; t <= STEPS; t++) {
    const feeds = new Map<string, Tensor>([["gradient", float32(dims, gradientAt(t))]]);
    optimizerScalars(optimizer, RATE, t).forEach((value, i) => {
      feeds.set(`scalar${i}`, float32([], [value]));
    });
    [weight, ...slots].forEach((name, i) => {
      feeds.set(name, state[i] ?? float32(dims, []));
    });
    const results = await session.run(feeds);
    state = [updated.weight, ...updated.slots].map((name) => results.get(name) ?? float32(dims, []));
  }
  await session.release();
  return Array.from(state[0]?.data ?? [], Number);
}

function sgd(
  w0: number,
  gradient: (t: number) => number,
  { momentum, nesterov = false, weightDecay = 0 }: { momentum: number; nesterov?: boolean; weightDecay?: number },
): number {
  let w = w0;
  let velocity = 0;
  for (let t = 1; t <= STEPS; t++) {
    const g = gradient(t) + weightDecay * w;
    velocity = momentum * velocity + g;
    w -= RATE * (nesterov ? g + momentum * velocity : velocity);
  }
  return w;
}

function adam(
  w0: number,
  gradient: (t: number) => number,
  { beta1 = 0.9, coupled = 0, decoupled = 0 }: { beta1?: number; coupled?: number; decoupled?: number },
): number {
  let w = w0;
  let [m, v] = [0, 0];
  for (let t = 1; t <= STEPS; t++) {
    const g = gradient(t) + coupled * w;
    w -= RATE * decoupled * w;
    m = beta1 * m + (1 - beta1) * g;
    v = 0.999 * v + 0.001 * g * g;
    w -= (RATE * (m / (1 - beta1 ** t))) / (Math.sqrt(v / (1 - 0.999 ** t)) + 1e-8);
  }
  return w;
}
