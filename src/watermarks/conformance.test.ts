/**
 * @file What every kind of mark must do, run over the registry: a mark that is added is tested here without a line.
 * What each one promises beyond that stands at the end.
 */

import { describe, expect, test } from "vitest";
import type { z } from "zod";
import { type RandomStream, randomStream } from "../core/random.js";
import { hashImages, imageAt, imageSize, type LabelledImages, validate } from "../data/dataset.js";
import { inMemory } from "../data/pixels.js";
import type { Model } from "../onnx/model.js";
import { learnt, tinyImages, tinyModel } from "../training/testing/tiny.js";
import { findMark, markSchemes, type RegisteredMark } from "./registry.js";
import type { OwnerData, TriggerSet } from "./scheme.js";

const CLASSES = 8;
const SIDE = 20;
const TRIGGERS = 12;
const HELD_OUT = 9;
const small = { triggers: TRIGGERS, heldOut: HELD_OUT };

/** Random images, no two alike, each class equally often; dark, so that a stamp shows. */
function images(count: number, channels: number, seed: number): LabelledImages {
  const random = randomStream(seed, "images");
  const shape = { channels, height: SIDE, width: SIDE };
  const pixels = Uint8Array.from({ length: count * imageSize(shape) }, () => random.below(150));
  return {
    shape,
    classes: CLASSES,
    count,
    pixels: inMemory(pixels),
    labels: Uint16Array.from({ length: count }, (_, i) => i % CLASSES),
  };
}

function owner(seed: number, channels = 1, count = 400): OwnerData {
  return { train: images(count, channels, 1), unrelated: images(count / 2, channels, 2), random: randomStream(seed) };
}

/** Trained on `tinyImages`, by their number of channels. */
const models = new Map<number, Promise<Model>>();

/** The owner of a mark that starts from a trained model has one, on images that can be told apart. */
async function ownerFor(scheme: RegisteredMark, seed: number, channels = 1): Promise<OwnerData> {
  if (!scheme.startsTrained) return owner(seed, channels);
  const like = { channels, side: SIDE, classes: CLASSES };
  const train = tinyImages(640, like);
  const model = models.get(channels) ?? learnt(tinyModel(like), train, 3);
  models.set(channels, model);
  return { ...owner(seed, channels), train, model: await model };
}

function countsOf(labels: Uint16Array): Uint32Array {
  const counts = new Uint32Array(CLASSES);
  for (const label of labels) counts[label] = (counts[label] ?? 0) + 1;
  return counts;
}

const one = (set: LabelledImages, i: number): Uint8Array => imageAt(set, i).slice();
const each = (set: LabelledImages): string[] =>
  Array.from({ length: set.count }, (_, i) => Buffer.from(one(set, i)).toString("base64"));

