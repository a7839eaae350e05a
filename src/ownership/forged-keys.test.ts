/**
 * @file Keys as a forger would like to have them: every lie that a file can tell of itself is refused by its reader, or
 * by whoever makes the key again, and what no file shows proves nothing.
 */

import { beforeAll, describe, expect, test } from "vitest";
import { WildmarkError } from "../core/errors.js";
import { decodeSafetensors, encodeSafetensors } from "../core/safetensors.js";
import type { Tensor } from "../core/tensor.js";
import { type Images, imageAt } from "../data/dataset.js";
import { inMemory } from "../data/pixels.js";
import { tinyImages } from "../training/testing/tiny.js";
import { findMark } from "../watermarks/registry.js";
import { toss, tossed } from "./binding.js";
import { type BaseData, drawTriggers } from "./draw-key.js";
import type { Key, KeyDraw } from "./key.js";
import { decodeKey, encodeKey } from "./key-file.js";
import { makeKeyElsewhere } from "./key-elsewhere.js";
import { isDrawn, keyBinding } from "./key-binding.js";
import { makeKey } from "./make-key.js";
import { requireRegenerable } from "./regenerate.js";
import { NOT_ASKED, REFUSED } from "./suspect.js";
import { verifyAnswers } from "./verify.js";

const CLASSES = 8;
const SIDE = 20;
const images = { side: SIDE, classes: CLASSES };
const data: BaseData = {
  train: tinyImages(240, images),
  unrelated: tinyImages(60, { ...images, seed: 2 }),
  classNames: [..."abcdefgh"],
};
const secret = new Uint8Array(32).fill(7);

async function drawnKey(id: string, options: Readonly<Record<string, unknown>> = {}, drawOf = secret): Promise<Key> {
  const mark = findMark(id).choose({ triggers: 12, heldOut: 6, ...options });
  const drawn = await drawTriggers(mark, data, drawOf);
  return makeKey({ mark, set: drawn.set, seed: 3, modelSha256: "ab".repeat(32), drawn });
}

type Change = (metadata: Map<string, string>, tensors: Map<string, Tensor>) => void;

function forged(key: Key, change: Change): Uint8Array {
  const { metadata, tensors } = decodeSafetensors(encodeKey(key), "x");
  const [lies, falseTensors] = [new Map(metadata), new Map(tensors)];
  change(lies, falseTensors);
  return encodeSafetensors({ metadata: lies, tensors: falseTensors });
}

function refusal(work: () => unknown): WildmarkError {
  try {
    work();
  } catch (error) {
    if (error instanceof WildmarkError) return error;
    throw error;
  }
  throw new Error("the key was accepted");
}

/** One value of a tensor raised by one. */
const raised =
  (name: string, at = 0): Change =>
  (_, tensors) => {
    const tensor = tensors.get(name);
    if (tensor?.type !== "uint8") throw new Error(`no ${name}`);
    tensors.set(name, { ...tensor, data: tensor.data.map((value, i) => (i === at ? (value + 1) % CLASSES : value)) });
  };
const says =
  (name: string, value: string): Change =>
  (metadata) =>
    metadata.set(name, value);
const options =
  (change: (said: Record<string, unknown>) => void): Change =>
  (metadata) => {
    const said = JSON.parse(metadata.get("options") ?? "") as Record<string, unknown>;
    change(said);
    metadata.set("options", JSON.stringify(said));
  };

let content: Key;
let pictures: Key;
let targeted: Key;
let elsewhere: Key;
beforeAll(async () => {
  content = await drawnKey("content");
  pictures = await drawnKey("unrelated");
  targeted = await drawnKey("unrelated", { labels: "target" });
  const triggers = tinyImages(10, { ...images, seed: 5 });
  elsewhere = makeKeyElsewhere({ triggers, classes: CLASSES, secret });
});

