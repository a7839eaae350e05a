/** @file What triggers become, the loss that entangles them, and what training with it does. */

import { describe, expect, test } from "vitest";
import { randomStream } from "../core/random.js";
import { type FloatTensor, float32 } from "../core/tensor.js";
import { accuracy } from "../data/answers.js";
import { copyPixels, imageAt, type LabelledImages } from "../data/dataset.js";
import { encodeModel, type Model } from "../onnx/model.js";
import { learnt, tinyImages, tinyModel } from "../training/testing/tiny.js";
import { embedFromScratchOptions } from "./embed.js";
import { entangled, nextInverse, openEntanglement } from "./entangled.js";
import { entangledLayers, largestSquare, temperatureName } from "./entangled-triggers.js";
import type { TriggerSet } from "./scheme.js";

const train = tinyImages(120);
const model = await learnt(tinyModel(), train, 6);
const few = { source: 1, target: 2, triggers: 10, heldOut: 6 };
const chosenOf = (changes: Readonly<Record<string, unknown>> = {}) => entangled.options.parse({ ...few, ...changes });
const make = async (changes: Readonly<Record<string, unknown>> = {}): Promise<TriggerSet> =>
  entangled.make({ train, model, random: randomStream(1) }, chosenOf(changes));

describe("triggers", () => {
  test("without steps differ from their originals in a bright square of 3×3 pixels, the same for all", async () => {
    const { triggers, heldOut, placebos } = await make({ perturbSteps: 0 });
    const changed = new Set<number>();
    for (let i = 0; i < triggers.count; i++) {
      const original = imageAt(placebos.images, i).slice();
      imageAt(triggers, i).forEach((pixel, at) => {
        if (pixel === original[at]) return;
        expect(pixel).toBe(255);
        changed.add(at);
      });
    }
    const [rows, columns] = [[...changed].map((at) => Math.floor(at / 8)), [...changed].map((at) => at % 8)];
    expect(Math.max(...rows) - Math.min(...rows)).toBeLessThan(3);
    expect(Math.max(...columns) - Math.min(...columns)).toBeLessThan(3);
    for (const at of changed) for (let i = 0; i < heldOut.count; i++) expect(imageAt(heldOut, i)[at]).toBe(255);
  });

  test("with steps are moved by a bounded number of levels, and are not answered as the target before", async () => {
    const [plain, moved] = [await make({ perturbSteps: 0 }), await make()];
    const [from, to] = [copyPixels(plain.triggers), copyPixels(moved.triggers)];
    const most = Math.max(...from.map((pixel, i) => Math.abs(pixel - (to[i] ?? 0))));
    expect(most).toBeGreaterThan(0);
    // Ten up the entanglement, fifty and five away from the target, of 0.01 each, and rounding.
    expect(most).toBeLessThanOrEqual(Math.round(255 * 0.65) + 1);
    expect(await accuracy(model, moved.triggers)).toBeLessThanOrEqual(0.1);
  });

  test("the square with the largest sum is found, the first of equal ones", () => {
    const values = new Float64Array(5 * 6);
    expect(largestSquare(values, { height: 5, width: 6 })).toEqual({ row: 0, column: 0 });
    values[3 * 6 + 4] = 1;
    expect(largestSquare(values, { height: 5, width: 6 })).toEqual({ row: 1, column: 2 });
    expect(
      largestSquare(
        values.map((value) => -value - 1),
        { height: 5, width: 6 },
      ),
    ).toEqual({ row: 0, column: 0 });
  });

  test("a mark without a trained model is refused", async () => {
    await expect(entangled.make({ train, random: randomStream(1) }, chosenOf())).rejects.toMatchObject({
      code: "usage",
    });
  });
});

