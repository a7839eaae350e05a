/**
 * @file Fine-pruning's mechanism: units that sleep on clean images go first, go no further than the bound, and stay
 * out.
 */

import { beforeAll, expect, test } from "vitest";
import { randomStream } from "../core/random.js";
import { float32 } from "../core/tensor.js";
import { accuracy } from "../data/answers.js";
import { select } from "../data/dataset.js";
import { imageFeed } from "../data/feed.js";
import { cleanView } from "../data/views.js";
import { imageGraph } from "../onnx/image-graph.js";
import { type Model, withWeights } from "../onnx/model.js";
import { storedTensors } from "../onnx/traverse.js";
import { trainEpochs } from "../training/epochs.js";
import { crossEntropyObjective } from "../training/objective.js";
import { sgdPlan } from "../training/options.js";
import { tinyImages, tinyModel } from "../training/testing/tiny.js";
import { openDormancy } from "./dormancy.js";
import { finePruning } from "./fine-pruning.js";
import type { Stage } from "./method.js";
import { unitLayers } from "./units.js";

const subset = tinyImages(80, { seed: 3 });
const SLEEPER = 2;
const defaults = finePruning.options.parse({});

/**
 * A trained model with one filter that sleeps: planted before training, it gets no gradient through its ReLU. A white
 * square would wake it, as a trigger does.
 */
let planted: Model;
beforeAll(async () => {
  const options = { ...defaults, epochs: 12, batch: 8, weightDecay: 0 };
  const feed = imageFeed(tinyImages(240), { batch: 8, views: [cleanView], random: randomStream(1) });
  const fresh = tinyModel({ batchNorm: true });
  planted = withSlices(fresh, [
    ["conv.weight", slice(fresh, "conv.weight", SLEEPER).fill(1)],
    ["bn.shift", slice(fresh, "bn.shift", SLEEPER).fill(-20)],
  ]);
  const plan = sgdPlan(options, crossEntropyObjective());
  for await (const epoch of trainEpochs(planted, plan, feed)) planted = epoch.model();
}, 30_000);

/** One unit's part of a tensor whose first axis is that of the units. */
function slice(model: Model, name: string, unit: number): Float32Array {
  const tensor = storedTensors(model.graph).get(name);
  if (tensor?.type !== "float32") throw new Error(name);
  const size = tensor.data.length / (tensor.dims[0] ?? 1);
  return tensor.data.slice(unit * size, (unit + 1) * size);
}

function withSlices(model: Model, slices: readonly (readonly [string, Float32Array])[]): Model {
  const stored = storedTensors(model.graph);
  return withWeights(
    model,
    new Map(
      slices.map(([name, values]) => {
        const tensor = stored.get(name);
        if (tensor?.type !== "float32") throw new Error(name);
        const data = tensor.data.slice();
        data.set(values, SLEEPER * values.length);
        return [name, float32(tensor.dims, data)] as const;
      }),
    ),
  );
}

async function stages(model: Model, options: Partial<typeof defaults>): Promise<Stage[]> {
  const found: Stage[] = [];
  const attack = { model, subset, random: randomStream(4) };
  for await (const stage of finePruning.run(attack, { ...defaults, epochs: 2, batch: 16, ...options })) {
    // A stage's model is that of its time: the next step writes elsewhere.
    const now = stage.model();
    found.push({ ...stage, model: () => now });
  }
  return found;
}

const TENSORS = ["conv.weight", "conv.bias", "bn.scale", "bn.shift"];
const isOut = (model: Model, unit: number): boolean =>
  TENSORS.every((name) => slice(model, name, unit).every((value) => value === 0));
const out = (model: Model): number[] => [0, 1, 2, 3].filter((unit) => isOut(model, unit));

test("the unit that sleeps on clean images goes first, and stays out through tuning", async () => {
  const { graph, classifier } = imageGraph(planted, subset.shape);
  const [conv] = unitLayers(graph, classifier, new Set());
  if (conv === undefined) throw new Error("no layer");
  const dormancy = await openDormancy({ model: planted }, conv, { seen: subset, watched: subset });
  await dormancy.release();
  expect(dormancy.activations[SLEEPER]).toBe(0);
  expect(dormancy.activations.filter((value) => value > 0).length).toBe(3);

  const [pruned, ...tuned] = await stages(planted, { accuracyDrop: 0.02 });
  expect(out(pruned?.model() ?? planted)).toContain(SLEEPER);
  expect(pruned?.loss).toBeUndefined();
  expect(tuned.length).toBe(2);
  for (const stage of tuned) expect(out(stage.model())).toEqual(out(pruned?.model() ?? planted));
  const kept = [0, 1, 2, 3].find((unit) => !out(pruned?.model() ?? planted).includes(unit)) ?? 0;
  expect(slice(tuned.at(-1)?.model() ?? planted, "conv.weight", kept)).not.toEqual(slice(planted, "conv.weight", kept));
});

test("a unit that costs more than the bound is kept, and all go where there is none", async () => {
  const [none] = await stages(planted, { accuracyDrop: 0 });
  const [all] = await stages(planted, { accuracyDrop: 1 });
  expect(out(all?.model() ?? planted)).toEqual([0, 1, 2, 3]);
  expect(out(none?.model() ?? planted).length).toBeLessThan(4);
  const before = await accuracy(planted, subset);
  expect(before).toBeGreaterThan(0.7);
  expect(await accuracy(all?.model() ?? planted, subset)).toBeLessThan(0.4);
  // The bound holds on the held-out fifth; on all images it may be missed by some.
  expect(await accuracy(none?.model() ?? planted, subset)).toBeGreaterThan(before - 0.1);
});

test("what a gradient would move stays out too: columns of the last layer, where only that may change", async () => {
  const attack = { model: planted, subset, random: randomStream(4), trainFrom: "fc2" };
  const columns = (model: Model): number[] => {
    const tensor = storedTensors(model.graph).get("fc2.weight");
    if (tensor?.type !== "float32") throw new Error("fc2.weight");
    const [rows = 0, units = 0] = tensor.dims;
    const isZero = (unit: number) =>
      Array.from({ length: rows }, (_, row) => tensor.data[row * units + unit]).every((v) => v === 0);
    return Array.from({ length: units }, (_, unit) => unit).filter(isZero);
  };
  const found: number[][] = [];
  const options = { ...defaults, accuracyDrop: 1, epochs: 2, batch: 16 };
  for await (const stage of finePruning.run(attack, options)) found.push(columns(stage.model()));
  expect(found[0]?.length).toBe(12);
  expect(found).toEqual([found[0], found[0], found[0]]);
});

test("held-out images follow the attacker's stream, and one image is enough to begin", async () => {
  const single = { model: planted, subset: select(subset, [0]), random: randomStream(1) };
  let count = 0;
  for await (const _ of finePruning.run(single, { ...defaults, epochs: 1, batch: 1 })) count += 1;
  expect(count).toBe(2);
});
