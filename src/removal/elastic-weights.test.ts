/**
 * @file The Fisher information is the one that enumerating all labels gives, and the penalty pulls as far as it says.
 */

import { beforeAll, expect, test } from "vitest";
import { randomStream } from "../core/random.js";
import { float32 } from "../core/tensor.js";
import { packImages } from "../data/batches.js";
import { imageGraph } from "../onnx/image-graph.js";
import type { Model } from "../onnx/model.js";
import { compileGradient } from "../training/gradient.js";
import { crossEntropyObjective } from "../training/objective.js";
import { compileStep } from "../training/step.js";
import { tinyImages } from "../training/testing/tiny.js";
import { appendConsolidation, fisherInformation, shareOfLargest } from "./elastic-weights.js";
import { trainedTinyModel, weightOf } from "./testing/attacked.js";

const CLASSES = 4;
const images = tinyImages(3, { seed: 5 });

let marked: Model;
beforeAll(async () => {
  marked = await trainedTinyModel({ batchNorm: true });
});

/** mean over x of Σ over y of p(y | x) (∂ log p(y | x) / ∂θ)², each label asked for in turn. */
async function enumerated(names: readonly string[]): Promise<Map<string, number[]>> {
  const { graph, classifier } = imageGraph(marked, images.shape);
  const common = { graph, classifier, classes: CLASSES, batch: 1, batchNorm: "frozen", by: names } as const;
  const gradient = await compileGradient({ ...common, objective: crossEntropyObjective() });
  const sums = new Map<string, number[]>();
  for (let image = 0; image < images.count; image++) {
    packImages(images, [image], gradient.images);
    for (let label = 0; label < CLASSES; label++) {
      gradient.targets.fill(0);
      gradient.targets[label] = 1;
      const { loss, gradients } = await gradient.run();
      for (const [name, { data }] of gradients) {
        const sum = sums.get(name) ?? new Array<number>(data.length).fill(0);
        sums.set(
          name,
          sum.map((value, i) => value + (Math.exp(-loss) * (data[i] ?? 0) ** 2) / images.count),
        );
      }
    }
  }
  await gradient.release();
  return sums;
}

test(
  "labels drawn from the model's own softmax give, in the mean, what all labels give by their " + "probabilities",
  async () => {
    const names = ["conv.weight", "bn.scale", "fc1.weight", "fc2.weight", "fc2.bias"];
    const exact = await enumerated(names);
    const attack = { model: marked, subset: images, random: randomStream(1) };
    const found = await fisherInformation(attack, names, 6_000);
    const largest = Math.max(...[...exact.values()].flat());
    for (const name of names) {
      const wanted = exact.get(name) ?? [];
      const got = found.get(name)?.data ?? [];
      expect(got.length).toBe(wanted.length);
      // 2,000 draws an image, from labels some of which are rare: a tenth of the value, and a little for the rarest.
      wanted.forEach((value, i) => {
        expect(Math.abs((got[i] ?? 0) - value), `${name}[${i}]`).toBeLessThan(0.15 * value + 0.01 * largest);
      });
    }
    const shares = [...shareOfLargest(found).values()].flatMap(({ data }) => [...data]);
    expect(Math.max(...shares)).toBe(1);
    expect(Math.min(...shares)).toBeGreaterThanOrEqual(0);
  },
);

test("weights that nothing depends on leave the penalty as it is: no division by zero", () => {
  const nothing = new Map([["w", float32([2], [0, 0])]]);
  expect(shareOfLargest(nothing).get("w")?.data).toEqual(new Float32Array(2));
});

test(
  "a step on the penalty alone takes weights to θ₀ and not past it, whatever the rate; small F " + "pulls less",
  async () => {
    const { graph, classifier } = imageGraph(marked, images.shape);
    const name = "fc2.bias";
    const start = weightOf(marked, name);
    const importance = new Map([[name, float32([4], [1, 1, 0.5, 0])]]);
    const origin = new Map([[name, float32([4], [0, 0, 0, 0])]]);
    const step = await compileStep({
      graph,
      classifier,
      classes: CLASSES,
      batch: 1,
      batchNorm: "frozen",
      trainable: [name],
      optimizer: { kind: "sgd", momentum: 0, nesterov: false, weightDecay: 0 },
      objective: {
        views: 1,
        build({ b }) {
          const rate = b.input("rate", "float32", []);
          const parts = { importance, start: origin, strength: 10, rate };
          return { loss: appendConsolidation(b, parts), learningRate: rate };
        },
      },
    });
    const after = async (rate: number): Promise<number[]> => {
      await step.run(rate);
      return [...((await step.weights()).get(name)?.data ?? [])];
    };
    // η c F = 0.5, 0.5, 0.25, 0: below 1, so F counts as it is.
    const first = [0.5, 0.5, 0.75, 1].map((left, i) => left * (start[i] ?? 0));
    (await after(0.05)).forEach((value, i) => {
      expect(value).toBeCloseTo(first[i] ?? 0, 6);
    });
    // η c = 4: F = 1 and 0.5 both count as 1/4, and the step ends at θ₀ instead of three times as far beyond.
    const second = await after(0.4);
    for (const value of second.slice(0, 3)) expect(value).toBeCloseTo(0, 6);
    expect(second[3]).toBe(start[3]);
    await step.release();
  },
);
