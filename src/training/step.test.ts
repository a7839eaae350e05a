/** @file A compiled step changes what it should, by the formula, and nothing else. */

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type FloatTensor, float32, type Tensor } from "../core/tensor.js";
import { copyPixels } from "../data/dataset.js";
import { canonicalGraph } from "../onnx/canonical.js";
import { findClassifier } from "../onnx/classifier.js";
import { createSession } from "../runtime/session.js";
import { crossEntropyObjective, meanCrossEntropy, type Objective, rows } from "./objective.js";
import type { Optimizer } from "./optimizer.js";
import { compileStep } from "./step.js";
import type { StepPlan, TrainingStep } from "./step-plan.js";
import { MOMENTUM, tinyImages, tinyModel } from "./testing/tiny.js";

const BATCH = 8;
const CLASSES = 4;
const plainSgd: Optimizer = { kind: "sgd", momentum: 0, nesterov: false, weightDecay: 0 };
const momentumSgd: Optimizer = { kind: "sgd", momentum: 0.9, nesterov: false, weightDecay: 0.01 };

function planFor(changes: Partial<StepPlan> = {}, batchNorm = false): StepPlan {
  const graph = canonicalGraph(tinyModel({ batchNorm }).graph);
  const classifier = findClassifier(graph);
  return {
    graph,
    classifier,
    classes: CLASSES,
    batch: BATCH,
    objective: crossEntropyObjective(),
    optimizer: plainSgd,
    trainable: classifier.trainable,
    batchNorm: "train",
    ...changes,
  };
}

/** Fills the step's input with `views` copies of the same images, disturbed by `shift` from view to view. */
function feed(step: TrainingStep, shift = 0): void {
  const { labels, ...set } = tinyImages(BATCH);
  const images = copyPixels(set);
  for (let i = 0; i < step.images.length; i++) {
    const view = Math.floor(i / images.length);
    step.images[i] = (images[i % images.length] ?? 0) / 255 + view * shift;
  }
  step.targets.fill(0);
  labels.forEach((label, row) => {
    step.targets[row * CLASSES + label] = 1;
  });
}

const open: TrainingStep[] = [];
afterAll(() => Promise.all(open.map((step) => step.release())));

async function compiled(plan: StepPlan): Promise<TrainingStep> {
  const step = await compileStep(plan);
  open.push(step);
  return step;
}

async function losses(step: TrainingStep, count: number, rate: number): Promise<number[]> {
  const found: number[] = [];
  for (let i = 0; i < count; i++) {
    feed(step);
    found.push(await step.run(rate));
  }
  return found;
}

const plain = (weights: ReadonlyMap<string, FloatTensor>): Record<string, readonly number[]> =>
  Object.fromEntries([...weights].map(([name, { data }]) => [name, [...data]]));

const initial = (plan: StepPlan, name: string): readonly number[] => [
  ...((plan.graph.initializers.get(name) as FloatTensor | undefined)?.data ?? []),
];

describe("one step", () => {
  test("is gradient descent on the objective: the change of each weight agrees with a central difference", async () => {
    const plan = planFor();
    const step = await compiled(plan);
    feed(step);
    await step.run(1);
    const moved = plain(await step.weights());
    for (const name of plan.trainable) {
      const start = initial(plan, name);
      const changes = start.map((before, i) => before - (moved[name]?.[i] ?? Number.NaN));
      // The weight that moves most: some lead to units that answer nothing here.
      const i = changes.reduce((most, change, k) => (Math.abs(change) > Math.abs(changes[most] ?? 0) ? k : most), 0);
      const [before = Number.NaN, gradient = Number.NaN] = [start[i], changes[i]];
      const h = 1e-3;
      const slope = ((await lossAt(plan, name, i, before + h)) - (await lossAt(plan, name, i, before - h))) / (2 * h);
      // Float32 losses round to 1e-7, so a difference over 2e-3 is good to 1e-4; within h lie a few kinks of ReLU and
      // maxima. A wrong factor or sign is off by far more than 5 %.
      expect(Math.abs(gradient - slope), `${name}[${i}]: ${gradient} against ${slope}`).toBeLessThan(
        0.05 * Math.abs(gradient),
      );
      expect(Math.abs(gradient), name).toBeGreaterThan(5e-3);
    }
  });

  test("reports the objective before its update, and lowers it", async () => {
    const step = await compiled(planFor());
    const [first, second, third] = await losses(step, 3, 0.05);
    expect(first).toBeGreaterThan(1);
    expect(second).toBeLessThan(first ?? 0);
    expect(third).toBeLessThan(second ?? 0);
  });

  test("with rate 0 leaves every weight as it is", async () => {
    const plan = planFor({ optimizer: momentumSgd });
    const step = await compiled(plan);
    await losses(step, 3, 0);
    for (const [name, values] of Object.entries(plain(await step.weights())))
      expect(values).toEqual(initial(plan, name));
  });
});