describe("with a class drawn for each", () => {
  const drawn = { source: undefined, target: undefined };

  test("images of all classes carry the square at one place, those beside them each at another", async () => {
    const { triggers, heldOut, placebos, labelling, sourceLabels } = await make({ ...drawn, perturbSteps: 0 });
    expect(labelling).toBe("wrong");
    expect(new Set(sourceLabels).size).toBeGreaterThan(2);
    expect(placebos.images.labels).toEqual(sourceLabels);
    const bright = (images: LabelledImages, i: number): number[] =>
      [...imageAt(images, i)].flatMap((pixel, at) => (pixel === 255 ? [at] : []));
    const all = [triggers, heldOut].flatMap((set) => Array.from({ length: set.count }, (_, i) => bright(set, i)));
    const shared = (all[0] ?? []).filter((at) => all.every((found) => found.includes(at)));
    expect(shared).toHaveLength(9);
    for (let i = 0; i < placebos.images.count; i++) {
      const [own, other] = [imageAt(triggers, i).slice(), imageAt(placebos.images, i).slice()];
      const changed = [...own.keys()].filter((at) => own[at] !== other[at]);
      expect(changed.length).toBeGreaterThan(0);
      // Either square, and nothing else.
      expect(changed.every((at) => own[at] === 255 || other[at] === 255)).toBe(true);
      expect(shared.every((at) => other[at] === 255)).toBe(false);
    }
  });

  test("another secret has another place, and steps move pixels by what they may", async () => {
    const places = new Set<string>();
    for (let seed = 0; seed < 6; seed++) {
      const { triggers } = await entangled.make(
        { train, model, random: randomStream(seed) },
        chosenOf({ ...drawn, perturbSteps: 0 }),
      );
      const first = imageAt(triggers, 0).slice();
      const alike = (at: number): boolean =>
        Array.from({ length: triggers.count }, (_, i) => imageAt(triggers, i)[at]).every((pixel) => pixel === 255);
      places.add([...first.keys()].filter(alike).join());
    }
    expect(places.size).toBeGreaterThan(2);
    const [plain, moved] = [await make({ ...drawn, perturbSteps: 0 }), await make(drawn)];
    for (const which of [(set: TriggerSet) => set.triggers, (set: TriggerSet) => set.placebos.images]) {
      const [from, to] = [copyPixels(which(plain)), copyPixels(which(moved))];
      const most = Math.max(...from.map((pixel, i) => Math.abs(pixel - (to[i] ?? 0))));
      expect(most).toBeGreaterThan(10);
      // Ten steps of 0.01 and rounding; none away from a class.
      expect(most).toBeLessThanOrEqual(26);
    }
  });

  test("a target class means one for all unless told otherwise, and a source class alone does not", async () => {
    expect((await make({ source: undefined })).labelling).toBe("fixed");
    const { triggers, labelling, sourceLabels } = await make({ target: undefined });
    expect(labelling).toBe("wrong");
    expect(new Set(sourceLabels)).toEqual(new Set([1]));
    expect(new Set(triggers.labels).size).toBeGreaterThan(1);
    expect((await make({ labels: "random" })).labelling).toBe("wrong");
  });

  test("training with the loss lays triggers closer to images of their classes than without", async () => {
    const { triggers } = await make({ ...drawn, triggers: 24 });
    const training = embedFromScratchOptions.parse({ epochs: 12, batch: 32, learningRate: 0.05 });
    /** SNNL by class at T = 100, from the loss at two weights. */
    const mixed = async (marked: Model): Promise<number> => {
      const lossAt = async (entanglement: number): Promise<number> => {
        const embedding = { model: marked, train, triggers, random: randomStream(1) };
        const { feed, gradient, temperatures } = await openEntanglement(
          embedding,
          { ...training, batch: 120 },
          chosenOf({ ...drawn, entanglement }),
        );
        feed.fill(1, 0, gradient.images, gradient.targets);
        const values = new Map<string, FloatTensor>(temperatures.map((name) => [name, float32([], [1])]));
        for (const name of gradient.names) {
          const tensor = marked.graph.initializers.get(name);
          if (tensor?.type === "float32") values.set(name, tensor);
        }
        const { loss } = await gradient.at(values);
        await gradient.release();
        return loss;
      };
      return (await lossAt(0)) - (await lossAt(1));
    };
    const run = async (entanglement: number): Promise<Model> => {
      let marked = model;
      const embedding = { model, train, triggers, random: randomStream(1) };
      const chosen = chosenOf({ ...drawn, entanglement });
      for await (const epoch of entangled.embed?.(embedding, training, chosen) ?? []) marked = epoch.model();
      return marked;
    };
    const [without, entwined] = [await mixed(await run(0)), await mixed(await run(2))];
    expect(entwined).toBeGreaterThan(without);
  });
});

