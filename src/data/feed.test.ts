/** @file What training steps are fed: every image each epoch, with its own label, in the views asked for. */

import { expect, test } from "vitest";
import { z } from "zod";
import { randomStream } from "../core/random.js";
import type { LabelledImages } from "./dataset.js";
import { imageFeed, joinedFeed } from "./feed.js";
import { inMemory } from "./pixels.js";
import { cleanView, erasedView, erasingShape, type View } from "./views.js";

const SIZE = 6;

/** Image i has i + 1 in every pixel; label i mod 3. */
function numbered(count: number): LabelledImages {
  return {
    shape: { channels: 1, height: 2, width: 3 },
    classes: 3,
    count,
    pixels: inMemory(Uint8Array.from({ length: count * SIZE }, (_, at) => Math.floor(at / SIZE) + 1)),
    labels: Uint16Array.from({ length: count }, (_, i) => i % 3),
  };
}

interface Filled {
  readonly images: Float32Array;
  readonly targets: Float32Array;
}

function filled(feed: ReturnType<typeof imageFeed>, views: number, epoch: number, step: number): Filled {
  // Left-overs of an earlier batch must not shine through.
  const images = new Float32Array(views * feed.batch * SIZE).fill(7);
  const targets = new Float32Array(feed.batch * feed.classes).fill(7);
  feed.fill(epoch, step, images, targets);
  return { images, targets };
}

const numbersIn = (images: Float32Array): number[] =>
  Array.from({ length: images.length / SIZE }, (_, row) => Math.round((images[row * SIZE] ?? 0) * 255) - 1);

test.each([
  [12, 4, 4, 3],
  [13, 4, 4, 4],
  [3, 8, 3, 1],
])(
  "%i images in batches of %i: batches of %i, %i steps, every image at least once an epoch",
  (count, asked, batch, steps) => {
    const feed = imageFeed(numbered(count), { batch: asked, views: [cleanView], random: randomStream(1) });
    expect(feed).toMatchObject({ batch, stepsPerEpoch: steps, classes: 3 });
    for (const epoch of [1, 2]) {
      const seen = Array.from({ length: steps }, (_, step) => numbersIn(filled(feed, 1, epoch, step).images)).flat();
      expect(new Set(seen)).toEqual(new Set(Array.from({ length: count }, (_, i) => i)));
      expect(seen.length).toBe(batch * steps);
    }
  },
);

test("each row has the one-hot label of its own image, and pixels in [0, 1]", () => {
  const feed = imageFeed(numbered(12), { batch: 4, views: [cleanView], random: randomStream(1) });
  const { images, targets } = filled(feed, 1, 1, 0);
  numbersIn(images).forEach((number, row) => {
    const expected = [0, 1, 2].map((label) => (label === number % 3 ? 1 : 0));
    expect([...targets.subarray(row * 3, row * 3 + 3)]).toEqual(expected);
    expect([...images.subarray(row * SIZE, (row + 1) * SIZE)]).toEqual(
      new Array(SIZE).fill(Math.fround((number + 1) / 255)),
    );
  });
});

test("views are stacked: the same images in the same order, each in its own block", () => {
  const negative: View = (clean, target) => target.set(clean.map((value) => 1 - value));
  const feed = imageFeed(numbered(12), { batch: 4, views: [cleanView, negative], random: randomStream(1) });
  const { images } = filled(feed, 2, 1, 0);
  const half = images.length / 2;
  images.subarray(0, half).forEach((value, at) => {
    expect(images[half + at]).toBeCloseTo(1 - value, 6);
  });
});

test("a batch depends on seed, epoch and step alone, whatever was asked before", () => {
  const erased = erasedView(z.object(erasingShape).parse({}), numbered(12));
  const make = (seed: number) =>
    imageFeed(numbered(12), { batch: 4, views: [cleanView, erased], random: randomStream(seed) });
  const feed = make(1);
  const wanted = filled(feed, 2, 2, 1);
  filled(feed, 2, 5, 0);
  expect(filled(feed, 2, 2, 1)).toEqual(wanted);
  expect(filled(make(1), 2, 2, 1)).toEqual(wanted);
  expect(filled(make(2), 2, 2, 1)).not.toEqual(wanted);
  expect(filled(feed, 2, 3, 1)).not.toEqual(wanted);
});

test("what one view draws changes nothing in the order of the images", () => {
  const erased = erasedView(z.object(erasingShape).parse({}), numbered(12));
  const plain = imageFeed(numbered(12), { batch: 4, views: [cleanView], random: randomStream(1) });
  const augmented = imageFeed(numbered(12), { batch: 4, views: [cleanView, erased], random: randomStream(1) });
  expect(numbersIn(filled(augmented, 2, 1, 0).images.subarray(0, 4 * SIZE))).toEqual(
    numbersIn(filled(plain, 1, 1, 0).images),
  );
});

test("the order changes from epoch to epoch, and two erased views are erased differently", () => {
  const plain = imageFeed(numbered(12), { batch: 12, views: [cleanView], random: randomStream(1) });
  expect(numbersIn(filled(plain, 1, 1, 0).images)).not.toEqual(numbersIn(filled(plain, 1, 2, 0).images));
  const erased = erasedView(z.object(erasingShape).parse({}), numbered(12));
  const twice = imageFeed(numbered(12), { batch: 12, views: [erased, erased], random: randomStream(1) });
  const { images } = filled(twice, 2, 1, 0);
  expect(images.slice(0, images.length / 2)).not.toEqual(images.slice(images.length / 2));
});

test("what one view draws changes nothing in another", () => {
  const erased = erasedView(z.object(erasingShape).parse({}), numbered(12));
  const second = (first: View): Float32Array => {
    const feed = imageFeed(numbered(12), { batch: 12, views: [first, erased], random: randomStream(1) });
    const { images } = filled(feed, 2, 1, 0);
    return images.slice(images.length / 2);
  };
  expect(second(erased)).toEqual(second(cleanView));
});

test("two feeds in one: the second's images follow the first's in each batch, and go on from epoch to epoch", () => {
  const first = imageFeed(numbered(5), { batch: 2, views: [cleanView], random: randomStream(1) });
  const other = { ...numbered(7), labels: new Uint16Array(7).fill(2) };
  const second = imageFeed(other, { batch: 4, views: [cleanView], random: randomStream(2) });
  const feed = joinedFeed(first, second);
  expect([feed.stepsPerEpoch, feed.batch]).toEqual([3, 6]);

  const seen: number[] = [];
  for (const [epoch, step] of [
    [1, 0],
    [1, 1],
    [1, 2],
    [2, 0],
  ] as const) {
    const { images, targets } = filled(feed, 1, epoch, step);
    const own = filled(first, 1, epoch, step);
    expect(numbersIn(images).slice(0, 2)).toEqual(numbersIn(own.images));
    expect(targets.slice(0, 6)).toEqual(own.targets);
    expect([...targets.slice(6)]).toEqual([0, 0, 1, 0, 0, 1, 0, 0, 1, 0, 0, 1]);
    seen.push(...numbersIn(images).slice(2));
  }
  // Two rounds of two steps, in orders of their own: each of the seven images at least once a round.
  expect(new Set(seen.slice(0, 8)).size).toBe(7);
  expect(new Set(seen.slice(8)).size).toBe(7);
  expect(seen.slice(0, 8)).not.toEqual(seen.slice(8));
});