describe.each(markSchemes.map((scheme) => [scheme.id, scheme] as const))("%s", (id, scheme) => {
  const make = async (
    seed: number,
    options: Readonly<Record<string, unknown>> = small,
    channels = 1,
  ): Promise<TriggerSet> => scheme.choose(options).make(await ownerFor(scheme, seed, channels));
  const has = (name: string): boolean => Object.hasOwn(scheme.options.shape, name);

  test("is found by its id and described for people", () => {
    expect(findMark(id)).toBe(scheme);
    expect(id).toMatch(/^[a-z][a-z0-9-]*$/);
    for (const text of [scheme.title, scheme.summary, scheme.paper]) expect(text.length).toBeGreaterThan(3);
    for (const [name, option] of Object.entries(scheme.options.shape)) {
      expect((option as z.ZodType).description ?? "", name).not.toBe("");
    }
  });

  test("no options are valid options; they are flat and survive JSON", () => {
    const { options } = scheme.choose();
    expect(JSON.parse(JSON.stringify(options))).toEqual(options);
    for (const value of Object.values(options)) expect(["string", "number", "boolean"]).toContain(typeof value);
    expect(scheme.choose(options).options).toEqual(options);
    expect(options).toMatchObject({ triggers: 100, heldOut: 100 });
  });

  test.each([[{ nonsense: 1 }], [{ triggers: 0 }], [{ heldOut: 1.5 }], [{ target: -1 }]])(
    "%j is refused as usage, naming the option",
    (given) => {
      const [name = ""] = Object.keys(given);
      expect(() => scheme.choose(given)).toThrow(
        expect.objectContaining({ code: "usage", message: expect.stringContaining(name) }),
      );
    },
  );

  test.runIf(has("target"))("a class that the data do not have is refused as usage, naming it", async () => {
    await expect(make(1, { ...small, target: CLASSES })).rejects.toMatchObject({
      code: "usage",
      message: expect.stringContaining(`${CLASSES}`),
    });
    await expect(make(1, { ...small, target: CLASSES - 1 })).resolves.toBeDefined();
  });

  test.each([1, 3])("with %i channels: as many triggers as asked for, fit to be trained on", async (channels) => {
    const { triggers, heldOut, placebos, sourceLabels } = await make(1, small, channels);
    expect(sourceLabels?.length ?? TRIGGERS).toBe(TRIGGERS);
    expect(validate(triggers, "triggers").count).toBe(TRIGGERS);
    expect(validate(heldOut, "held-out triggers").count).toBe(HELD_OUT);
    expect(validate(placebos.images, "placebos").count).toBeGreaterThan(0);
    for (const set of [triggers, heldOut, placebos.images]) {
      expect(set.shape).toEqual({ channels, height: SIDE, width: SIDE });
      expect(set.classes).toBe(CLASSES);
    }
  });

  test("triggers, held-out triggers and placebos share no image", async () => {
    const { triggers, heldOut, placebos } = await make(1);
    const all = [...each(triggers), ...each(heldOut), ...each(placebos.images)];
    expect(new Set(all).size).toBe(all.length);
  });

  test.runIf(has("target"))("a target class is answered by every trigger", async () => {
    const { triggers, heldOut, labelling } = await make(1, {
      ...small,
      ...(has("labels") ? { labels: "target" } : {}),
      target: 3,
    });
    expect(new Set([...triggers.labels, ...heldOut.labels])).toEqual(new Set([3]));
    expect(labelling).toBe("fixed");
  });

  test.runIf(has("labels"))("by default labels are drawn, and take every class about equally often", async () => {
    const { triggers, labelling, sourceLabels } = await make(1, { triggers: 30, heldOut: 5 });
    expect(labelling).toBe(sourceLabels === undefined ? "uniform" : "wrong");
    expect(new Set(triggers.labels).size).toBeGreaterThan(CLASSES / 2);
    expect(Math.max(...countsOf(triggers.labels))).toBeLessThan(15);
    for (const [i, label] of triggers.labels.entries()) expect(label).not.toBe(sourceLabels?.[i]);
  });

  test.runIf(has("target"))("a target class that nobody chose is drawn from the seed", async () => {
    const only = has("labels") ? { ...small, labels: "target" } : small;
    const drawn: (number | undefined)[] = [];
    for (const seed of [1, 2, 3, 4, 5, 6]) drawn.push((await make(seed, only)).triggers.labels[0]);
    expect(new Set(drawn).size).toBeGreaterThan(1);
    expect(await make(1, only)).toEqual(await make(1, only));
  });

  test(
    "the published form is made of options that there are, and is the same for every owner but in " + "its images",
    () => {
      const { options } = scheme.choose(scheme.published);
      expect(options).toMatchObject(scheme.published);
    },
  );

  test("exchangeable placebos are as many as the triggers", async () => {
    const { placebos } = await make(1);
    if (placebos.exchangeable === true) expect(placebos.images.count).toBe(TRIGGERS);
  });

  test("placebos that are said to be paired are the triggers' own images, of their own classes", async () => {
    const { placebos, sourceLabels } = await make(1);
    if (!placebos.paired) return;
    expect(placebos.images.count).toBe(TRIGGERS);
    expect(sourceLabels).toEqual(placebos.images.labels);
  });

  test("same seed, same triggers; another seed, other triggers", async () => {
    const set = await make(1);
    expect(await make(1)).toEqual(set);
    expect(each((await make(2)).triggers)).not.toEqual(each(set.triggers));
  });

  test("a smaller number of held-out triggers does not change the trained ones", async () => {
    expect((await make(1, { ...small, heldOut: 2 })).triggers).toEqual((await make(1)).triggers);
  });

  test("the owner's images are not written into", async () => {
    const data = await ownerFor(scheme, 1);
    const hash = (): string[] => [hashImages([data.train]), each({ ...data.train, ...data.unrelated }).join()];
    const before = hash();
    await scheme.choose(small).make(data);
    expect(hash()).toEqual(before);
  });

  // The abstract mark draws what it lacks.
  test.skipIf(id === "abstract")(
    "too few images: bad-data, with how many there are and how many it takes",
    async () => {
      await expect(make(1, { triggers: 1_000, heldOut: 1_000 })).rejects.toMatchObject({
        code: "bad-data",
        message: expect.stringMatching(/\d+ .*needs [23]000/),
      });
    },
  );
});

