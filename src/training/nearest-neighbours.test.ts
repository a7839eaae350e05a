/** @file The soft nearest neighbour loss against its definition in double precision, and its gradients. */

import { describe, expect, test } from "vitest";
import { randomStream } from "../core/random.js";
import { float32 } from "../core/tensor.js";
import { graphBuilder } from "../onnx/builder.js";
import { canonicalGraph } from "../onnx/canonical.js";
import { findClassifier } from "../onnx/classifier.js";
import { createSession } from "../runtime/session.js";
import { compileGradient } from "./gradient.js";
import { appendNearestNeighbourLoss, type Distance } from "./nearest-neighbours.js";
import { tinyModel } from "./testing/tiny.js";

const CLASSES = 3;
const DISTANCES: readonly Distance[] = ["euclidean", "cosine"];

async function lossOf(
  rows: readonly number[][],
  groups: readonly number[],
  t: number,
  distance: Distance,
  labels?: readonly number[],
) {
  const b = graphBuilder("loss");
  const features = b.input("features", "float32", [rows.length, 1, rows[0]?.length ?? 0]);
  const oneHot = labels?.flatMap((label) => Array.from({ length: CLASSES }, (_, k) => (k === label ? 1 : 0)));
  const classes = oneHot === undefined ? undefined : b.initializer("classes", float32([rows.length, CLASSES], oneHot));
  b.output(appendNearestNeighbourLoss(b, features, groups, b.scalar(t), distance, classes));
  const session = await createSession(b.build());
  const fed = float32([rows.length, 1, rows[0]?.length ?? 0], rows.flat());
  const [loss] = (await session.run(new Map([["features", fed]]))).values();
  await session.release();
  return Number(loss?.data[0]);
}

function byDefinition(rows: readonly number[][], groups: readonly number[], t: number, distance: Distance): number {
  const terms = termsByDefinition(rows, groups, t, distance);
  return terms.reduce((sum, term) => sum + term, 0) / terms.length;
}

function termsByDefinition(
  rows: readonly number[][],
  groups: readonly number[],
  t: number,
  distance: Distance,
): number[] {
  const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((sum, v, i) => sum + v * (b[i] ?? 0), 0);
  const d = (a: readonly number[], b: readonly number[]): number =>
    distance === "euclidean"
      ? a.reduce((sum, v, i) => sum + (v - (b[i] ?? 0)) ** 2, 0)
      : 1 - dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
  return rows.map((row, i) => {
    let [own, all] = [0, 0];
    rows.forEach((other, j) => {
      if (j === i) return;
      const near = Math.exp(-d(row, other) / t);
      all += near;
      if (groups[j] === groups[i]) own += near;
    });
    return -Math.log(own / all);
  });
}

describe.each(DISTANCES)("%s", (distance) => {
  test.each([0.5, 3, 100])("at T = %d it is what the definition says", async (t) => {
    const random = randomStream(1);
    const groups = [1, 1, 1, 0, 0, 0, 0];
    const rows = groups.map((group) => Array.from({ length: 5 }, () => random.normal() + group));
    const expected = byDefinition(rows, groups, t, distance);
    // Float32 distances of a few units.
    expect(await lossOf(rows, groups, t, distance)).toBeCloseTo(expected, 5);
  });

  test(
    "class by class it is the definition within each, over the rows that have another of their " + "group there",
    async () => {
      const random = randomStream(1);
      const labels = [0, 0, 1, 2, 0, 0, 1, 1, 1, 0];
      const groups = [1, 1, 1, 1, 0, 0, 0, 0, 0, 0];
      const rows = groups.map((group) => Array.from({ length: 5 }, () => random.normal() + group));
      const of = <T>(items: readonly T[], label: number): T[] => items.filter((_, i) => labels[i] === label);
      const [zero, one] = [of(rows, 0), of(rows, 1)];
      // Of class 1 the first row, the only one of its group, is left out: the sum over the others alone.
      const ofZero = byDefinition(zero, of(groups, 0), 3, distance) * zero.length;
      const ofOne = termsByDefinition(one, of(groups, 1), 3, distance).slice(1);
      const expected = (ofZero + ofOne.reduce((sum, term) => sum + term, 0)) / (zero.length + ofOne.length);
      expect(await lossOf(rows, groups, 3, distance, labels)).toBeCloseTo(expected, 5);
      // Nobody has a neighbour: nothing is lost, and nothing is divided by nothing.
      expect(await lossOf(rows.slice(0, 3), [1, 1, 0], 3, distance, [0, 1, 0])).toBe(0);
    },
  );

  test("far groups have none, groups that lie as one nearly log 2", async () => {
    const groups = Array.from({ length: 40 }, (_, i) => i % 2);
    const random = randomStream(2);
    const near = groups.map(() => [1 + 0.01 * random.normal(), 1 + 0.01 * random.normal()]);
    const apart = near.map(([x = 0, y = 0], i) => (groups[i] === 0 ? [x, -y] : [x, y]));
    expect(await lossOf(apart, groups, 0.1, distance)).toBeLessThan(1e-4);
    // 19 of the 39 others are of one's own group.
    expect(await lossOf(near, groups, 100, distance)).toBeCloseTo(Math.log(39 / 19), 3);
  });

  test("its gradients by weights and by the temperature agree with central differences", async () => {
    const graph = canonicalGraph(tinyModel().graph);
    const classifier = findClassifier(graph);
    const names = ["conv.weight", "fc1.weight", "wildmark/temperature"];
    const temperature = float32([], [0.3]);
    const gradient = await compileGradient({
      graph: { ...graph, initializers: new Map([...graph.initializers, ["wildmark/temperature", temperature]]) },
      classifier,
      classes: 4,
      batch: 8,
      objective: {
        views: 1,
        build: ({ b, features }) => ({
          loss: appendNearestNeighbourLoss(b, features, [1, 1, 1, 1, 0, 0, 0, 0], "wildmark/temperature", distance),
        }),
      },
      batchNorm: "frozen",
      by: names,
      variable: names,
    });
    const random = randomStream(3);
    gradient.images.forEach((_, i) => {
      gradient.images[i] = random.uniform();
    });
    const { gradients } = await gradient.run();
    for (const name of names) {
      const stored = name === "wildmark/temperature" ? temperature : graph.initializers.get(name);
      const slopes = gradients.get(name)?.data;
      if (stored?.type !== "float32" || slopes === undefined) throw new Error(`no ${name}`);
      const i = slopes.reduce((most, value, k) => (Math.abs(value) > Math.abs(slopes[most] ?? 0) ? k : most), 0);
      const lossAt = async (h: number): Promise<number> => {
        const data = stored.data.slice();
        data[i] = (data[i] ?? 0) + h;
        gradient.set(name, float32(stored.dims, data));
        return (await gradient.run()).loss;
      };
      const slope = ((await lossAt(2e-3)) - (await lossAt(-2e-3))) / 4e-3;
      gradient.set(name, stored);
      const found = slopes[i] ?? Number.NaN;
      // As in step.test.ts: float32 losses over 4e-3 are good to 1e-4.
      expect(Math.abs(slope), name).toBeGreaterThan(2e-3);
      expect(Math.abs(found - slope), `${name}: ${found} against ${slope}`).toBeLessThan(0.05 * Math.abs(slope));
    }
    await gradient.release();
  });
});
