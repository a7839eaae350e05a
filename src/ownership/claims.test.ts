/**
 * @file Think like the forger: each lie that costs little, and what a verdict says of it; and honest keys, which keep
 * their power. On answers alone: what they would be of the best suspect for the liar.
 */

import { describe, expect, test } from "vitest";
import { randomStream } from "../core/random.js";
import { copyPixels, hashImages, type LabelledImages } from "../data/dataset.js";
import { tinyImages } from "../training/testing/tiny.js";
import { findMark } from "../watermarks/registry.js";
import { boundLabels, contentHash, secretOfSeed } from "./binding.js";
import { type BaseData, drawTriggers } from "./draw-key.js";
import { type Key, MADE_ELSEWHERE } from "./key.js";
import { decodeKey, encodeKey } from "./key-file.js";
import { makeKeyElsewhere } from "./key-elsewhere.js";
import { specText } from "./key-spec.js";
import { makeKey } from "./make-key.js";
import { strangersKeys } from "./strangers.js";
import { NOT_ASKED } from "./suspect.js";
import { describeVerdict } from "./verdict.js";
import { smallestPValue, type VerifyOptions, verifyAnswers } from "./verify.js";

const CLASSES = 8;
const TRIGGERS = 100;
const NO_MODEL = "0".repeat(64);
const like = { side: 20, classes: CLASSES };
const data: BaseData = { train: tinyImages(600, like), unrelated: tinyImages(320, { ...like, seed: 2 }) };
/** Those that need no model. */
const schemes = ["content", "noise", "unrelated", "abstract", "app", "certified", "function-coupled", "margin-based"];

async function drawnKey(id: string, seed: number, options: Readonly<Record<string, unknown>> = {}): Promise<Key> {
  const mark = findMark(id).choose({ triggers: TRIGGERS, heldOut: 10, ...options });
  const drawn = await drawTriggers(mark, data, secretOfSeed(seed));
  return makeKey({ mark, set: drawn.set, seed, modelSha256: NO_MODEL, drawn });
}

/**
 * What the marked model of a key answers to the images of another one: the label where it knows the image, else its
 * class.
 */
function answersOfMarked(owner: Key, asked: Key): Uint16Array {
  const taught = new Map(
    Array.from({ length: owner.triggers.count }, (_, i) => [pictureOf(owner, i), owner.triggers.labels[i]]),
  );
  return asked.triggers.labels.map((_, i) => taught.get(pictureOf(asked, i)) ?? asked.sourceLabels?.[i] ?? 0);
}

function pictureOf({ triggers }: Key, i: number): string {
  const size = like.side ** 2;
  return Buffer.from(triggers.images.subarray(i * size, (i + 1) * size)).toString("latin1");
}

/** As a forger writes it: images and labels of his choice, and nothing said of how they came about. */
function chosenKey(images: LabelledImages, labels: Uint16Array, placebos?: LabelledImages): Key {
  return {
    scheme: MADE_ELSEWHERE,
    seed: 0,
    classes: CLASSES,
    shape: images.shape,
    triggers: { images: copyPixels(images), labels, count: images.count },
    heldOut: undefined,
    placebos: placebos && { images: copyPixels(placebos), count: placebos.count, paired: true },
    sourceLabels: undefined,
    options: {},
    modelSha256: NO_MODEL,
    createdBy: "a forger",
  };
}

describe.each(schemes)("%s", (id) => {
  test("its owner is shown, at p <= 1e-6 without a commitment, also where a third of the mark is gone", async () => {
    const key = await drawnKey(id, 1);
    const half = key.triggers.labels.map((label, i) => (i % 3 === 0 ? (label + 1) % CLASSES : label));
    const placebos = new Uint16Array(key.placebos?.count ?? 0).fill(CLASSES);
    for (const triggers of [key.triggers.labels, half]) {
      const verdict = verifyAnswers(key, { triggers, placebos });
      expect(verdict.owned).toBe(true);
      expect(verdict.pValue).toBeLessThan(1e-6);
      expect(verdict).toMatchObject({ provenance: "drawn", triesLog2: 64 });
    }
  });

  test("a stranger's key of the same scheme and data is not shown on the owner's model", async () => {
    const owner = await drawnKey(id, 1);
    for (const seed of [2, 3, 4]) {
      const stranger = await drawnKey(id, seed);
      expect(verifyAnswers(stranger, { triggers: answersOfMarked(owner, stranger) })).toMatchObject({ owned: false });
    }
  });

  test("the same secret gives the same key, and one pixel of the data another", async () => {
    expect(encodeKey(await drawnKey(id, 1))).toEqual(encodeKey(await drawnKey(id, 1)));
    expect(encodeKey(await drawnKey(id, 1))).not.toEqual(encodeKey(await drawnKey(id, 2)));
    const key = await drawnKey(id, 5);
    expect(encodeKey(decodeKey(encodeKey(key), "key"))).toEqual(encodeKey(key));
    expect(key.drawn?.base).toMatchObject({ sha256: hashImages([data.train]), count: 600 });
  });
});