test("keys that nobody touched are what they are taken for", async () => {
  expect(content.drawn).toMatchObject({ labelling: "wrong", exchangeable: true });
  expect(pictures.drawn).toMatchObject({ labelling: "uniform", exchangeable: true });
  expect(targeted.drawn).toMatchObject({ labelling: "fixed", exchangeable: true });
  expect(elsewhere.drawn).toMatchObject({ labelling: "uniform", exchangeable: false });
  for (const key of [content, pictures, targeted, elsewhere]) expect(decodeKey(encodeKey(key), "x")).toEqual(key);
  for (const key of [content, pictures, targeted]) await requireRegenerable(key, data, "x");
});

describe("a lie of a drawn key is seen when it is read", () => {
  const lies: readonly (readonly [string, Change, string])[] = [
    ["a label", raised("triggers.labels", 3), "the secret (gives|makes)"],
    ["a pixel of a trigger", raised("triggers.images", 100), "the secret (gives|makes)"],
    ["a pixel of a placebo", raised("placebos.images", 100), "the secret (gives|makes)"],
    ["the class of an original", raised("source_labels", 2), "the secret (gives|makes)"],
    ["no classes of the originals", (_, tensors) => tensors.delete("source_labels"), "not say those"],
    ["a label of a held-out trigger", raised("held_out.labels"), "held-out triggers"],
    ["a pixel of a held-out trigger", raised("held_out.images"), "held-out triggers"],
    ["another secret", says("secret", "00".repeat(32)), "the secret (gives|makes)"],
    ["a shorter secret", says("secret", "07".repeat(31)), "64 hexadecimal"],
    ["no secret", (metadata) => metadata.delete("secret"), "lack secret"],
    ["other base data", says("base_sha256", "00".repeat(32)), "the secret (gives|makes)"],
    ["fewer base data", says("base_count", "239"), "the secret (gives|makes)"],
    ["no base data", says("base_count", "0"), "base_count"],
    ["pictures that it was not made from", says("pictures_sha256", "00".repeat(32)), "the secret (gives|makes)"],
    ["a model that it was not made against", says("start_sha256", "00".repeat(32)), "the secret (gives|makes)"],
    [
      "more classes",
      (m) => m.set("classes", "9").set("class_names", JSON.stringify([..."abcdefghi"])),
      "secret (gives|makes)",
    ],
    ["names in another order", says("class_names", JSON.stringify([..."bacdefgh"])), "the secret (gives|makes)"],
    ["no names", (metadata) => metadata.delete("class_names"), "the secret (gives|makes)"],
    ["a name too few", says("class_names", JSON.stringify([..."abcdefg"])), "names 7 classes of 8"],
    ["labels uniform", says("labelling", "uniform"), "the secret (gives|makes)"],
    ["labels chosen", says("labelling", "fixed"), "no labels are fixed"],
    ["labels as nobody draws them", says("labelling", "best"), "labelling"],
    ["coins that did not fall", says("exchangeable", "false"), "the secret gives"],
    ["another scheme", says("scheme", "certified"), "of the certified mark"],
    ["a scheme without options", says("scheme", "made-elsewhere"), "have no options"],
    ["another number of triggers", options((said) => Object.assign(said, { triggers: 11 })), "say 11 triggers"],
    ["an option that there is not", options((said) => Object.assign(said, { zeal: 1 })), "zeal"],
    ["an option of another kind", options((said) => Object.assign(said, { shape: 3 })), "shape"],
    ["another option", options((said) => Object.assign(said, { shape: "text" })), "the secret (gives|makes)"],
    ["an option left out", options((said) => delete said.shape), "not say all options"],
    ["labels by one target", options((said) => Object.assign(said, { labels: "target" })), "no labels are wrong"],
    ["an option that is no number", says("options", '{"heldOut":6,"triggers":NaN}'), "expected JSON"],
    ["an option twice", says("options", '{"heldOut":6,"triggers":1,"triggers":12}'), "as Wildmark writes it"],
    ["options out of order", says("options", '{"triggers":12,"heldOut":6}'), "by name"],
    ["something beside", says("owner", "me"), 'unknown metadata "owner"'],
    ["an older version", says("version", "1"), "says how it was drawn"],
  ];
  test.each(lies)("%s", (_, change, reason) => {
    const error = refusal(() => decodeKey(forged(content, change), "false.key"));
    expect(error.code).toBe("bad-key");
    expect(error.message).toMatch(new RegExp(reason));
  });

  test("what nothing follows from may be said as one likes: the hash of the model, the seed, who wrote it", () => {
    const change: Change = (m) => m.set("seed", "4").set("created_by", "me").set("model_sha256", "0".repeat(64));
    expect(decodeKey(forged(content, change), "x").createdBy).toBe("me");
  });
});

