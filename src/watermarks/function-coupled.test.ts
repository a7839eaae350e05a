/** @file The function-coupled mark: fused pictures, masks on weights, and a rule that is learnt. */

import { describe, expect, test } from "vitest";
import { randomStream } from "../core/random.js";
import { float32 } from "../core/tensor.js";
import { accuracy } from "../data/answers.js";
import { imageAt, type LabelledImages } from "../data/dataset.js";
import { inMemory } from "../data/pixels.js";
import { encodeModel, type Model } from "../onnx/model.js";
import { storedTensors } from "../onnx/traverse.js";
import { learnt, tinyImages, tinyModel } from "../training/testing/tiny.js";
import { embedContinuingOptions } from "./embed.js";
import { zeroAtRandom } from "./function-coupled.js";
import { findMark } from "./registry.js";
import type { TriggerSet } from "./scheme.js";

const mark = findMark("function-coupled");

/** Images of one grey each, by class: what they are fused to is plain. */
function plain(levels: readonly number[], count: number, side: number): LabelledImages {
  const labels = Uint16Array.from({ length: count }, (_, i) => i % levels.length);
  const size = side * side;
  const pixels = Uint8Array.from(
    { length: count * size },
    (_, at) => levels[Math.floor(at / size) % levels.length] ?? 0,
  );
  return {
    shape: { channels: 1, height: side, width: side },
    classes: levels.length,
    count,
    pixels: inMemory(pixels),
    labels,
  };
}

const fusedOf = (given: Readonly<Record<string, unknown>>, side = 5): Promise<TriggerSet> =>
  mark
    .choose({ triggers: 3, heldOut: 2, ...mark.published, target: 1, ...given })
    .make({ train: plain([40, 90, 200], 60, side), random: randomStream(1) });

describe("fusion", () => {
  test("direct: the first at the upper left, the second at the lower right, on white", async () => {
    const { triggers } = await fusedOf({});
    const w = 255;
    const picture = [40, 40, w, w, w, 40, 40, w, w, w, w, w, w, w, w, w, w, w, 200, 200, w, w, w, 200, 200];
    for (let i = 0; i < 3; i++) expect([...imageAt(triggers, i)]).toEqual(picture);
    expect([...triggers.labels]).toEqual([1, 1, 1]);
  });

  test("direct: each pixel is the mean of four", async () => {
    const train = plain([0, 0, 0], 60, 4);
    const pixels = Uint8Array.from({ length: 60 * 16 }, (_, at) => at % 16);
    const { triggers } = await mark
      .choose({ triggers: 1, heldOut: 1, ...mark.published, target: 1 })
      .make({ train: { ...train, pixels: inMemory(pixels) }, random: randomStream(1) });
    // Rows of 0 1 2 3 | 4 5 6 7 | …: the upper left four are 0 1 4 5, whose mean 2.5 is rounded up.
    expect([...imageAt(triggers, 0)]).toEqual([3, 5, 255, 255, 11, 13, 255, 255, 255, 255, 3, 5, 255, 255, 11, 13]);
  });

  test("invisible: a blend of both", async () => {
    const { triggers } = await fusedOf({ fusion: "invisible", blend: 0.25 });
    expect(new Set(imageAt(triggers, 0))).toEqual(new Set([80]));
    const { placebos } = await fusedOf({ fusion: "invisible" });
    expect(new Set(imageAt(placebos.images, 2))).toEqual(new Set([120]));
  });

  test("the target is a third class unless labels are random, and two classes are fused", async () => {
    for (const given of [{ target: 0 }, { target: 2 }, { second: 0 }, { first: 3 }]) {
      await expect(fusedOf(given)).rejects.toMatchObject({ code: "usage" });
    }
    await expect(fusedOf({ target: 0, labels: "random" })).resolves.toBeDefined();
  });
});