describe("a condition on weights", () => {
  test("is restored by every step, for the weights that it names", async () => {
    const plan = planFor({
      project: (b, { name, updated }) =>
        name === "fc2.weight" ? b.op("Clip", [updated, b.scalar(-0.01), b.scalar(0.02)]) : updated,
    });
    const step = await compiled(plan);
    await losses(step, 3, 0.1);
    const { "fc2.weight": held = [], "fc1.weight": free = [] } = plain(await step.weights());
    expect(Math.min(...held)).toBe(Math.fround(-0.01));
    expect(Math.max(...held)).toBe(Math.fround(0.02));
    expect(Math.max(...free)).toBeGreaterThan(0.02);
  });

  test("can be told from where the step began", async () => {
    const step = await compiled(planFor({ project: (_, { before }) => before }));
    await losses(step, 2, 0.1);
    expect(plain(await step.weights())).toEqual(
      Object.fromEntries(planFor().trainable.map((name) => [name, initial(planFor(), name)])),
    );
  });
});

describe("gradients from elsewhere", () => {
  const joined = { joinsGradients: true };
  const movedBy = async (plan: StepPlan, added?: ReadonlyMap<string, FloatTensor>): Promise<readonly number[]> => {
    const step = await compiled(plan);
    feed(step);
    await step.run(1, added);
    const moved = plain(await step.weights())["fc1.weight"] ?? [];
    return initial(plan, "fc1.weight").map((before, i) => before - (moved[i] ?? Number.NaN));
  };
  const dims = (planFor().graph.initializers.get("fc1.weight")?.dims ?? []).slice();
  const constant = new Map([
    [
      "fc1.weight",
      float32(
        dims,
        initial(planFor(), "fc1.weight").map(() => 0.25),
      ),
    ],
  ]);

  test("are added to those of the objective", async () => {
    const own = await movedBy(planFor());
    const both = await movedBy(planFor(joined), constant);
    // Weights below 1 less gradients below 1, in float32.
    both.forEach((change, i) => {
      expect(change - (own[i] ?? Number.NaN)).toBeCloseTo(0.25, 5);
    });
  });

  test("where there are none, change nothing", async () => {
    expect(await movedBy(planFor(joined))).toEqual(await movedBy(planFor()));
  });

  test("are shortened together with the objective's", async () => {
    const change = await movedBy(planFor({ ...joined, clipNorm: 0.1 }), constant);
    expect(Math.hypot(...change)).toBeLessThan(0.1001);
  });
});

describe("a bound on each gradient, relative to its weight", () => {
  const length = (values: readonly number[]): number => Math.hypot(...values);
  const movedBy = async (clipRatio?: number): Promise<Record<string, number>> => {
    const plan = planFor(clipRatio === undefined ? {} : { clipRatio });
    const step = await compiled(plan);
    feed(step);
    await step.run(1);
    return Object.fromEntries(
      Object.entries(plain(await step.weights())).map(([name, after]) => {
        const before = initial(plan, name);
        return [name, length(after.map((value, i) => value - (before[i] ?? Number.NaN)))];
      }),
    );
  };

  test("shortens those that are longer to just that, the others not at all", async () => {
    const free = await movedBy();
    const bounded = await movedBy(0.05);
    let shortened = 0;
    for (const [name, moved] of Object.entries(free)) {
      const weight = initial(planFor(), name);
      const longest = 0.05 * Math.max(length(weight), 1e-3 * Math.sqrt(weight.length));
      // A difference of float32 weights near 1 is good to 1e-7, the lengths here are above 1e-5.
      expect(bounded[name], name).toBeCloseTo(Math.min(moved, longest), 5);
      if (moved > longest) shortened++;
    }
    expect(shortened).toBeGreaterThan(0);
    expect(shortened).toBeLessThan(Object.keys(free).length);
  });

  test("changes no bit where no gradient is longer", async () => {
    expect(await movedBy(1e6)).toEqual(await movedBy());
  });
});