describe("a lie about coins is seen", () => {
  const swapped: Change = (_, tensors) => {
    const [triggers, placebos] = [tensors.get("triggers.images"), tensors.get("placebos.images")];
    if (triggers?.type !== "uint8" || placebos?.type !== "uint8") throw new Error("no pairs");
    const size = SIDE * SIDE;
    const first = (own: Uint8Array, other: Uint8Array): Uint8Array => {
      const copy = own.slice();
      copy.set(other.subarray(0, size));
      return copy;
    };
    tensors.set("triggers.images", { ...triggers, data: first(triggers.data, placebos.data) });
    tensors.set("placebos.images", { ...placebos, data: first(placebos.data, triggers.data) });
  };
  test.each<readonly [string, Change, string]>([
    ["a pair exchanged", swapped, "makes the placebo of trigger 0 the trigger"],
    ["no coins", says("exchangeable", "false"), "the secret gives"],
    ["no pairs", says("placebos_paired", "false"), "not said to be pairs"],
    [
      "no placebos",
      (metadata, tensors) => {
        metadata.delete("placebos_paired");
        tensors.delete("placebos.images");
      },
      "not said to be pairs",
    ],
  ])("%s", (_, change, reason) => {
    expect(refusal(() => decodeKey(forged(pictures, change), "x")).message).toContain(reason);
  });

  test(
    "chosen labels are fixed before the coins fall: given afterwards, as the suspect answers, they undo " + "the coins",
    () => {
      // The forger knows what the suspect answers, and gives each trigger that answer: placebos would differ every time.
      const labels = Uint16Array.from(targeted.triggers.labels, (label, i) =>
        i === 0 ? (label + 1) % CLASSES : label,
      );
      const lie: Key = { ...targeted, triggers: { ...targeted.triggers, labels } };
      expect(refusal(() => encodeKey(lie)).message).toContain("somebody chose");
    },
  );

  test("whatever two images and label a forger chooses, a coin that fell afterwards is right every second time", () => {
    const { triggers, placebos } = targeted;
    if (!isDrawn(targeted) || placebos === undefined) throw new Error("not drawn");
    const size = SIDE * SIDE;
    let right = 0;
    for (let attempt = 0; attempt < 200; attempt++) {
      const drawn = { ...targeted.drawn, secret: new Uint8Array(32).fill(attempt) };
      const { binding, content } = keyBinding({ ...targeted, drawn });
      for (let i = 0; i < triggers.count; i++) {
        const own = triggers.images.subarray(i * size, (i + 1) * size);
        const other = placebos.images.subarray(i * size, (i + 1) * size);
        if (tossed(binding, content, i, [own, other])[0] === own) right++;
      }
    }
    // 2400 coins: 1200 expected, six standard deviations either way.
    expect(Math.abs(right - 1200)).toBeLessThan(150);
  });
});

