/**
 * @file The document of a verdict: what it holds of a real key, what it keeps back, and that a changed one is refused.
 */

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { encodeModel, modelSha256 } from "../onnx/model.js";
import { drawTriggers } from "../ownership/draw-key.js";
import type { Key } from "../ownership/key.js";
import { keySha256 } from "../ownership/key-file.js";
import { keyIdentity } from "../ownership/key-binding.js";
import { makeKey } from "../ownership/make-key.js";
import { modelSuspect, NOT_ASKED, REFUSED } from "../ownership/suspect.js";
import type { Verdict } from "../ownership/verdict.js";
import { verifyAnswers } from "../ownership/verify.js";
import { gatherAnswers } from "../ownership/verify-model.js";
import { tinyImages, tinyModel } from "../training/testing/tiny.js";
import { findMark } from "../watermarks/registry.js";
import { readDocument } from "./documents.js";
import { modelFacts, PICTURES, type VerdictFacts, verdictDocument } from "./verdict-document.js";
import { type VerdictDocument, verdictDocumentSchema } from "./verdict-result.js";

const images = { side: 20, classes: 8 };
const train = tinyImages(400, images);
const secret = new Uint8Array(32).fill(7);
const model = tinyModel({ ...images, seed: 4 });
const nullModels = [5, 6].map((seed) => ({ name: `null-${seed}.onnx`, model: tinyModel({ ...images, seed }) }));

async function drawnKey(options: Readonly<Record<string, unknown>> = {}): Promise<Key> {
  const mark = findMark("content").choose({ triggers: 70, heldOut: 4, ...options });
  const drawn = await drawTriggers(mark, { train }, secret);
  return makeKey({ mark, set: drawn.set, seed: 3, modelSha256: modelSha256(encodeModel(model)), drawn });
}

let key: Key;
let facts: VerdictFacts;
let document: VerdictDocument;
beforeAll(async () => {
  key = await drawnKey();
  const strangers = [key, key];
  const found = await gatherAnswers(modelSuspect(model, "suspect.onnx"), key, {
    nullModels: nullModels.map((each) => each.model),
    strangers,
  });
  // As if it were marked.
  const asked = { ...found, triggers: key.triggers.labels };
  const verdict = verifyAnswers(key, asked, { committed: true });
  const base = key.drawn?.base;
  if (base === undefined) throw new Error("the key was not drawn");
  facts = {
    command: "wildmark verify suspect.onnx --key a.key --salt 0123abcd --commitment ee --out v.html",
    started: new Date("2026-01-02T03:04:05Z"),
    suspect: modelFacts(model, "suspect.onnx", key),
    key,
    keyName: "a.key",
    answers: asked,
    verdict,
    nullModels,
    strangers: { base, images: 140 },
    heldOut: { matches: 1, n: 4 },
    regenerated: true,
    commitment: "E".repeat(64),
  };
  document = verdictDocument(facts);
}, 60_000);

test("comes back from its JSON as it was", () => {
  expect(verdictDocumentSchema.parse(JSON.parse(JSON.stringify(document)))).toEqual(document);
});

test("tells suspect, key, models and data by hash, and what was asked of whom", () => {
  expect(document.suspect).toMatchObject({
    kind: "model",
    sha256: modelSha256(encodeModel(model)),
    isTheMarkedFile: true,
    reading: { layout: "NCHW", range: [0, 1], from: { range: "assumed" } },
  });
  expect(document.key).toMatchObject({
    sha256: keySha256(key),
    scheme: "content",
    drawn: { labelling: "wrong", base: { sha256: key.drawn?.base.sha256, count: 400 } },
    regenerated: true,
    commitment: "e".repeat(64),
  });
  // Named by what its labels follow from: other words about the same key do not make another of it.
  const identityOf = (changed: Partial<Key>): string | undefined => {
    const { drawn } = key;
    return drawn && keyIdentity({ ...key, ...changed, drawn });
  };
  const { identity } = document.key.drawn ?? {};
  expect(identity).toBe(identityOf({ createdBy: "another", seed: 9, modelSha256: "1".repeat(64) }));
  expect(identity).not.toBe(identityOf({ classNames: ["a"] }));
  expect(document.asked).toEqual({ triggers: 70, placebos: 70, heldOutTriggers: 4, strangers: 140 });
  const { nullModels: others, strangers, luck } = document.compared;
  expect(luck).toBeCloseTo(1 / 7, 12);
  expect(others?.map(({ name, sha256 }) => ({ name, sha256 }))).toEqual(
    nullModels.map((each) => ({ name: each.name, sha256: modelSha256(encodeModel(each.model)) })),
  );
  expect(strangers).toEqual({ keys: facts.answers.strangers, sameBase: true });
  expect(document.verdict).toMatchObject({ owned: true, matches: 70, n: 70 });
});