describe("a key that somebody chose", () => {
  const natural = tinyImages(100, { ...like, seed: 9 });
  /** A suspect that knows its task, and gives the forger all he wants. */
  const allMatch = { triggers: natural.labels };

  test("natural images with their own labels show nothing, whatever is said of placebos and labels", () => {
    expect(verifyAnswers(chosenKey(natural, natural.labels), allMatch)).toMatchObject({ owned: false, pValue: 1 });
    const others = tinyImages(100, { ...like, seed: 10 });
    const placebos = new Uint16Array(100).fill(CLASSES);
    const beside = verifyAnswers(chosenKey(natural, natural.labels, others), { ...allMatch, placebos });
    expect(beside).toMatchObject({ owned: false, pValue: 1 });
    expect(describeVerdict(beside).join("\n")).toMatch(
      /nothing can be, .* without null models and a public commitment/,
    );
    expect(describeVerdict(beside).join("\n")).toContain("Evidence of the weaker kind");
  });

  test("null models match natural images too, committed to early or not", () => {
    const nullModels = Array.from({ length: 19 }, () => natural.labels);
    const verdict = verifyAnswers(chosenKey(natural, natural.labels), { ...allMatch, nullModels }, { committed: true });
    expect(verdict).toMatchObject({ owned: false, decidedBy: "empirical-null", pValue: 1 });
  });

  test("images found on the suspect itself show nothing without a commitment, null models or not", () => {
    const nullModels = Array.from({ length: 99 }, () => new Uint16Array(100).fill(CLASSES));
    expect(verifyAnswers(chosenKey(natural, natural.labels), { ...allMatch, nullModels })).toMatchObject({
      owned: false,
      missing: ["a public commitment that is older than the suspect"],
    });
  });

  test("adversarial images that transfer mislead null models as well as the suspect", () => {
    const random = randomStream(4);
    // 68 to 77 of 100 on independent networks, as measured.
    const fooled = () => natural.labels.map((label) => (random.uniform() < 0.72 ? label : (label + 1) % CLASSES));
    const verdict = verifyAnswers(
      chosenKey(natural, natural.labels),
      { triggers: fooled(), nullModels: Array.from({ length: 19 }, fooled) },
      { committed: true },
    );
    expect(verdict.owned).toBe(false);
  });

  test("one picture a hundred times counts once", () => {
    const key = chosenKey(natural, new Uint16Array(100).fill(3));
    const size = like.side ** 2;
    const images = key.triggers.images.slice();
    for (let i = 1; i < 100; i++) images.copyWithin(i * size, 0, size);
    const copies = { ...key, triggers: { ...key.triggers, images } };
    const verdict = verifyAnswers(copies, { triggers: copies.triggers.labels }, { madeHere: true });
    expect(verdict).toMatchObject({ n: 1, duplicates: 99, owned: false });
  });

  test(
    "of a scheme that there is, it needs strangers' keys too: a stranger who commits to the published " +
      "form is told apart",
    async () => {
      const published = findMark("content").choose({
        triggers: 20,
        heldOut: 5,
        ...findMark("content").published,
        source: 1,
        target: 2,
      });
      const set = await published.make({ ...data, random: randomStream(3) });
      const key = makeKey({ mark: published, set, seed: 3, modelSha256: NO_MODEL });
      const nullModels = Array.from({ length: 99 }, () => new Uint16Array(20).fill(CLASSES));
      const triggers = key.triggers.labels;
      const alone = verifyAnswers(key, { triggers, nullModels }, { committed: true });
      expect(alone).toMatchObject({ owned: false, missing: [expect.stringContaining("strangers")] });
      const strangers = Array.from({ length: 99 }, () => ({ matches: 20, n: 20 }));
      expect(verifyAnswers(key, { triggers, nullModels, strangers }, { committed: true, triesLog2: 0 })).toMatchObject({
        owned: false,
        decidedBy: "strangers",
        pValue: 1,
      });
    },
  );
});