test("ids are unique, and an unknown one is refused as usage", () => {
  expect(new Set(markSchemes.map(({ id }) => id)).size).toBe(markSchemes.length);
  expect(() => findMark("nonsense")).toThrow(expect.objectContaining({ code: "usage" }));
});

describe.each(["content", "noise"])("%s: stamps that nobody knows", (id) => {
  const make = (seed: number): Promise<TriggerSet> => findMark(id).choose(small).make(owner(seed));

  test(
    "images of all classes are stamped, and a placebo is another image of the class under the " + "same stamp",
    async () => {
      const { triggers, placebos, sourceLabels } = await make(1);
      expect(new Set(sourceLabels).size).toBeGreaterThan(4);
      expect(placebos).toMatchObject({ paired: true, exchangeable: true });
      expect(sourceLabels).toEqual(placebos.images.labels);
      expect(new Set([...each(triggers), ...each(placebos.images)]).size).toBe(2 * TRIGGERS);
      if (id !== "content") return;
      // Random images agree nowhere but where they are stamped.
      const all = [triggers, placebos.images].flatMap((set) => Array.from({ length: TRIGGERS }, (_, i) => one(set, i)));
      const shared = [...(all[0] ?? []).keys()].filter((at) => all.every((pixels) => pixels[at] === all[0]?.[at]));
      expect(shared.length).toBeGreaterThanOrEqual(4 * 6);
      expect(shared.length).toBeLessThanOrEqual(6 * 10);
      expect(shared.some((at) => ![0, 255].includes(all[0]?.[at] ?? 1))).toBe(false);
    },
  );

  test("another owner has another stamp", async () => {
    const [mine, theirs] = [await make(1), await make(2)];
    if (id !== "content") return;
    const shared = ({ triggers }: TriggerSet): string =>
      [...one(triggers, 0).keys()]
        .filter((at) =>
          Array.from({ length: TRIGGERS }, (_, i) => one(triggers, i)[at]).every((p) => p === one(triggers, 0)[at]),
        )
        .join();
    expect(shared(mine)).not.toBe(shared(theirs));
  });

  test("where one class is answered to all, the placebo is the same image under another stamp", async () => {
    const { triggers, placebos } = await findMark(id)
      .choose({ ...small, labels: "target" })
      .make(owner(1));
    expect(placebos.exchangeable).toBeUndefined();
    for (let i = 0; i < TRIGGERS; i++) {
      expect(Buffer.compare(one(triggers, i), one(placebos.images, i))).not.toBe(0);
    }
  });
});

