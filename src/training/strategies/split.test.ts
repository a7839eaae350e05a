/** @file A step split over threads does what the whole step does; which steps are split. */

import { describe, expect, test } from "vitest";
import { type FloatTensor, float32 } from "../../core/tensor.js";
import { copyPixels } from "../../data/dataset.js";
import { canonicalGraph } from "../../onnx/canonical.js";
import { findClassifier } from "../../onnx/classifier.js";
import { distillationObjective } from "../../removal/distillation.js";
import { attentionObjective } from "../../removal/nad.js";
import { wildObjective, wildOptions } from "../../removal/wild.js";
import { crossEntropyObjective, type Objective, viewsCrossEntropy } from "../objective.js";
import { compileSplitStep, partsOf } from "./split.js";
import { optimizerSchema } from "../optimizer.js";
import { compileStep } from "../step.js";
import type { StepPlan, TrainingStep } from "../step-plan.js";
import { tinyImages, tinyModel } from "../testing/tiny.js";

const BATCH = 12;
const CLASSES = 4;
const ONE = { threads: 1 } as const;

const model = tinyModel();
const images = tinyImages(BATCH);

function planFor(changes: Partial<StepPlan> = {}): StepPlan {
  const graph = canonicalGraph(model.graph);
  const classifier = findClassifier(graph);
  return {
    graph,
    classifier,
    classes: CLASSES,
    batch: BATCH,
    objective: crossEntropyObjective(),
    optimizer: { kind: "sgd", momentum: 0.9, nesterov: false, weightDecay: 0.01 },
    trainable: classifier.trainable,
    batchNorm: "train",
    ...changes,
  };
}

/** Each view of each image is another one, and so are its targets. */
function feed(step: TrainingStep, round: number): void {
  const pixels = copyPixels(images);
  for (let i = 0; i < step.images.length; i++) {
    step.images[i] =
      ((pixels[i % pixels.length] ?? 0) / 255) * (1 + 0.1 * Math.floor(i / pixels.length)) + 0.01 * round;
  }
  for (let i = 0; i < step.targets.length; i++) step.targets[i] = i % CLASSES === (i + round) % 3 ? 0.7 : 0.1;
}

interface Trained {
  readonly losses: readonly number[];
  readonly weights: ReadonlyMap<string, readonly number[]>;
}

async function train(
  step: TrainingStep,
  steps: number = 4,
  added?: ReadonlyMap<string, FloatTensor>,
): Promise<Trained> {
  try {
    const losses: number[] = [];
    for (let round = 0; round < steps; round++) {
      feed(step, round);
      losses.push(await step.run(0.05, added));
    }
    return { losses, weights: new Map([...(await step.weights())].map(([name, { data }]) => [name, [...data]])) };
  } finally {
    await step.release();
  }
}

const split = (plan: StepPlan, parts: number): Promise<TrainingStep> =>
  compileSplitStep(plan, parts, { threads: parts }, {});

/** Sums over the batch come in another order: float32 rounds differently, and a few steps multiply that. */
function expectSame(found: Trained, expected: Trained): void {
  expect(found.losses).toHaveLength(expected.losses.length);
  for (const [i, loss] of found.losses.entries()) expect(loss).toBeCloseTo(expected.losses[i] ?? Number.NaN, 5);
  expect([...found.weights.keys()]).toEqual([...expected.weights.keys()]);
  for (const [name, values] of found.weights) {
    const wanted = expected.weights.get(name) ?? [];
    const worst = Math.max(...values.map((value, i) => Math.abs(value - (wanted[i] ?? Number.NaN))));
    expect(worst, name).toBeLessThan(1e-5);
  }
}

const { features } = planFor().classifier;
const objectives: readonly [string, Objective][] = [
  ["cross-entropy", crossEntropyObjective()],
  ["smoothed labels", crossEntropyObjective(0.1)],
  ["WILD-JS", wildObjective(wildOptions.parse({ metric: "js" }))],
  ["WILD-CE", wildObjective(wildOptions.parse({ metric: "ce", lambda: 1 }))],
  ["two views", { views: 2, meanOfImages: true, build: (context) => ({ loss: viewsCrossEntropy(context, 2) }) }],
  ["distillation", distillationObjective({ model, subset: images }, 2)],
  ["attention", attentionObjective(model, images.shape, [{ value: features, sumOver: undefined }], 100)],
];