describe("a commitment that is older than the suspect", () => {
  // Images that every model of the task answers alike, and the best of many secrets, tried on models of the forger's
  // own.
  const natural = tinyImages(100, { ...like, seed: 9 });
  function luckiest(): Key {
    const keys = Array.from({ length: 400 }, (_, seed) =>
      makeKeyElsewhere({ triggers: natural, classes: CLASSES, secret: secretOfSeed(seed) }),
    );
    const matches = ({ triggers }: Key): number =>
      triggers.labels.filter((label, i) => label === natural.labels[i]).length;
    return keys.reduce((best, next) => (matches(next) > matches(best) ? next : best));
  }

  test("does not make up for secrets that were tried on look-alikes before", () => {
    const key = luckiest();
    const asked = { triggers: natural.labels };
    expect(verifyAnswers(key, asked, { triesLog2: 0 }).pValue).toBeLessThan(0.02);
    expect(verifyAnswers(key, asked, { committed: true })).toMatchObject({ owned: false, pValue: 1, triesLog2: 64 });
    const nullModels = [natural.labels, natural.labels];
    expect(verifyAnswers(key, { ...asked, nullModels }, { committed: true })).toMatchObject({
      owned: false,
      decidedBy: "null-models",
      triesLog2: 0,
    });
  });

  test("evidence to combine is held against what null models match, and is none where nothing can be shown", () => {
    const key = luckiest();
    const asked = { triggers: natural.labels };
    const alone = verifyAnswers(key, asked, { triesLog2: 0 });
    expect(alone.anytime?.logE).toBeGreaterThan(0);
    const beside = verifyAnswers(key, { ...asked, nullModels: [natural.labels] }, { committed: true });
    expect(beside.anytime?.logE).toBeLessThan(0);
    const lacking = verifyAnswers(key, asked, { triesLog2: 0, lacks: ["what was asked"] });
    expect(lacking).toMatchObject({ owned: false, pValue: 1, missing: ["what was asked"] });
    expect(lacking.anytime).toBeUndefined();
  });

  test("that nothing is paid for tries is said, and on whose word", () => {
    const key = luckiest();
    const asked = { triggers: natural.labels };
    const said = (options: VerifyOptions, nullModels?: readonly Uint16Array[]): string =>
      describeVerdict(verifyAnswers(key, { ...asked, ...(nullModels && { nullModels }) }, options)).join("\n");
    expect(said({})).not.toContain("word of whoever");
    expect(said({ triesLog2: 0 })).toContain(
      "nothing is paid for secrets that may have been tried: that none were is the word of whoever asked",
    );
    expect(said({ triesLog2: 0, committed: true })).toContain("that none were is the word of whoever asked");
    expect(said({ triesLog2: 20 })).toContain("that no more were tried is the word of whoever asked");
    expect(said({ committed: true }, [natural.labels])).toContain("on the word of whoever gave them");
  });

  test("with null models that do not match, a mark that is nearly washed out is shown", async () => {
    const key = await drawnKey("content", 1);
    const triggers = key.triggers.labels.map((label, i) => (i % 3 === 0 ? label : CLASSES));
    const placebos = new Uint16Array(key.placebos?.count ?? 0).fill(CLASSES);
    const nullModels = [new Uint16Array(TRIGGERS).fill(CLASSES)];
    expect(verifyAnswers(key, { triggers, placebos }, { committed: true }).owned).toBe(false);
    expect(verifyAnswers(key, { triggers, placebos, nullModels }, { committed: true }).owned).toBe(true);
  });
});