test("holds no secret, no salt, and no image or label unless asked", () => {
  const text = JSON.stringify(document);
  expect(text).not.toContain(Buffer.from(secret).toString("hex"));
  expect(text).not.toContain("0123abcd");
  expect(document.command).toContain("--salt SALT --commitment ee");
  expect(text).not.toContain("data:image");
  expect(text).not.toMatch(/"(label|pictures|answers?)":/);
  expect(verdictDocument({ ...facts, command: "verify a --salt='x y' --key k" }).command).toBe(
    "verify a --salt=SALT --key k",
  );
});

test("keeps back which class a key of one label has, unless its pictures are shown", async () => {
  const fixed = await drawnKey({ labels: "target", target: 6, source: 4, triggers: 20 });
  const asked = { triggers: fixed.triggers.labels };
  const { nullModels: _, strangers, ...rest } = facts;
  const given = { ...rest, key: fixed, answers: asked, verdict: verifyAnswers(fixed, asked) };
  expect(verdictDocument(given).key.options).toMatchObject({ target: "kept back", source: "kept back", triggers: 20 });
  expect(JSON.stringify(verdictDocument(given))).not.toMatch(/class 6/);
  expect(verdictDocument({ ...given, pictures: true }).key.options).toMatchObject({ target: 6, source: 4 });
});

test("shows the first triggers where that was asked for, with what was answered", () => {
  const { pictures = [] } = verdictDocument({ ...facts, pictures: true });
  expect(pictures).toHaveLength(PICTURES);
  expect(pictures[3]).toMatchObject({
    label: key.triggers.labels[3],
    answer: facts.answers.triggers[3],
    placeboAnswer: facts.answers.placebos?.[3],
    trigger: expect.stringMatching(/^data:image\/png;base64,/),
  });
  const silent = { ...facts.answers, triggers: new Array<number>(70).fill(REFUSED) };
  const verdict = verifyAnswers(key, silent, { committed: true });
  expect(verdictDocument({ ...facts, answers: silent, verdict, pictures: true }).pictures?.[0]?.answer).toBeNull();
});

describe("what was not tested", () => {
  const said = (changed: Partial<VerdictFacts>): string =>
    verdictDocument({ ...facts, ...changed }).notTested.join("\n");

  test("of a key that was made again, with every control", () => {
    const text = said({});
    expect(text).not.toMatch(/--regenerate|--dataset|none was asked|not held against/);
    expect(text).toMatch(/the 2 null models never saw the key/);
    expect(text).toMatch(/When the commitment was published/);
    expect(text).toMatch(/Other readings .*: layout, range, mean, standard deviation, order of colours were assumed/);
    expect(text).toMatch(/Who trained the suspect/);
  });

  test("what was left out, each by name", () => {
    const { triggers } = facts.answers;
    const part = { triggers: Array.from(triggers).map((answer, i) => (i < 50 ? answer : NOT_ASKED)) };
    const { commitment, nullModels: _, heldOut, strangers, ...rest } = facts;
    const verdict = verifyAnswers(key, part);
    const text = verdictDocument({ ...rest, answers: part, verdict, regenerated: false }).notTested.join("\n");
    for (const words of [
      /none was asked \(--null-models\)/,
      /without the mark: they were not put to the suspect/,
      /none was drawn \(--dataset\)/,
      /50 of its 70 triggers/,
      /never trained on: they were not put/,
      /not made again \(--regenerate\)/,
      /not held against a commitment/,
    ]) {
      expect(text).toMatch(words);
    }
  });

  test("strangers' keys of other data are no strangers' keys of these", () => {
    const base = { ...facts.strangers?.base, sha256: "f".repeat(64), count: 1 };
    expect(said({ strangers: { base, images: 140 } })).toContain("they were drawn from other data");
  });

  test("answers and endpoints vouch for nothing", () => {
    expect(said({ suspect: { kind: "answers", name: "a.csv" } })).toContain("has to vouch for it");
    expect(said({ suspect: { kind: "endpoint", name: "e" } })).toContain("filtered triggers out");
  });
});

