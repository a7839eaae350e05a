/** @file Gradient transformations by themselves; what they do in a step is tested in step.test.ts and strategies/. */

import { expect, test } from "vitest";
import { type FloatTensor, float32 } from "../core/tensor.js";
import { type GraphBuilder, graphBuilder } from "../onnx/builder.js";
import { imageGraph } from "../onnx/image-graph.js";
import { createSession } from "../runtime/session.js";
import { type GradientTransformation, type GroupGradient, gradientChain } from "./gradient-chain.js";
import { crossEntropyObjective } from "./objective.js";
import type { StepPlan } from "./step-plan.js";
import { tinyModel } from "./testing/tiny.js";
import { alone, inVector } from "./weight-groups.js";

const weights: Readonly<Record<string, FloatTensor>> = {
  long: float32([2], [30, 40]),
  short: float32([2], [0.3, 0.4]),
};
const { graph: model, classifier } = imageGraph(tinyModel(), { channels: 1, height: 8, width: 8 });
const graph = { ...model, initializers: new Map([...model.initializers, ...Object.entries(weights)]) };
const plan = (changes: Partial<StepPlan>): StepPlan => ({
  ...{ graph, classifier, classes: 4, batch: 8, objective: crossEntropyObjective(), batchNorm: "train" },
  optimizer: { kind: "sgd", momentum: 0, nesterov: false, weightDecay: 0 },
  trainable: Object.keys(weights),
  ...changes,
});

/** What becomes of gradients, given by weight as values of the graph. */
async function transformed(
  chain: GradientTransformation,
  gradientOf: (b: GraphBuilder) => Readonly<Record<string, string>>,
  added: ReadonlyMap<string, FloatTensor> = new Map(),
): Promise<Readonly<Record<string, readonly number[] | undefined>>> {
  const b = graphBuilder("gradients");
  const gradients = gradientOf(b);
  const groups = Object.entries(weights).map(([name, weight]): GroupGradient => {
    const [group, gradient] = [alone(name, weight), gradients[name]];
    const value = inVector(b, group, b.initializer(name, weight));
    return { group, weights: value, gradient: gradient === undefined ? undefined : inVector(b, group, gradient) };
  });
  const names = chain.append(b, groups).map(({ group, gradient }) => [group.name, gradient?.vector()] as const);
  for (const [, name] of names) if (name !== undefined) b.output(b.op("Identity", [name], {}, { name: `${name}/out` }));
  const session = await createSession(b.build(), { threads: 1 });
  const results = await session.run(chain.feeds(added));
  await session.release();
  const numbers = (name: string): number[] => Array.from(results.get(`${name}/out`)?.data ?? [], Number);
  return Object.fromEntries(names.map(([group, name]) => [group, name === undefined ? undefined : numbers(name)]));
}

const both = (b: GraphBuilder): Readonly<Record<string, string>> => ({
  long: b.initializer("g", float32([2], [3, 4])),
  short: b.initializer("g", float32([2], [0, 12])),
});

test("without a wish nothing is appended, and what has no gradient has none afterwards", async () => {
  expect(await transformed(gradientChain(plan({})), both)).toEqual({ long: [3, 4], short: [0, 12] });
  const one = await transformed(gradientChain(plan({ clipNorm: 1 })), (b) => ({ long: both(b).long ?? "" }));
  expect(one.long?.map((value) => Math.fround(value))).toEqual([Math.fround(0.6), Math.fround(0.8)]);
  expect(one.short).toBeUndefined();
});

test("first gradients join, then each is shortened by its weight, then all together", async () => {
  const added = new Map([["short", float32([2], [5, -12])]]);
  const joined = { joinsGradients: true } as const;
  expect(await transformed(gradientChain(plan(joined)), both, added)).toEqual({ long: [3, 4], short: [5, 0] });
  // A tenth of the weights' lengths, 50 and 0.5, is 5 and 0.05: only the second is longer.
  const each = await transformed(gradientChain(plan({ ...joined, clipRatio: 0.1 })), both, added);
  expect(each.long).toEqual([3, 4]);
  expect(each.short?.[0]).toBeCloseTo(0.05, 6);
  const all = await transformed(gradientChain(plan({ ...joined, clipRatio: 0.1, clipNorm: 1 })), both, added);
  expect(Math.hypot(...(all.long ?? []), ...(all.short ?? []))).toBeCloseTo(1, 6);
  expect(all.long?.[0]).toBeCloseTo(3 / Math.hypot(5, 0.05), 6);
});

test("a gradient that two weights share counts for each of them", async () => {
  const shared = await transformed(gradientChain(plan({ clipNorm: 1 })), (b) => {
    const gradient = b.initializer("g", float32([2], [3, 4]));
    return { long: gradient, short: gradient };
  });
  expect(Math.hypot(...(shared.long ?? []), ...(shared.short ?? []))).toBeCloseTo(1, 6);
});