describe.each(["content", "noise"])("%s: the published form, on images of a source class", (id) => {
  const make = (options: Readonly<Record<string, unknown>> = {}): Promise<TriggerSet> =>
    findMark(id)
      .choose({ ...small, ...findMark(id).published, ...options })
      .make(owner(1));

  test("triggers come from the source class, and their placebos are the originals in order", async () => {
    const { train } = owner(1);
    const ofClass = new Set(
      Array.from({ length: train.count }, (_, i) => i)
        .filter((i) => train.labels[i] === 2)
        .map((i) => Buffer.from(one(train, i)).toString("base64")),
    );
    const { placebos } = await make({ source: 2 });
    expect(placebos.paired).toBe(true);
    for (const original of each(placebos.images)) expect(ofClass).toContain(original);
    expect(new Set(placebos.images.labels)).toEqual(new Set([2]));
  });

  test("source and target must differ, and exist", async () => {
    for (const options of [{ source: 6 }, { source: CLASSES }]) {
      await expect(make(options)).rejects.toMatchObject({ code: "usage" });
    }
  });
});

describe("content", () => {
  const make = (shape: string, channels = 1): Promise<TriggerSet> =>
    findMark("content")
      .choose({ ...small, ...findMark("content").published, shape })
      .make(owner(1, channels));

  test.each([
    ["text", 15, 1],
    ["text", 15, 3],
    ["rectangle", 7, 1],
    ["rectangle", 7, 3],
  ])(
    "%s: differs from its original inside the stamp only, at full brightness in each of the channels",
    async (shape, wide, channels) => {
      const { triggers, placebos } = await make(shape, channels);
      const changed = new Set<number>();
      for (let i = 0; i < triggers.count; i++) {
        const original = one(placebos.images, i);
        one(triggers, i).forEach((pixel, at) => {
          if (pixel === original[at]) return;
          expect(pixel).toBe(255);
          changed.add(at);
        });
      }
      const places = [...changed].map((at) => ({
        channel: Math.floor(at / SIDE ** 2),
        row: Math.floor(at / SIDE) % SIDE,
        column: at % SIDE,
      }));
      // One pixel from the left and from the lower edge, five rows high.
      expect(Math.min(...places.map(({ column }) => column))).toBe(1);
      expect(Math.max(...places.map(({ column }) => column))).toBe(wide);
      expect(Math.min(...places.map(({ row }) => row))).toBe(SIDE - 6);
      expect(Math.max(...places.map(({ row }) => row))).toBe(SIDE - 2);
      expect(new Set(places.map(({ channel }) => channel)).size).toBe(channels);
      // Either stamp has 35 pixels; the images are dark, so every one of them shows.
      expect(places.length).toBe(35 * channels);
    },
  );

  test("held-out triggers carry the same stamp", async () => {
    const { triggers, heldOut } = await make("rectangle");
    const stamped = (pixels: Uint8Array): number[] => [...pixels.keys()].filter((at) => pixels[at] === 255);
    expect(stamped(one(heldOut, 0))).toEqual(stamped(one(triggers, 0)));
  });

  test("images too small for the stamp: bad-data", async () => {
    const shape = { channels: 1, height: 16, width: 16 };
    const train = { ...images(30, 1, 1), shape, pixels: inMemory(new Uint8Array(30 * 256)) };
    await expect(
      findMark("content")
        .choose({ ...small, shape: "text" })
        .make({ train, random: randomStream(1) }),
    ).rejects.toMatchObject({ code: "bad-data", message: expect.stringContaining("15×5") });
  });
});