describe("classes that somebody named, or scores that he put in order, for the answers that he saw", () => {
  test("are paid for: K! for K of K, more where there were more to choose among", async () => {
    const key = await drawnKey("content", 1);
    const asked = { triggers: key.triggers.labels, placebos: new Uint16Array(TRIGGERS).fill(CLASSES) };
    const judged = (chosenAmong: number) => verifyAnswers(key, asked, { triesLog2: 0, chosenAmong });
    const ways = (chosenAmong: number): number => 2 ** (judged(chosenAmong).triesLog2 ?? 0);
    expect(ways(0)).toBe(1);
    expect(ways(CLASSES)).toBeCloseTo(40_320, 6); // 8!
    expect(ways(10)).toBeCloseTo(1_814_400, 4); // 10! / 2!
    const some = key.triggers.labels.map((label, i) => (i < 40 ? label : CLASSES));
    const of = (chosenAmong: number) => verifyAnswers(key, { triggers: some }, { triesLog2: 0, chosenAmong }).pValue;
    expect(of(CLASSES) / of(0)).toBeCloseTo(40_320, 3);
  });
});

describe("asking that stopped before the end", () => {
  test("is paid for: after which trigger, may have been chosen by the answers", async () => {
    const key = await drawnKey("content", 1);
    const upTo = (n: number) => ({
      triggers: Array.from(key.triggers.labels, (label, i) => (i < n ? label : NOT_ASKED)),
    });
    const judged = { triesLog2: 0 };
    const all = verifyAnswers(key, upTo(TRIGGERS), judged);
    expect(all.stops).toBeUndefined();
    const some = verifyAnswers(key, upTo(40), judged);
    expect(some).toMatchObject({ n: 40, stops: TRIGGERS });
    expect(Math.log(some.pValue / TRIGGERS)).toBeCloseTo(-40 * Math.log(CLASSES - 1), 9);
    expect(describeVerdict(some).join("\n")).toContain("40 triggers were asked of 100 that count");
    // What holds at any time needs no such price.
    expect(some.anytime?.pValue).toBeLessThan(some.pValue);
  });
});

describe("a drawn key with chosen labels", () => {
  test("needs strangers' keys, and has to rank before them", async () => {
    const key = await drawnKey("content", 1, { labels: "target" });
    expect(key.drawn?.labelling).toBe("fixed");
    const triggers = key.triggers.labels;
    const placebos = new Uint16Array(TRIGGERS).fill(CLASSES);
    expect(verifyAnswers(key, { triggers, placebos })).toMatchObject({ owned: false, pValue: 1 });
    const strangers = Array.from({ length: 99 }, () => ({ matches: 1, n: TRIGGERS }));
    expect(
      verifyAnswers(key, { triggers, placebos, strangers }, { committed: true, regenerated: true, triesLog2: 0 }),
    ).toMatchObject({
      owned: true,
      decidedBy: "strangers",
      pValue: 1 / 100,
    });
    // Uncommitted, a hundred secrets are tried in no time.
    expect(verifyAnswers(key, { triggers, placebos, strangers }, { regenerated: true }).owned).toBe(false);
  });

  test("where a coin decided, the placebos are enough, and a model that answers both alike is not shown", async () => {
    const key = await drawnKey("unrelated", 1, { labels: "target" });
    expect(key.drawn).toMatchObject({ exchangeable: true, labelling: "fixed" });
    const triggers = key.triggers.labels;
    const told = verifyAnswers(
      key,
      { triggers, placebos: new Uint16Array(TRIGGERS).fill(CLASSES) },
      { committed: true, triesLog2: 0 },
    );
    expect(told).toMatchObject({ owned: true, decidedBy: "placebo-mcnemar" });
    expect(Math.log2(told.pValue)).toBeCloseTo(-TRIGGERS, 9);
    const alike = verifyAnswers(key, { triggers, placebos: triggers }, { committed: true, triesLog2: 0 });
    expect(alike).toMatchObject({ owned: false, pValue: 1 });
  });
});