/** The ordinary objective of the plan's model with one weight changed: a step at rate 0. */
async function lossAt(plan: StepPlan, name: string, i: number, value: number): Promise<number> {
  const tensor = plan.graph.initializers.get(name) as FloatTensor;
  const initializers = new Map<string, Tensor>([
    ...plan.graph.initializers,
    [name, { ...tensor, data: tensor.data.with(i, value) }],
  ]);
  const step = await compiled({ ...plan, graph: { ...plan.graph, initializers } });
  feed(step);
  return step.run(0);
}

test("momentum and the two sets of buffers are right over odd and even numbers of steps", async () => {
  // One weight, gradient known: fc2.bias with every other weight fixed; its gradient is softmax − target, a function of
  // the bias alone given the frozen rest. So the run of k steps must be k applications of the formula.
  const plan = planFor({ trainable: ["fc2.bias"], optimizer: momentumSgd });
  const step = await compiled(plan);
  let expected = initial(plan, "fc2.bias");
  let velocity = expected.map(() => 0);
  for (let k = 1; k <= 5; k++) {
    const gradient = await biasGradient(plan, expected);
    velocity = velocity.map((v, i) => 0.9 * v + (gradient[i] ?? 0) + 0.01 * (expected[i] ?? 0));
    expected = expected.map((bias, i) => bias - 0.5 * (velocity[i] ?? 0));
    feed(step);
    await step.run(0.5);
    plain(await step.weights())["fc2.bias"]?.forEach((bias, i) => {
      expect(bias, `step ${k}, bias ${i}`).toBeCloseTo(expected[i] ?? 0, 5);
    });
  }
});

/** Mean over the batch of softmax(logits) − target, with this bias, in double precision from the model's own logits. */
async function biasGradient(plan: StepPlan, bias: readonly number[]): Promise<number[]> {
  const { labels, ...set } = tinyImages(BATCH);
  const { shape } = set;
  const images = copyPixels(set);
  const old = initial(plan, "fc2.bias");
  const session = await createSession(plan.graph);
  const dims = [BATCH, shape.channels, shape.height, shape.width];
  const data = Float32Array.from(images, (pixel) => pixel / 255);
  const logits = (await session.run(new Map([["image", { type: "float32", dims, data }]]))).get("logits");
  await session.release();
  const sum = bias.map(() => 0);
  labels.forEach((label, row) => {
    const scores = bias.map((b, k) => Number(logits?.data[row * CLASSES + k]) - (old[k] ?? 0) + b);
    const total = scores.reduce((all, score) => all + Math.exp(score), 0);
    scores.forEach((score, k) => {
      sum[k] = (sum[k] ?? 0) + (Math.exp(score) / total - (k === label ? 1 : 0)) / BATCH;
    });
  });
  return sum;
}

describe("what changes", () => {
  test("only the weights named, and all of them", async () => {
    const plan = planFor();
    const lastOnly = await compiled({ ...plan, trainable: plan.classifier.lastLayer });
    await losses(lastOnly, 2, 0.1);
    expect([...(await lastOnly.weights()).keys()].sort()).toEqual(["fc2.bias", "fc2.weight"]);

    const all = await compiled(plan);
    await losses(all, 2, 0.1);
    const weights = plain(await all.weights());
    expect(Object.keys(weights).sort()).toEqual([...plan.classifier.trainable].sort());
    for (const [name, values] of Object.entries(weights)) expect(values, name).not.toEqual(initial(plan, name));
  });

  test(
    "what `weights` gave stays as it was while training goes on, and the plan's own tensors are " + "never written",
    async () => {
      const plan = planFor();
      const before = plain(plan.graph.initializers as ReadonlyMap<string, FloatTensor>);
      const step = await compiled(plan);
      await losses(step, 1, 0.1);
      const first = await step.weights();
      const kept = plain(first);
      await losses(step, 2, 0.1);
      expect(plain(first)).toEqual(kept);
      expect(plain(await step.weights())).not.toEqual(kept);
      expect(plain(plan.graph.initializers as ReadonlyMap<string, FloatTensor>)).toEqual(before);
    },
  );

  test("two compilations of one plan give the same bits", async () => {
    const results = [];
    for (let i = 0; i < 2; i++) {
      const step = await compiled(planFor({ optimizer: momentumSgd }, true));
      results.push([await losses(step, 4, 0.1), plain(await step.weights())]);
    }
    expect(results[0]).toEqual(results[1]);
  });

  test("an objective that reaches none of the chosen weights is refused, running statistics or not", async () => {
    const onInput: Objective = {
      views: 1,
      build: ({ b }) => ({ loss: b.op("ReduceMean", ["image"], { keepdims: 0 }) }),
    };
    for (const batchNorm of [false, true]) {
      const plan = planFor({ objective: onInput }, batchNorm);
      await expect(compileStep(plan)).rejects.toMatchObject({ code: "bad-model" });
      await expect(compileStep({ ...planFor({}, batchNorm), trainable: [] })).rejects.toMatchObject({
        code: "bad-model",
      });
    }
  });
});

