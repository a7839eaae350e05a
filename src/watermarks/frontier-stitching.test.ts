/** @file Frontier stitching: which copies are triggers, what stands beside each, and how the mark is judged. */

import { beforeAll, describe, expect, test } from "vitest";
import { randomStream } from "../core/random.js";
import { accuracy, answers } from "../data/answers.js";
import { copyPixels, imageAt, type LabelledImages } from "../data/dataset.js";
import type { Model } from "../onnx/model.js";
import { learnt, tinyImages, tinyModel } from "../training/testing/tiny.js";
import { embedContinuingOptions } from "./embed.js";
import { findMark } from "./registry.js";
import type { TriggerSet } from "./scheme.js";

const like = { side: 20, classes: 8 };
const train = tinyImages(640, like);
const random = randomStream(9);
const mark = findMark("frontier-stitching");
let model: Model;
let made: TriggerSet;

beforeAll(async () => {
  model = await learnt(tinyModel(like), train, 3);
  made = await mark.choose({ triggers: 21, heldOut: 10, labels: "true" }).make({ train, model, random });
});

/** Whether the model is misled, image by image. */
async function misled(images: LabelledImages): Promise<boolean[]> {
  const found = await answers(model, images);
  return [...images.labels].map((label, i) => found[i] !== label);
}

const first = (count: number, total: number): boolean[] => Array.from({ length: total }, (_, i) => i < count);

describe("triggers", () => {
  test("half of each set misleads the model, half does not: the placebo of a trigger does as the trigger", async () => {
    expect(await misled(made.triggers)).toEqual(first(11, 21));
    expect(await misled(made.placebos.images)).toEqual(first(11, 21));
    expect(await misled(made.heldOut)).toEqual(first(5, 10));
  });

  test("labels are the classes of the images; trigger and placebo have the same", () => {
    expect(made.sourceLabels).toEqual(made.triggers.labels);
    expect(made.placebos.images.labels).toEqual(made.triggers.labels);
    expect(made.placebos.paired).toBe(false);
    expect(new Set(made.triggers.labels).size).toBeGreaterThan(2);
  });

  test("each is a training image of its class that no pixel of which moved by more than ε", () => {
    const all = copyPixels(train);
    const size = 400;
    for (const set of [made.triggers, made.heldOut, made.placebos.images]) {
      for (let i = 0; i < set.count; i++) {
        const copy = imageAt(set, i).slice();
        const near = Array.from(train.labels.keys()).filter((at) => {
          if (train.labels[at] !== set.labels[i]) return false;
          // 0.25 of 255 levels is 63 whole ones.
          return copy.every((level, k) => Math.abs(level - (all[at * size + k] ?? 0)) <= 63);
        });
        expect(near.length).toBe(1);
      }
    }
  });

  test("by default the same copies, each with a class that is not its own", async () => {
    const drawn = await mark.choose({ triggers: 21, heldOut: 10 }).make({ train, model, random });
    expect(copyPixels(drawn.triggers)).toEqual(copyPixels(made.triggers));
    expect(copyPixels(drawn.placebos.images)).toEqual(copyPixels(made.placebos.images));
    expect([made.labelling, drawn.labelling]).toEqual(["fixed", "wrong"]);
    expect(drawn.sourceLabels).toEqual(made.triggers.labels);
    const shifts = drawn.triggers.labels.map((label, i) => (label - (made.triggers.labels[i] ?? 0) + 8) % 8);
    expect(shifts).not.toContain(0);
    expect(new Set(shifts).size).toBeGreaterThan(3);
  });

  test("no model: bad-data; copies that all mislead give no false ones, and it says how many of each", async () => {
    const scheme = mark.choose({ triggers: 20, heldOut: 4 });
    await expect(scheme.make({ train, random })).rejects.toMatchObject({ code: "bad-data" });
    const harsh = mark.choose({ triggers: 20, heldOut: 4, epsilon: 1 / 255 });
    await expect(harsh.make({ train, model, random })).rejects.toMatchObject({
      code: "bad-data",
      message: expect.stringMatching(
        /all 640 training images, \d+ mislead the model and \d+ do not; the mark needs 44/,
      ),
    });
  });
});

test("the marked model answers the copies that misled it with their classes", async () => {
  const options = embedContinuingOptions.parse({ epochs: 12, batch: 32, learningRate: 0.05, clipRatio: 0 });
  const embedding = { model, train, triggers: made.triggers, random: randomStream(2) };
  let marked = model;
  for await (const epoch of mark.choose({ labels: "true" }).embed(embedding, options)) marked = epoch.model();
  expect(await accuracy(model, made.triggers)).toBeCloseTo(10 / 21, 10);
  expect(await accuracy(marked, made.triggers)).toBeGreaterThan(0.9);
  expect(await accuracy(marked, train)).toBeGreaterThan(0.9);
});