describe("coins and what is counted", () => {
  /**
   * Hundred images that the suspect answers with class 3, each beside the same black one, which it answers with class
   * 0.
   */
  function oneLoser(): Key {
    const count = 100;
    const mark = findMark("unrelated").choose({ triggers: count, heldOut: 6, labels: "target" });
    const { drawn } = targeted;
    if (drawn === undefined) throw new Error("not drawn");
    const lie: Key & { readonly drawn: KeyDraw } = {
      ...content,
      scheme: "unrelated",
      options: mark.options,
      triggers: {
        images: pixelsOf(tinyImages(count, { ...images, seed: 9 })),
        count,
        labels: new Uint16Array(count).fill(3),
      },
      heldOut: undefined,
      placebos: { images: new Uint8Array(count * SIDE * SIDE), count, paired: true },
      sourceLabels: undefined,
      drawn,
    };
    const { binding, content: hash } = keyBinding(lie);
    const sets = { triggers: lie.triggers.images, placebos: lie.placebos?.images ?? new Uint8Array() };
    toss(sets, binding, hash);
    return lie;
  }

  test("an image that loses many tosses is counted as often as those that win", () => {
    const lie = oneLoser();
    expect(decodeKey(encodeKey(lie), "x")).toEqual(lie);
    const answer = (rows: Uint8Array): Uint16Array =>
      Uint16Array.from({ length: 100 }, (_, i) => (rowOf(rows, i).some((pixel) => pixel > 0) ? 3 : 0));
    const asked = { triggers: answer(lie.triggers.images), placebos: answer(lie.placebos?.images ?? new Uint8Array()) };
    const verdict = verifyAnswers(lie, asked, { committed: true });
    expect(verdict).toMatchObject({ n: 100, owned: false, decidedBy: "placebo-mcnemar" });
    expect(verdict.matches).toBeGreaterThan(30);
    expect(verdict.matches).toBeLessThan(70);
  });

  test("a pair counts where both images were asked: placebos that are kept back prove nothing", () => {
    const triggers = targeted.triggers.labels;
    const all = verifyAnswers(
      targeted,
      { triggers, placebos: new Array(12).fill(REFUSED) },
      { committed: true, triesLog2: 0 },
    );
    expect(all.owned).toBe(true);
    expect(Math.log2(all.pValue)).toBeCloseTo(-12, 9);
    const none = verifyAnswers(
      targeted,
      { triggers, placebos: new Array(12).fill(NOT_ASKED) },
      { committed: true, triesLog2: 0 },
    );
    expect(none).toMatchObject({ owned: false, pValue: 1 });
    expect(none.missing).toBeDefined();
    const half = Array.from({ length: 12 }, (_, i) => (i % 2 === 0 ? REFUSED : NOT_ASKED));
    const some = verifyAnswers(targeted, { triggers, placebos: half }, { committed: true, triesLog2: 0 });
    expect(Math.log2(some.tests.find(({ id }) => id === "placebo-mcnemar")?.pValue ?? 1)).toBeCloseTo(-6, 9);
  });
});

describe("who leaves out what does not suit", () => {
  test("triggers left out of a manifest before the last one that was asked are misses", () => {
    const triggers = tinyImages(300, { ...images, seed: 6 });
    const key = makeKeyElsewhere({ triggers, classes: CLASSES, secret });
    const picked = Array.from(key.triggers.labels, (label, i) => (label === triggers.labels[i] ? label : NOT_ASKED));
    const verdict = verifyAnswers(key, { triggers: picked });
    expect(verdict.matches).toBeGreaterThan(20);
    expect(verdict.n).toBeGreaterThan(200);
    expect(verdict).toMatchObject({ owned: false, pValue: 1 });
    // The first ones alone are what a budget leaves.
    const budget = Array.from(key.triggers.labels, (label, i) => (i < 60 ? label : NOT_ASKED));
    expect(verifyAnswers(key, { triggers: budget })).toMatchObject({ n: 60, matches: 60, owned: true });
  });

  test("placebos left out in between count against the claim", () => {
    const triggers = targeted.triggers.labels;
    // Every pair was a tie, but the placebos that were answered alike are said not to have been asked.
    const placebos = Array.from({ length: 12 }, (_, i) => (i === 11 ? REFUSED : NOT_ASKED));
    const verdict = verifyAnswers(targeted, { triggers, placebos }, { triesLog2: 0 });
    expect(verdict.tests.find(({ id }) => id === "placebo-mcnemar")?.pValue).toBe(0.5);
  });
});