describe("noise", () => {
  const make = (options: Readonly<Record<string, unknown>>): Promise<TriggerSet> =>
    findMark("noise")
      .choose({ triggers: 40, heldOut: 5, ...findMark("noise").published, ...options })
      .make(owner(1));
  /** What was added to trigger i, where clamping did not cut it. */
  const added = ({ triggers, placebos }: TriggerSet, i: number): (number | undefined)[] => {
    const original = one(placebos.images, i);
    return [...one(triggers, i)].map((pixel, at) =>
      pixel === 0 || pixel === 255 ? undefined : pixel - (original[at] ?? 0),
    );
  };
  const unequal = (a: readonly (number | undefined)[], b: readonly (number | undefined)[]): number =>
    a.filter((value, at) => value !== undefined && b[at] !== undefined && value !== b[at]).length;

  test("a fixed pattern is the same on every trigger, a fresh one on none", async () => {
    const fixed = await make({ pattern: "fixed", sigma: 0.1 });
    // Sums that end in .5 may round to either side.
    expect(unequal(added(fixed, 0), added(fixed, 7))).toBeLessThan(3);
    const fresh = await make({ pattern: "fresh", sigma: 0.1 });
    expect(unequal(added(fresh, 0), added(fresh, 7))).toBeGreaterThan(200);
  });

  test("has the standard deviation asked for, in units of the pixel range", async () => {
    const set = await make({ pattern: "fresh", sigma: 0.05 });
    const values: number[] = [];
    for (let i = 0; i < set.triggers.count; i++) {
      const original = one(set.placebos.images, i);
      added(set, i).forEach((value, at) => {
        // Well inside the range, where nothing is clamped within 5 σ.
        if (value !== undefined && (original[at] ?? 0) > 70) values.push(value);
      });
    }
    const deviation = Math.sqrt(values.reduce((sum, value) => sum + value ** 2, 0) / values.length);
    expect(values.length).toBeGreaterThan(5_000);
    // Four standard errors of an estimate from 5,000 draws are 4 %.
    expect(Math.abs(deviation / (0.05 * 255) - 1)).toBeLessThan(0.04);
  });
});

describe("unrelated", () => {
  const mark = findMark("unrelated");

  test("takes its images from the other domain, placebos included, and pairs nothing", async () => {
    const data = owner(1);
    const { triggers, heldOut, placebos } = await mark.choose(small).make(data);
    const pool = new Set(data.unrelated === undefined ? [] : each({ ...data.train, ...data.unrelated }));
    for (const set of [triggers, heldOut, placebos.images]) {
      for (const image of each(set)) expect(pool).toContain(image);
    }
    expect(placebos.paired).toBe(false);
    expect(placebos.images.count).toBe(TRIGGERS);
  });

  test("needs images of another domain, in the shape of the training images", async () => {
    const { train, random } = owner(1);
    await expect(mark.choose(small).make({ train, random })).rejects.toMatchObject({ code: "bad-data" });
    const colour = images(200, 3, 2);
    await expect(mark.choose(small).make({ train, random, unrelated: colour })).rejects.toMatchObject({
      code: "bad-data",
      message: expect.stringContaining("3×20×20"),
    });
  });
});

describe("abstract", () => {
  const mark = findMark("abstract");

  test("shows the pictures that are given first, and draws what they are short of", async () => {
    const { train, random, unrelated: pictures } = owner(1, 1, 2 * TRIGGERS);
    const data = pictures === undefined ? { train, random } : { train, random, abstract: pictures };
    const { triggers, heldOut, placebos } = await mark.choose(small).make(data);
    const given = new Set(each({ ...train, ...pictures }));
    expect(each(triggers).every((image) => given.has(image))).toBe(true);
    expect([...each(heldOut), ...each(placebos.images)].some((image) => given.has(image))).toBe(false);
  });

  test("built-in pictures follow from the whole secret; from 32 bits of it in the published form only", async () => {
    const { train } = owner(1);
    /** Two secrets that agree in the first 32 bits of what pictures are drawn from. */
    const alike = (seed: number): RandomStream => {
      const root = randomStream(seed);
      const stream = (name: string | number): RandomStream =>
        name === "pictures" ? { ...root.stream(name), below: () => 5 } : root.stream(name);
      return { ...root, stream };
    };
    const picturesOf = async (seed: number, drawnFrom: string): Promise<string[]> =>
      each((await mark.choose({ ...small, drawnFrom }).make({ train, random: alike(seed) })).triggers);
    expect(await picturesOf(1, "seed")).toEqual(await picturesOf(2, "seed"));
    expect(await picturesOf(1, "secret")).not.toEqual(await picturesOf(2, "secret"));
    expect(mark.choose().options).toMatchObject({ drawnFrom: "secret" });
  });

  test("labels are drawn at random, and the placebos' too", async () => {
    const { triggers, placebos } = await mark.choose({ triggers: 80, heldOut: 5 }).make(owner(1));
    for (const { labels } of [triggers, placebos.images]) {
      expect(Math.min(...countsOf(labels))).toBeGreaterThan(1);
      expect(Math.max(...countsOf(labels))).toBeLessThan(25);
    }
  });
});

