/**
 * @file Reversed triggers move images to their class, come out small where a backdoor is planted, and mark its class.
 */

import { beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { randomStream } from "../core/random.js";
import { answers } from "./answers.js";
import { copyPixels } from "./dataset.js";
import type { Model } from "../onnx/model.js";
import { learnt, tinyImages } from "../training/testing/tiny.js";
import {
  nextCost,
  reversalShape,
  reverseTriggers,
  sourcesOf,
  stamped,
  startCost,
  suspicious,
  type Trigger,
} from "./reversed-trigger.js";
import { withBackdoor } from "../removal/testing/backdoor.js";
import { perceptron } from "../removal/testing/perceptron.js";

const subset = tinyImages(96, { seed: 3 });
const quick = z.object(reversalShape).parse({ rounds: 120, roundSteps: 10 });
/** The class that the planted backdoor answers. */
const TARGET = 2;

let marked: Model;
let found: readonly Trigger[];
beforeAll(async () => {
  marked = withBackdoor(await learnt(perceptron(), tinyImages(96), 12), TARGET);
  found = await reverseTriggers({ model: marked, subset, random: randomStream(1) }, quick);
}, 30_000);

test("a planted backdoor's class needs by far the smallest trigger, and is the one that is suspected", () => {
  expect(found.map(({ target }) => target)).toEqual([0, 1, 2, 3]);
  expect(suspicious(found).map(({ target }) => target)).toEqual([TARGET]);
  const rest = found.filter(({ target }) => target !== TARGET).map(({ size }) => size);
  expect(found[TARGET]?.size).toBeLessThan(0.6 * Math.min(...rest));
});

test("a trigger that works moves images that nobody searched with to its class, as 8-bit pictures", async () => {
  const others = tinyImages(96, { seed: 11 });
  const trigger = found[TARGET];
  if (trigger === undefined) throw new Error("none found");
  expect(trigger.works).toBe(true);
  const images = sourcesOf(others, trigger);
  expect([...new Set(images.labels)]).toEqual([0, 1, 3]);
  const copies = stamped(images, [trigger]);
  expect(copies.labels).toEqual(images.labels);
  const moved = (await answers(marked, copies)).filter((label) => label === TARGET).length;
  expect(moved / images.count).toBeGreaterThan(0.9);
  for (const { mask, pattern, size } of found) {
    for (const value of [...mask, ...pattern]) expect(value >= 0 && value <= 1).toBe(true);
    expect(size).toBeGreaterThan(0);
  }
});

test("pairs of classes: one trigger for each class that images are there of, and each other one", async () => {
  const two = sourcesOf(subset, { target: 3, source: 1 });
  const few = { rounds: 1, roundSteps: 2, success: 0.99, sources: "each" } as const;
  const pairs = await reverseTriggers({ model: marked, subset: two, random: randomStream(1) }, few);
  expect(pairs.map(({ source, target }) => [source, target])).toEqual([
    [1, 0],
    [1, 2],
    [1, 3],
  ]);
});

test("a stamp is (1 − m) x + m Δ, each image bearing its turn's", () => {
  const plain = (mask: number, pattern: number): Trigger => ({
    target: 0,
    source: undefined,
    mask: new Float32Array(64).fill(mask),
    pattern: new Float32Array(64).fill(pattern),
    size: 64 * mask,
    works: true,
  });
  const images = tinyImages(4);
  const before = copyPixels(images);
  const after = copyPixels(stamped(images, [plain(1, 0.2), plain(0.5, 1)]));
  before.forEach((level, i) => {
    const first = Math.floor(i / 64) % 2 === 0;
    expect(after[i]).toBe(first ? 51 : Math.round(0.5 * level + 127.5));
  });
});

test(
  "λ starts once five rounds in a row worked, doubles after five more, and falls by more after five " + "that did not",
  () => {
    const after = (rounds: readonly boolean[]) => rounds.reduce(nextCost, startCost);
    const five = (works: boolean): boolean[] => new Array<boolean>(5).fill(works);
    expect(after(five(true).slice(1)).lambda).toBe(0);
    expect(after(five(true))).toEqual({ lambda: 1e-3, up: 0, down: 0, raised: false, lowered: false });
    expect(after([...five(true), ...five(true)])).toMatchObject({ lambda: 2e-3, raised: true, lowered: false });
    expect(after([...five(true), ...five(false)])).toMatchObject({ raised: false, lowered: true });
    expect(after([...five(true), ...five(false)]).lambda).toBeCloseTo(1e-3 / 2 ** 1.5, 12);
    expect(after([...five(false), true, true, true, true, false, true]).lambda).toBe(0);
  },
);

test(
  "suspected: below the median by more than two deviations, else the smallest; what does not work " + "only alone",
  () => {
    const of = (...sizes: readonly number[]): Trigger[] =>
      sizes.map((size, target) => ({
        ...{ target, source: undefined, size, works: true },
        ...{ mask: new Float32Array(0), pattern: new Float32Array(0) },
      }));
    const targets = (triggers: readonly Trigger[]): number[] => suspicious(triggers).map(({ target }) => target);
    // Median 10, absolute deviations 1, 0, 1, 2, 8: their median is 1, and two deviations are 2.97.
    expect(targets(of(9, 10, 11, 12, 2))).toEqual([4]);
    expect(targets(of(9, 10, 11, 12, 100))).toEqual([0]);
    expect(targets(of(10, 10, 10, 10))).toEqual([0]);
    // Median 9.5, deviation 1.4826: both of the small ones, the smallest first; a large one is none.
    expect(targets(of(3, 10, 9, 10, 9, 10, 9, 8, 2, 40))).toEqual([8, 0]);
    expect(targets(of(9, 10, 11, 12, 2).map((trigger) => ({ ...trigger, works: trigger.size > 5 })))).toEqual([0]);
    expect(targets(of(9, 2).map((trigger) => ({ ...trigger, works: false })))).toEqual([1]);
  },
);
