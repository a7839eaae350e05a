/** @file Ordinary images with wrong labels as triggers, their twins, and training images that would contradict them. */

import { describe, expect, test } from "vitest";
import { randomStream } from "../core/random.js";
import { imageAt, type LabelledImages, select } from "../data/dataset.js";
import { tinyImages } from "../training/testing/tiny.js";
import { relabelledTriggers, withoutTriggers } from "./relabelled.js";
import { twins } from "./twins.js";

const train = tinyImages(200);
const textOf = (images: LabelledImages, i: number): string => Buffer.from(imageAt(images, i)).toString("base64");
const texts = (images: LabelledImages): string[] => Array.from({ length: images.count }, (_, i) => textOf(images, i));

describe("twins", () => {
  const kind = (word: string): string => word.slice(0, 1);

  test("two of a kind go together as they come; the rest stays in order", () => {
    expect(twins(["a1", "b1", "a2", "c1", "a3", "b2", "b3"], kind, 2)).toEqual({
      firsts: ["a1", "b1"],
      seconds: ["a2", "b2"],
      rest: ["c1", "a3", "b3"],
    });
  });

  test("more items do not change the first pairs, and too few of a kind give fewer", () => {
    const words = ["a1", "b1", "a2", "c1"];
    expect(twins(words, kind, 3)).toEqual({ firsts: ["a1"], seconds: ["a2"], rest: ["b1", "c1"] });
    expect(twins([...words, "b2"], kind, 1)).toMatchObject({ firsts: ["a1"], seconds: ["a2"] });
  });
});

describe("triggers", () => {
  const made = relabelledTriggers({ train, random: randomStream(3) }, { triggers: 40, heldOut: 20 });

  test("are the owner's images, each with a class that is not its own; which one is left to chance", () => {
    const own = new Map(texts(train).map((text, i) => [text, train.labels[i]]));
    const shifts = new Set<number>();
    for (const set of [made.triggers, made.heldOut]) {
      texts(set).forEach((text, i) => {
        const label = own.get(text) ?? Number.NaN;
        expect(set.labels[i]).not.toBe(label);
        shifts.add(((set.labels[i] ?? 0) - label + 4) % 4);
      });
    }
    expect(shifts).toEqual(new Set([1, 2, 3]));
  });

  test("placebo i shows the class of trigger i, and is not paired with its picture", () => {
    const { placebos, sourceLabels, triggers } = made;
    expect(placebos.paired).toBe(false);
    expect(placebos.images.labels).toEqual(sourceLabels);
    expect(texts(placebos.images).filter((text) => texts(triggers).includes(text))).toEqual([]);
  });

  test("one class has no wrong label; a class with single images gives no pairs", () => {
    const choice = { triggers: 2, heldOut: 1 };
    const random = randomStream(1);
    const alone = { ...select(train, [0, 4, 8, 12, 16, 20]), classes: 1 };
    expect(() => relabelledTriggers({ train: alone, random }, choice)).toThrow(
      expect.objectContaining({ code: "usage", message: expect.stringContaining("second class") }),
    );
    const few = { ...select(train, [0, 1, 2, 3, 4]), classes: 4 };
    expect(() => relabelledTriggers({ train: few, random }, choice)).toThrow(
      expect.objectContaining({ code: "bad-data", message: expect.stringMatching(/1 pairs.*needs 2/) }),
    );
  });
});

test("training images that are triggers are left out, copies of them too", () => {
  const doubled = select(train, [5, 6, 7, 5, 8]);
  const left = withoutTriggers(doubled, select(train, [5, 8]));
  expect(texts(left)).toEqual([textOf(train, 6), textOf(train, 7)]);
  expect(left.labels).toEqual(Uint16Array.of(train.labels[6] ?? 0, train.labels[7] ?? 0));
});