describe("a document that was changed", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "wildmark-verdict-"));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const write = async (text: string): Promise<string> => {
    const path = join(folder, "verdict.json");
    await writeFile(path, text);
    return path;
  };

  test("not at all: it is read", async () => {
    expect(await readDocument(await write(JSON.stringify(document)))).toEqual(document);
  });

  const verdictWith = (change: Partial<Verdict>) => (d: VerdictDocument) => ({
    ...d,
    verdict: { ...d.verdict, ...change },
  });
  const comparedWith = (change: Partial<VerdictDocument["compared"]>) => (d: VerdictDocument) => {
    return { ...d, compared: { ...d.compared, ...change } };
  };
  test.each<readonly [string, (whole: VerdictDocument) => VerdictDocument, RegExp]>([
    ["the decision", verdictWith({ owned: false }), /ownership is called not shown with p = .* at the level 0\.05/],
    ["the level", verdictWith({ alpha: 1e-80 }), /ownership is called shown with p = .* at the level 1e-80/],
    ["the p-value", verdictWith({ pValue: 1e-40 }), /the tests give p = .*, not 1e-40/],
    [
      "p-value and every test",
      (d) => verdictWith({ pValue: 1e-70, tests: d.verdict.tests.map((each) => ({ ...each, pValue: 1e-70 })) })(d),
      /the counts give the exact binomial test p = /,
    ],
    ["the matches", verdictWith({ matches: 40, retention: 40 / 70 }), /40 of 70 matches do not give the interval/],
    ["the retention", verdictWith({ retention: 0.99 }), /retention 0\.99 with 70 of 70/],
    ["more matches than triggers", verdictWith({ matches: 71 }), /71 matches of 70 triggers/],
    [
      "more triggers than were asked",
      (d) => ({ ...d, asked: { ...d.asked, triggers: 9 } }),
      /70 triggers counted, 9 asked/,
    ],
    ["another test decides", verdictWith({ decidedBy: "binomial" }), /decided by binomial, but the weakest/],
    ["a test that is not there", verdictWith({ decidedBy: "placebo-fisher" }), /decided by placebo-fisher, but/],
    ["no null model", comparedWith({ nullModels: [] }), /another number of null models/],
    ["no stranger's key", comparedWith({ strangers: { keys: [] } }), /another number of strangers' keys/],
    [
      "triggers that were not asked, and nothing paid for where asking stopped",
      (d) => ({ ...d, key: { ...d.key, triggers: 100 } }),
      /1 stops paid for, with 70 triggers counted of 100/,
    ],
    ["what is missing", verdictWith({ missing: ["null models"] }), /the tests give p = 1, not/],
    [
      "a ground",
      (d) => ({ ...d, grounds: d.grounds.map((ground) => ({ ...ground, tested: false })) }),
      /luck called not tested, which the tests contradict/,
    ],
  ])("%s: refused, naming what contradicts", async (_, change, says) => {
    await expect(readDocument(await write(JSON.stringify(change(document))))).rejects.toMatchObject({
      code: "bad-file",
      message: expect.stringMatching(new RegExp(`verdict\\.json contradicts itself: .*(?:${says.source})`)),
    });
  });

  test("ranks are counted again too", async () => {
    const fixed = await drawnKey({ labels: "target" });
    const { placebos = [] } = await gatherAnswers(modelSuspect(model, "s"), fixed);
    const strangers = [1, 2].map(() => ({ matches: 70, n: 70 }));
    const asked = { triggers: fixed.triggers.labels, placebos, strangers };
    const { nullModels: _, ...rest } = facts;
    const whole = verdictDocument({ ...rest, key: fixed, answers: asked, verdict: verifyAnswers(fixed, asked) });
    expect(verdictDocumentSchema.safeParse(whole).success).toBe(true);
    const forged = comparedWith({ strangers: { keys: strangers.map(({ n }) => ({ matches: 0, n })) } })(whole);
    expect(verdictDocumentSchema.safeParse(forged).error?.message).toMatch(/rank among strangers' keys p = 0\.333/);
  });

  test("cut off in the middle, or of a later version", async () => {
    const later = await write(JSON.stringify({ ...document, version: 2 }));
    await expect(readDocument(later)).rejects.toMatchObject({ message: expect.stringContaining("version") });
    const path = await write(JSON.stringify(document).slice(0, 500));
    await expect(readDocument(path)).rejects.toMatchObject({ code: "bad-file" });
  });
});