describe("a lie about how the scheme draws is seen when the key is made again", () => {
  test("labels that the suspect answers, called chosen, where the scheme draws them", async () => {
    const honest = await drawnKey("abstract");
    if (honest.drawn === undefined) throw new Error("not drawn");
    const answered = honest.triggers.labels.map((label) => (label + 1) % CLASSES);
    // Labels are among what the coins are bound to; without coins the file itself is in order.
    const lie: Key = {
      ...honest,
      triggers: { ...honest.triggers, labels: answered },
      placebos: honest.placebos && { ...honest.placebos, paired: false },
      drawn: { ...honest.drawn, labelling: "fixed", exchangeable: false },
    };
    expect(decodeKey(encodeKey(lie), "x")).toEqual(lie);
    await expect(requireRegenerable(lie, data, "x")).rejects.toMatchObject({ code: "bad-key" });
    await requireRegenerable(honest, data, "x");
  });

  test("natural images under the name of a scheme with chosen labels show nothing until they are made again", () => {
    const natural = tinyImages(12, { ...images, seed: 9 });
    if (content.drawn === undefined) throw new Error("not drawn");
    const lie: Key = {
      ...content,
      scheme: "entangled",
      options: findMark("entangled").choose({ triggers: 12, heldOut: 6 }).options,
      triggers: { images: pixelsOf(natural), count: 12, labels: natural.labels },
      placebos: undefined,
      sourceLabels: undefined,
      drawn: { ...content.drawn, labelling: "fixed", exchangeable: false },
    };
    const answers = { triggers: natural.labels, strangers: Array.from({ length: 99 }, () => ({ matches: 0, n: 12 })) };
    expect(decodeKey(encodeKey(lie), "x")).toEqual(lie);
    expect(verifyAnswers(lie, answers, { committed: true })).toMatchObject({ owned: false, pValue: 1 });
    expect(verifyAnswers(lie, answers, { committed: true }).missing).toEqual([
      expect.stringContaining("made again from its secret"),
    ]);
    // Were they made again, this is what strangers' keys would say.
    expect(verifyAnswers(lie, answers, { committed: true, regenerated: true, triesLog2: 0 }).pValue).toBe(0.01);
    expect(verifyAnswers(lie, answers, { committed: true, regenerated: true }).pValue).toBe(1);
  });
});