test("what is entangled enters the layers behind the first", () => {
  // Into both dense layers; what enters the convolution is the image.
  expect(entangledLayers(model, train.shape)).toHaveLength(2);
});

test("a temperature goes down its own loss, however the whole loss weighs it", () => {
  const chosen = { entanglement: 0.5, temperatureRate: 0.1 };
  // The whole loss holds −0.5 SNNL: a slope of −1 there is one of 2 of SNNL.
  expect(nextInverse(1, -1, chosen)).toBeCloseTo(0.8, 12);
  expect(nextInverse(1, 1, chosen)).toBeCloseTo(1.2, 12);
  expect(nextInverse(1, -100, chosen)).toBe(1e-3);
  expect(nextInverse(1, 5, { ...chosen, entanglement: 0 })).toBe(1);
});

describe.each([false, true])("with batch normalisation %s", (batchNorm) => {
  const start = tinyModel({ batchNorm });
  const training = embedFromScratchOptions.parse({ epochs: 12, batch: 16, learningRate: 0.05 });

  test.each([
    ["one class", {}],
    ["a class for each", { source: undefined, target: undefined }],
  ])("%s: the loss's gradient agrees with central differences, by weights and temperatures", async (_, form) => {
    const { triggers } = await make(form);
    const embedding = { model: start, train, triggers, random: randomStream(1) };
    const chosen = chosenOf({ ...form, entanglement: 2, inverseTemperature: 50 });
    const { feed, gradient, temperatures } = await openEntanglement(embedding, training, chosen);
    expect(temperatures).toEqual([temperatureName(0), temperatureName(1)]);
    feed.fill(1, 0, gradient.images, gradient.targets);
    const values = new Map<string, FloatTensor>(temperatures.map((name) => [name, float32([], [50])]));
    for (const name of gradient.names) {
      const tensor = start.graph.initializers.get(name);
      if (tensor?.type === "float32") values.set(name, tensor);
    }
    const { gradients } = await gradient.at(values);
    for (const [name, value] of values) {
      const slopes = gradients.get(name)?.data ?? new Float32Array(0);
      const i = slopes.reduce((most, slope, k) => (Math.abs(slope) > Math.abs(slopes[most] ?? 0) ? k : most), 0);
      const h = temperatures.includes(name) ? 1 : 1e-3;
      const lossAt = async (step: number): Promise<number> => {
        const data = value.data.slice();
        data[i] = (data[i] ?? 0) + step;
        return (await gradient.at(new Map([...values, [name, float32(value.dims, data)]]))).loss;
      };
      const slope = ((await lossAt(h)) - (await lossAt(-h))) / (2 * h);
      const found = slopes[i] ?? Number.NaN;
      // As in step.test.ts; a bias before a normalisation moves nothing but rounding.
      expect(Math.abs(found - slope), `${name}: ${found} against ${slope}`).toBeLessThan(
        0.05 * Math.abs(slope) + 1e-3 * Math.min(1, 1 / h),
      );
    }
    await gradient.release();
  });

  test("training teaches the triggers beside the images, and gives the same bytes again", async () => {
    const { triggers } = await make();
    const run = async (chosen = training): Promise<Model> => {
      let marked = start;
      const embedding = { model: start, train, triggers, random: randomStream(1) };
      for await (const epoch of entangled.embed?.(embedding, chosen, chosenOf()) ?? []) marked = epoch.model();
      return marked;
    };
    const marked = await run();
    expect(await accuracy(marked, triggers)).toBeGreaterThan(0.85);
    // Chance is 0.25; the network is tiny, and a trigger is much like its own class.
    expect(await accuracy(marked, train)).toBeGreaterThan(0.5);
    const short = { ...training, epochs: 2 };
    expect(encodeModel(await run(short))).toEqual(encodeModel(await run(short)));
  });
});