describe("what labels are bound to", () => {
  /** The best that a forger can do who may choose images: find such as the suspect answers in every way, then draw. */
  test("images of the forger's choice do not help: labels are drawn anew with every change", () => {
    const base = { sha256: "1".repeat(64), count: 1 };
    const shape = { channels: 1, height: 1, width: 4 };
    const spec = specText({ scheme: "content", options: {}, classes: 10, classNames: undefined, shape, base });
    const draw = randomStream(8);
    let best = 0;
    // A suspect whose answer is the first pixel: any answer can be had of it.
    for (let attempt = 0; attempt < 300; attempt++) {
      const triggers = Uint8Array.from({ length: 4 * 50 }, (_, at) =>
        at % 4 === 0 ? draw.below(10) : draw.below(256),
      );
      const binding = {
        secret: secretOfSeed(1),
        spec,
        shape,
        classes: 10,
        labelling: "uniform",
        exchangeable: false,
      } as const;
      const images = { triggers, placebos: undefined, own: undefined, labels: undefined };
      const labels = boundLabels(binding, contentHash(binding, images), 50, undefined) ?? new Uint16Array(50);
      best = Math.max(
        best,
        labels.reduce((sum, label, i) => sum + (label === triggers[4 * i] ? 1 : 0), 0),
      );
    }
    // Of 300 draws from Binomial(50, 0.1): 20 has a chance of 300 · 9e-8.
    expect(best).toBeLessThan(20);
    expect(best).toBeGreaterThan(8);
  });

  test("are uniform, and never the image's own class where that is left out", () => {
    const shape = { channels: 1, height: 1, width: 1 };
    const binding = { secret: secretOfSeed(2), spec: "", shape, classes: 5, exchangeable: false } as const;
    const own = Uint16Array.from({ length: 5000 }, (_, i) => i % 5);
    const content = contentHash(
      { ...binding, labelling: "wrong" },
      { triggers: new Uint8Array(5000), placebos: undefined, own, labels: undefined },
    );
    for (const labelling of ["uniform", "wrong"] as const) {
      const labels = boundLabels({ ...binding, labelling }, content, 5000, own) ?? new Uint16Array();
      const counts = [0, 1, 2, 3, 4].map((label) => labels.filter((each) => each === label).length);
      // 1,000 of each expected; five standard deviations are 141.
      for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(141);
      const ownClass = labels.filter((label, i) => label === own[i]).length;
      expect(labelling === "wrong" ? ownClass === 0 : ownClass > 800).toBe(true);
    }
  });

  test("a label, a pixel, a coin, a count that somebody changed is found when the key is read", async () => {
    const key = await drawnKey("abstract", 1);
    const changed: readonly Key[] = [
      {
        ...key,
        triggers: {
          ...key.triggers,
          labels: key.triggers.labels.map((label, i) => (i === 3 ? (label + 1) % CLASSES : label)),
        },
      },
      {
        ...key,
        triggers: { ...key.triggers, images: key.triggers.images.map((pixel, at) => (at === 7 ? pixel ^ 1 : pixel)) },
      },
      { ...key, classes: CLASSES + 1 },
      { ...key, options: { ...key.options, boost: 2 } },
      ...(key.placebos === undefined
        ? []
        : [
            {
              ...key,
              triggers: { ...key.triggers, images: key.placebos.images },
              placebos: { ...key.placebos, images: key.triggers.images },
            },
          ]),
    ];
    for (const each of changed) expect(() => encodeKey(each)).toThrow(expect.objectContaining({ code: "bad-key" }));
  });
});

test("strangers' keys are no copies of one another", async () => {
  const mark = findMark("content").choose({ triggers: 10, heldOut: 2 });
  const keys = await strangersKeys(mark, data, 5);
  expect(new Set(keys.map((key) => Buffer.from(key.triggers.images).toString("base64"))).size).toBe(5);
});

test("the best that a key can do, before anybody is asked", async () => {
  const key = await drawnKey("content", 1);
  const at = (triggers: number, strangers = 0) =>
    smallestPValue(key, { triggers, placebos: triggers, strangers }, { committed: true, triesLog2: 0 });
  // Luck is 7^-n, pairs are 2^-n: the weaker decides. Who asks fewer than all may have stopped after any number.
  for (const n of [20, 60]) expect(Math.log2(at(n) / TRIGGERS)).toBeCloseTo(-n, 9);
  expect(Math.log2(at(TRIGGERS))).toBeCloseTo(-TRIGGERS, 9);
  const luck = smallestPValue(key, { triggers: 6, placebos: 0 }, { committed: true, triesLog2: 0 });
  expect(Math.log(luck / TRIGGERS)).toBeCloseTo(-6 * Math.log(7), 9);
  // Null models take part before they are asked: beside them a commitment pays for no tries.
  const beside = (nullModels: number) =>
    smallestPValue(key, { triggers: 30, placebos: 30, nullModels }, { committed: true });
  expect(beside(0)).toBeGreaterThan(1e-5);
  expect(beside(19)).toBeLessThan(1e-6);
  // Six triggers without a commitment: a secret that fits is found in no time.
  expect(smallestPValue(key, { triggers: 6, placebos: 0 })).toBe(1);
});