describe("triggers made elsewhere", () => {
  test.each<readonly [string, Change, string]>([
    ["a pixel", raised("triggers.images", 40), "not the hash of its 10 images"],
    ["another base", says("base_sha256", "00".repeat(32)), "not the hash of its 10 images"],
    ["another number", says("base_count", "9"), "not the hash of its 10 images"],
    ["pictures beside", says("pictures_sha256", "00".repeat(32)), "not the hash of its 10 images"],
    ["a label", raised("triggers.labels"), "the secret gives"],
    ["chosen labels", says("labelling", "fixed"), "are drawn uniform, not fixed"],
    ["labels beside the own class", says("labelling", "wrong"), "not say those"],
    ["options", says("options", '{"triggers":10}'), "have no options"],
    ["coins", says("exchangeable", "true"), "not said to be pairs"],
  ])("%s changed after the labels were drawn is seen", (_, change, reason) => {
    expect(refusal(() => decodeKey(forged(elsewhere, change), "x")).message).toContain(reason);
  });

  test("images that a suspect answers as the forger knows give nothing: their labels are drawn afterwards", () => {
    // The worst a forger can have: he knows every answer. 40 images, 8 classes, 300 secrets.
    const triggers = tinyImages(40, { ...images, seed: 6 });
    const answered = triggers.labels;
    let matches = 0;
    const values: number[] = [];
    for (let attempt = 0; attempt < 300; attempt++) {
      const own = new Uint8Array(32).fill(attempt % 256);
      own[1] = attempt >> 8;
      const key = makeKeyElsewhere({ triggers, classes: CLASSES, secret: own });
      const verdict = verifyAnswers(key, { triggers: answered }, { triesLog2: 0 });
      matches += verdict.matches;
      values.push(verdict.pValue);
    }
    // 12,000 draws with chance 1/8: 1500 expected, six standard deviations either way.
    expect(Math.abs(matches - 1500)).toBeLessThan(220);
    // p-values below a level are no more frequent than the level: 15 of 300 expected at most.
    expect(values.filter((p) => p <= 0.05).length).toBeLessThan(30);
    // He may try secrets, and the price of that leaves nothing.
    const key = makeKeyElsewhere({ triggers, classes: CLASSES, secret });
    const asked = { triggers: key.triggers.labels };
    expect(verifyAnswers(key, asked).pValue).toBeLessThan(1e-6);
    expect(verifyAnswers(key, { triggers: answered }).owned).toBe(false);
  });

  test("coins fall where placebos were made alike, and the key says which images are the triggers", () => {
    const [triggers, placebos] = [tinyImages(40, { ...images, seed: 6 }), tinyImages(40, { ...images, seed: 7 })];
    const key = makeKeyElsewhere({ triggers, placebos, classes: CLASSES, exchangeable: true, secret });
    expect(key.placebos?.paired).toBe(true);
    expect(decodeKey(encodeKey(key), "x")).toEqual(key);
    const same = Array.from({ length: 40 }, (_, i) => i).filter(
      (i) => Buffer.compare(imageAt(triggers, i), rowOf(key.triggers.images, i)) === 0,
    );
    expect(same.length).toBeGreaterThan(8);
    expect(same.length).toBeLessThan(32);
    const verdict = verifyAnswers(key, { triggers: key.triggers.labels, placebos: new Array(40).fill(REFUSED) });
    expect(verdict.tests.map(({ id }) => id)).toEqual(["binomial", "placebo-mcnemar"]);
    expect(verdict.owned).toBe(true);
    expect(() => makeKeyElsewhere({ triggers, classes: CLASSES, exchangeable: true })).toThrow(/one placebo for each/);
  });

  test("chosen labels make a key that nobody drew", () => {
    const triggers = tinyImages(10, { ...images, seed: 5 });
    const key = makeKeyElsewhere({ triggers, labels: triggers.labels, classes: CLASSES });
    expect(key.drawn).toBeUndefined();
    expect(decodeKey(encodeKey(key), "x")).toEqual(key);
    const verdict = verifyAnswers(key, { triggers: triggers.labels });
    expect(verdict).toMatchObject({ owned: false, provenance: "chosen" });
    expect(verdict.missing).toEqual(["null models", expect.stringContaining("public commitment")]);
    const few = Uint16Array.of(1);
    expect(() => makeKeyElsewhere({ triggers, labels: few, classes: CLASSES })).toThrow(/expected 10 labels/);
    const grey: Images = { shape: { channels: 1, height: 2, width: 2 }, count: 1, pixels: inMemory(new Uint8Array(4)) };
    expect(() => makeKeyElsewhere({ triggers, placebos: grey, classes: CLASSES })).toThrow(/placebos are 1×2×2/);
  });
});

function rowOf(pixels: Uint8Array, i: number): Uint8Array {
  return pixels.subarray(i * SIDE * SIDE, (i + 1) * SIDE * SIDE);
}

function pixelsOf(set: Images): Uint8Array {
  return new Uint8Array(Buffer.concat(Array.from({ length: set.count }, (_, i) => imageAt(set, i).slice())));
}