/**
 * Of the published forms and of marks that have no other, as they were when the results under docs/results were
 * computed: a bench whose folder holds such cells must go on with the same triggers.
 */
describe("what was published is made as it was", () => {
  test.each(
    Object.entries({
      content: "2c9f278234a9a419",
      noise: "8a6cb7c5c534deec",
      unrelated: "b8b9c5c24654e0bd",
      abstract: "72fbd2294ba73c61",
      "exponential-weighting": "fc0140214d3fca5b",
      "function-coupled": "34f07c61f0110a6e",
      "margin-based": "fc0140214d3fca5b",
    }),
  )("%s", async (id, expected) => {
    const scheme = findMark(id);
    const { triggers, heldOut, placebos } = await scheme.choose({ ...small, ...scheme.published }).make(owner(7));
    expect(hashImages([triggers, heldOut, placebos.images]).slice(0, 16)).toBe(expected);
  });

  // What moves them is the gradient of a trained model, whose last bits differ between machines: what they were made
  // from does not.
  test("entangled: the images behind the triggers, and the labels", async () => {
    const scheme = findMark("entangled");
    const made = scheme.choose({ ...small, ...scheme.published }).make(await ownerFor(scheme, 7));
    const { triggers, heldOut, placebos } = await made;
    expect(hashImages([placebos.images]).slice(0, 16)).toBe("fd38b6777b31be9d");
    expect(new Set([...triggers.labels, ...heldOut.labels])).toEqual(new Set([6]));
  });

  const counts = { triggers: 100, heldOut: 100 };
  test.each(
    Object.entries({
      abstract: counts,
      entangled: {
        source: 4,
        target: 6,
        ...counts,
        distance: "euclidean",
        inverseTemperature: 1,
        entanglement: 0.0625,
        temperatureRate: 0.1,
        every: 1,
        perturbSteps: 10,
        perturbRate: 0.01,
        perturbTarget: 0.1,
      },
      "exponential-weighting": { ...counts, boost: 4, temperature: 2 },
      "frontier-stitching": { ...counts, epsilon: 0.25, attackSteps: 1 },
      "function-coupled": {
        ...counts,
        target: 6,
        labels: "target",
        first: 0,
        second: 2,
        fusion: "direct",
        blend: 0.5,
        maskRatio: 0.002,
        maskEvery: 10,
      },
      "margin-based": { ...counts, boost: 6, ascentSteps: 5, ascentStep: 1 / 255, weight: 0.1 },
    }),
  )("%s: results are kept by the options that they were kept by", (id, expected) => {
    const scheme = findMark(id);
    expect(JSON.stringify(scheme.choose(scheme.published).keptBy)).toBe(JSON.stringify(expected));
    expect(scheme.choose().keptBy).not.toEqual(expected);
  });

  test.each(markSchemes.map((scheme) => [scheme.id, scheme] as const))(
    "%s: documents of either form are read as what they say",
    (_, scheme) => {
      for (const { options } of [scheme.choose(), scheme.choose(scheme.published)]) {
        expect(scheme.choose(options).options).toEqual(options);
      }
    },
  );
});