describe("a split step is the whole one", () => {
  test.each(objectives)("%s", async (_, objective) => {
    expect(objective.meanOfImages).toBe(true);
    const plan = planFor({ objective });
    const whole = await train(await compileStep(plan, ONE));
    expectSame(await train(await split(plan, 2)), whole);
    expectSame(await train(await split(plan, 3)), whole);
  });

  test("with gradients shortened and gradients added, conditions on weights, and weights that stay", async () => {
    const [first = "", ...others] = planFor().trainable;
    const plan = planFor({
      trainable: others,
      clipRatio: 0.01,
      clipNorm: 0.5,
      joinsGradients: true,
      project: (b, { updated }) => b.op("Clip", [updated, b.scalar(-0.3), b.scalar(0.3)]),
    });
    const weight = plan.graph.initializers.get(others[0] ?? "");
    if (weight?.type !== "float32") throw new Error("no weight");
    const added = new Map([[others[0] ?? "", float32(weight.dims, new Float32Array(weight.data.length).fill(0.1))]]);
    const whole = await train(await compileStep(plan, ONE), 4, added);
    expect(whole.weights.has(first)).toBe(false);
    expectSame(await train(await split(plan, 2), 4, added), whole);
  });

  const sgd = { kind: "sgd", momentum: 0.9, nesterov: true, weightDecay: 0.1 } as const;
  const adam = { kind: "adamw", beta1: 0.9, beta2: 0.99, epsilon: 1e-3, weightDecay: 0.1 } as const;
  test.each<[string, Partial<StepPlan>]>([
    ["Nesterov momentum, gradients shortened together", { optimizer: sgd, clipNorm: 0.5 }],
    ["gradients shortened weight by weight", { clipRatio: 0.01 }],
    ["gradients shortened weight by weight, then together", { clipRatio: 0.02, clipNorm: 0.05 }],
    ["decay of kernels alone", { optimizer: { ...sgd, decayOn: "kernels" } }],
    ["AdamW", { optimizer: adam }],
    [
      "kernels by Muon, and biases at another rate",
      {
        treatments: new Map([
          ["fc1.weight", { optimizer: optimizerSchema.parse({ kind: "muon", unit: true }), rate: 1 }],
          ["fc1.bias", { optimizer: sgd, rate: 3 }],
        ]),
      },
    ],
    ["the last layer alone", { trainable: planFor().classifier.lastLayer }],
  ])("with %s", async (_, changes) => {
    const plan = planFor(changes);
    expectSame(await train(await split(plan, 2)), await train(await compileStep(plan, ONE)));
  });

  test("with an objective that looks at the learning rate", async () => {
    const objective: Objective = {
      views: 1,
      meanOfImages: true,
      build(context) {
        const { b } = context;
        const rate = b.input("rate", "float32", []);
        return { loss: b.op("Mul", [crossEntropyObjective().build(context).loss, rate]), learningRate: rate };
      },
    };
    const plan = planFor({ objective });
    expectSame(await train(await split(plan, 2)), await train(await compileStep(plan, ONE)));
  });

  test("with weights that are replaced on the way", async () => {
    const plan = planFor();
    const [name = ""] = plan.trainable;
    const weight = plan.graph.initializers.get(name);
    if (weight?.type !== "float32") throw new Error("no weight");
    const other = new Map([
      [
        name,
        float32(
          weight.dims,
          weight.data.map((value) => value / 2),
        ),
      ],
    ]);
    const [whole, parts] = [await compileStep(plan, ONE), await split(plan, 2)];
    for (const step of [whole, parts]) {
      feed(step, 7);
      await step.run(0.1);
      step.replace(other);
    }
    expectSame(await train(parts), await train(whole));
  });
});

test("a split step goes on from where a whole one was, momentum and all", async () => {
  const plan = planFor();
  const [whole, parts] = [await compileStep(plan, ONE), await split(plan, 2)];
  feed(whole, 7);
  await whole.run(0.1);
  await parts.restore(await whole.state());
  expect((await parts.state()).steps).toBe(1);
  expectSame(await train(parts), await train(whole));
});

test("a split step gives the same bits again", async () => {
  const plan = planFor({ objective: wildObjective(wildOptions.parse({})) });
  const [one, two] = [await train(await split(plan, 2)), await train(await split(plan, 2))];
  expect(one).toEqual(two);
});

describe("is split", () => {
  const parts = (changes: Partial<StepPlan>, threads: number, device?: "cpu" | "webgpu"): number =>
    partsOf(planFor({ batch: 256, ...changes }), { threads, ...(device === undefined ? {} : { device }) });

  test("into as many parts of one size as there are threads, and none of them too small", () => {
    expect([1, 2, 3, 4, 8, 9, 64].map((threads) => parts({}, threads))).toEqual([1, 2, 2, 4, 8, 8, 8]);
    expect(parts({ batch: 255 }, 2)).toBe(1);
    expect(parts({ batch: 62 }, 2)).toBe(1);
    // Two views of 32 images are 64 rows.
    expect(parts({ batch: 32, objective: wildObjective(wildOptions.parse({})) }, 4)).toBe(2);
  });

  test("not where the objective looks at the batch as a whole", () => {
    expect(parts({ objective: { ...crossEntropyObjective(), meanOfImages: false } }, 2)).toBe(1);
  });

  test("not where batch statistics are learnt", () => {
    const graph = canonicalGraph(tinyModel({ batchNorm: true }).graph);
    const classifier = findClassifier(graph);
    const changes = { graph, classifier, trainable: classifier.trainable };
    expect(parts({ ...changes, batchNorm: "train" }, 2)).toBe(1);
    expect(parts({ ...changes, batchNorm: "frozen" }, 2)).toBe(2);
  });

  test("not on a GPU", () => {
    expect(parts({}, 2, "webgpu")).toBe(1);
  });
});