describe("running statistics", () => {
  let batch: { readonly mean: number; readonly variance: number }[];
  beforeAll(async () => {
    batch = await statisticsBeforeNormalisation();
  });

  test("move by ONNX's formula: momentum · old + (1 − momentum) · batch, with the population variance", async () => {
    const plan = planFor({}, true);
    const step = await compiled(plan);
    feed(step);
    await step.run(0);
    const found = plain(await step.weights());
    batch.forEach(({ mean, variance }, channel) => {
      const oldMean = initial(plan, "bn.mean")[channel] ?? Number.NaN;
      const oldVariance = initial(plan, "bn.variance")[channel] ?? Number.NaN;
      expect(found["bn.mean"]?.[channel]).toBeCloseTo(MOMENTUM * oldMean + (1 - MOMENTUM) * mean, 6);
      expect(found["bn.variance"]?.[channel]).toBeCloseTo(MOMENTUM * oldVariance + (1 - MOMENTUM) * variance, 6);
    });
  });

  test("stay as they are when frozen, while scale and shift train", async () => {
    const plan = planFor({ batchNorm: "frozen" }, true);
    const step = await compiled(plan);
    await losses(step, 2, 0.1);
    const found = plain(await step.weights());
    expect(Object.keys(found)).not.toContain("bn.mean");
    expect(Object.keys(found)).not.toContain("bn.variance");
    expect(found["bn.scale"]).not.toEqual(initial(plan, "bn.scale"));
    expect(found["bn.shift"]).not.toEqual(initial(plan, "bn.shift"));
  });
});

/** Mean and population variance of each channel of the convolution's output on the fed batch, in double precision. */
async function statisticsBeforeNormalisation(): Promise<{ mean: number; variance: number }[]> {
  const { graph } = planFor({}, true);
  const convolved = graph.nodes.find((node) => node.opType === "Conv")?.outputs[0] ?? "";
  const session = await createSession({ ...graph, outputs: [{ name: convolved, type: "float32", dims: undefined }] });
  const images = copyPixels(tinyImages(BATCH));
  const data = Float32Array.from(images, (pixel) => pixel / 255);
  const found = (await session.run(new Map([["image", { type: "float32", dims: [BATCH, 1, 8, 8], data }]]))).get(
    convolved,
  );
  await session.release();
  const [count = 0, channels = 0, height = 0, width = 0] = found?.dims ?? [];
  return Array.from({ length: channels }, (_, channel) => {
    const values: number[] = [];
    for (let n = 0; n < count; n++) {
      for (let i = 0; i < height * width; i++) {
        values.push(Number(found?.data[(n * channels + channel) * height * width + i]));
      }
    }
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
    return { mean, variance };
  });
}

test("an objective of two views sees view 0 in the first rows and view 1 in the others", async () => {
  const onView = (view: number): Objective => ({
    views: 2,
    build: ({ b, batch, logits, targets }) => ({
      loss: meanCrossEntropy(b, rows(b, logits, view * batch, (view + 1) * batch), targets),
    }),
  });
  const one = await compiled(planFor());
  feed(one);
  const expected = await one.run(0);
  const [first, second] = [
    await compiled(planFor({ objective: onView(0) })),
    await compiled(planFor({ objective: onView(1) })),
  ];
  expect(first.images.length).toBe(2 * one.images.length);
  expect(first.targets.length).toBe(one.targets.length);
  feed(first, 0.3);
  feed(second, 0.3);
  // The same rows in a batch of another size: ONNX Runtime may sum in another order.
  expect(await first.run(0)).toBeCloseTo(expected, 5);
  expect(Math.abs((await second.run(0)) - expected)).toBeGreaterThan(1e-4);
});

test("an image size that the file leaves open is refused", async () => {
  const plan = planFor();
  const input = { ...plan.classifier.input, dims: ["batch", 1, "height", 8] };
  await expect(compileStep({ ...plan, classifier: { ...plan.classifier, input } })).rejects.toMatchObject({
    code: "bad-model",
    message: expect.stringContaining("axis 2"),
  });
});