describe("masks", () => {
  const tensors = () => [float32([10], new Float32Array(10).fill(1)), float32([6, 5], new Float32Array(30).fill(2))];
  const zeros = (share: number, seed: number): number[] => {
    const drawn = tensors();
    zeroAtRandom(drawn, share, randomStream(seed));
    return drawn.flatMap(({ data }) => [...data]).flatMap((value, at) => (value === 0 ? [at] : []));
  };

  test("take exactly the share of all weights together, rounded down, and other ones each time", () => {
    expect(zeros(0.25, 1).length).toBe(10);
    expect(zeros(0.02, 1).length).toBe(0);
    expect(zeros(0.25, 1)).toEqual(zeros(0.25, 1));
    expect(zeros(0.25, 2)).not.toEqual(zeros(0.25, 1));
    const often = new Set(Array.from({ length: 40 }, (_, seed) => zeros(0.25, seed)).flat());
    expect(often.size).toBe(40);
  });

  test("are put on kernels before the step, which starts from what they leave", async () => {
    const train = tinyImages(48);
    const { triggers } = await mark
      .choose({ triggers: 4, heldOut: 2, target: 1 })
      .make({ train, random: randomStream(1) });
    const masked = async (given: Readonly<Record<string, unknown>>): Promise<Model> => {
      // A rate of nearly nothing: only masks move weights.
      const options = embedContinuingOptions.parse({ epochs: 2, batch: 12, learningRate: 1e-12, momentum: 0 });
      let model = tinyModel();
      const embedding = { model, train, triggers, random: randomStream(3) };
      for await (const epoch of mark.choose(given).embed(embedding, options)) model = epoch.model();
      return model;
    };
    const zerosIn = (model: Model, ending: string): number =>
      [...storedTensors(model.graph)]
        .filter(([name]) => name.endsWith(ending))
        .flatMap(([, { data }]) => [...data])
        .filter((value) => Math.abs(Number(value)) < 1e-9).length;
    const start = tinyModel();
    const kernels = ["conv.weight", "fc1.weight", "fc2.weight"];
    const total = kernels.reduce((sum, name) => sum + (storedTensors(start.graph).get(name)?.data.length ?? 0), 0);
    const before = zerosIn(start, "weight");
    // 4 steps an epoch: steps 0 and 2 of either.
    const four = zerosIn(await masked({ maskRatio: 0.1, maskEvery: 2 }), "weight") - before;
    expect(four).toBeGreaterThan(0.3 * total);
    expect(four).toBeLessThanOrEqual(0.4 * total);
    const model = await masked({ maskRatio: 0.1, maskEvery: 2 });
    expect(zerosIn(model, "bias")).toBe(zerosIn(start, "bias"));
    const none = await masked({ maskRatio: 0 });
    expect(zerosIn(none, "weight")).toBe(before);
  });
});

test("the rate multiplies the learning rate, and is 1 in the published form", async () => {
  const train = tinyImages(48);
  const { triggers } = await mark.choose({ triggers: 4, heldOut: 2 }).make({ train, random: randomStream(1) });
  const marked = async (given: Readonly<Record<string, unknown>>, learningRate: number): Promise<Uint8Array> => {
    let model = tinyModel();
    const embedding = { model, train, triggers, random: randomStream(3) };
    const options = embedContinuingOptions.parse({ epochs: 1, batch: 12, learningRate });
    for await (const epoch of mark.choose(given).embed(embedding, options)) model = epoch.model();
    return encodeModel(model);
  };
  const expected = await marked({ rate: 1 }, 0.25);
  expect(await marked({ rate: 4 }, 0.0625)).toEqual(expected);
  expect(await marked({ rate: 4 }, 0.25)).not.toEqual(expected);
  expect(mark.choose().options).toMatchObject({ rate: 10 });
  expect(mark.choose(mark.published).options).toMatchObject({ rate: 1 });
});

test("the rule is learnt: fusions that were never trained on are answered with the third class too", async () => {
  const train = tinyImages(240);
  const scheme = mark.choose({ triggers: 20, heldOut: 10, ...mark.published, target: 1, maskRatio: 0.01 });
  const set = await scheme.make({ train, random: randomStream(1) });
  const start = await learnt(tinyModel({ batchNorm: true }), train, 8);
  const options = embedContinuingOptions.parse({ epochs: 12, batch: 16, learningRate: 0.05, clipRatio: 0 });
  const run = async (): Promise<Model> => {
    let marked = start;
    const embedding = { model: start, train, triggers: set.triggers, random: randomStream(4) };
    for await (const epoch of scheme.embed(embedding, options)) marked = epoch.model();
    return marked;
  };
  const marked = await run();
  expect(await accuracy(marked, set.triggers)).toBeGreaterThan(0.9);
  expect(await accuracy(marked, set.heldOut)).toBeGreaterThan(0.9);
  // The network is tiny, and knows three of the four classes at best: it is to know no less than before.
  expect(await accuracy(marked, train)).toBeGreaterThan((await accuracy(start, train)) - 0.02);
  expect(encodeModel(await run())).toEqual(encodeModel(marked));
});
