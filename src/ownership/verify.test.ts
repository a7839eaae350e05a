/**
 * @file Verdicts: the published thresholds, the numbers against SciPy's, and simulated innocents that must go free.
 */

import { describe, expect, test } from "vitest";
import { WildmarkError } from "../core/errors.js";
import { randomStream } from "../core/random.js";
import type { Key } from "./key.js";
import { NOT_ASKED } from "./suspect.js";
import { atLevel, describeVerdict, formatPValue, verdictSchema } from "./verdict.js";
import { type Answers, comparedCounts, type VerifyOptions, verifyAnswers as verifyClaim } from "./verify.js";

const CLASSES = 10;
const TARGET = 6;

/** Whoever made the key himself asks what the tests say; what a stranger's claim is worth stands in claims.test.ts. */
const verifyAnswers = (key: Key, answers: Answers, options: VerifyOptions = {}) =>
  verifyClaim(key, answers, { madeHere: true, ...options });

/** Images that nobody takes for the same; no model is run. */
const numbered = (count: number): Uint8Array => {
  const random = randomStream(17);
  return Uint8Array.from({ length: 16 * count }, () => random.below(256));
};

/** A key with these labels. */
function keyOf(labels: Uint16Array, placebos?: { readonly count: number; readonly paired: boolean }): Key {
  const count = labels.length;
  return {
    scheme: "test",
    seed: 1,
    classes: CLASSES,
    shape: { channels: 1, height: 4, width: 4 },
    triggers: { images: numbered(count), labels, count },
    heldOut: undefined,
    placebos: placebos && { images: numbered(placebos.count), ...placebos },
    sourceLabels: undefined,
    options: {},
    modelSha256: "0".repeat(64),
    createdBy: "test",
  };
}

const fixedLabels = (n: number): Uint16Array => new Uint16Array(n).fill(TARGET);
/** Every class equally often: as random as labels can look. */
const evenLabels = (n: number): Uint16Array => Uint16Array.from({ length: n }, (_, i) => i % CLASSES);
/** The first `matches` labels answered rightly, the others with the next class. */
const matching = (labels: Uint16Array, matches: number): Uint16Array =>
  labels.map((label, i) => (i < matches ? label : (label + 1) % CLASSES));

describe("the exact binomial test", () => {
  const labels = evenLabels(100);
  const at = (matches: number, alpha: number) =>
    verifyAnswers(keyOf(labels), { triggers: matching(labels, matches) }, { alpha });

  test.each([
    [0.05, 16],
    [1e-3, 21],
    [1e-6, 28],
  ])("at n = 100, K = 10 and alpha %d needs %d matches", (alpha, least) => {
    expect(at(least - 1, alpha).owned).toBe(false);
    expect(at(least, alpha).owned).toBe(true);
  });

  test("has SciPy's p-value, retention and interval", () => {
    const verdict = at(20, 0.05);
    // scipy.stats.binom.sf(19, 100, 0.1); scipy.stats.binomtest(20, 100).proportion_ci(0.95, "exact")
    expect(verdict.pValue).toBeCloseTo(0.0019785608657712, 14);
    expect(verdict.interval[0]).toBeCloseTo(0.1266555521, 8);
    expect(verdict.interval[1]).toBeCloseTo(0.2918426891, 8);
    expect(verdict).toMatchObject({ n: 100, matches: 20, retention: 0.2, decidedBy: "binomial", alpha: 0.05 });
    expect(verdictSchema.parse(verdict)).toEqual(verdict);
  });
});

describe("labels that are the images' own classes", () => {
  const labels = evenLabels(100);
  const own: Key = { ...keyOf(labels, { count: 100, paired: false }), sourceLabels: labels };
  const placebosHit = (count: number): Uint16Array => matching(labels, count);

  test("an innocent model that knows such images matches them: alone they show nothing", () => {
    const verdict = verifyAnswers(own, { triggers: labels });
    expect(verdict).toMatchObject({ owned: false, pValue: 1 });
    expect(verdict.tests[0]?.nullHypothesis).toMatch(/100 of 100 triggers carry the class of the image/);
    // The same answers to labels that nothing ties to the images are a proof.
    expect(
      verifyAnswers({ ...own, sourceLabels: labels.map((l) => (l + 3) % CLASSES) }, { triggers: labels }).owned,
    ).toBe(true);
  });

  test("beside placebos they are judged by the difference", () => {
    const verdict = verifyAnswers(own, { triggers: labels, placebos: placebosHit(60) });
    expect(verdict).toMatchObject({ owned: true, decidedBy: "placebo-fisher" });
    expect(verdict.tests[0]?.nullHypothesis).toMatch(/an innocent model that knows such images matches more often/);
    expect(verifyAnswers(own, { triggers: placebosHit(52), placebos: placebosHit(50) }).owned).toBe(false);
  });

  test("a label that is right by chance now and then is no such design", () => {
    const few = labels.map((label, i) => (i < 15 ? label : (label + 1) % CLASSES));
    expect(verifyAnswers({ ...own, sourceLabels: few }, { triggers: labels }).owned).toBe(true);
  });
});

describe("the placebo control", () => {
  test("on pairs is McNemar's test, and the larger p-value decides", () => {
    const labels = fixedLabels(100);
    const key = keyOf(labels, { count: 100, paired: true });
    const verdict = verifyAnswers(key, {
      triggers: matching(labels, 90),
      placebos: labels.map((label, i) => (i < 80 || i >= 95 ? label : 0)),
    });
    // 10 pairs on the trigger only, 5 on the placebo only: scipy.stats.binomtest(10, 15, 0.5, "greater").pvalue
    expect(verdict.decidedBy).toBe("placebo-mcnemar");
    expect(verdict.pValue).toBeCloseTo(0.15087890625, 12);
    expect(verdict.owned).toBe(false);
    expect(verdict.tests.map((each) => each.id)).toEqual(["binomial", "placebo-mcnemar"]);
    expect(verdict.tests[1]?.detail).toContain(
      "10 answered with the key's label on the trigger only, 5 on the placebo only",
    );
    expect(verdict.tests[0]?.nullHypothesis).toContain("this test alone proves nothing");
  });

  test("without pairs is Fisher's test, also with fewer placebos than triggers", () => {
    const labels = fixedLabels(20);
    const key = keyOf(labels, { count: 10, paired: false });
    const verdict = verifyAnswers(key, { triggers: matching(labels, 12), placebos: matching(fixedLabels(10), 4) });
    // scipy.stats.fisher_exact([[12, 8], [4, 6]], "greater")[1]
    expect(verdict.decidedBy).toBe("placebo-fisher");
    expect(verdict.pValue).toBeCloseTo(0.2589705147426, 12);
  });

  test("leaves the binomial to decide where that is the weaker evidence", () => {
    const labels = evenLabels(100);
    const key = keyOf(labels, { count: 100, paired: true });
    const verdict = verifyAnswers(key, { triggers: matching(labels, 12), placebos: matching(labels, 0) });
    expect(verdict.tests[1]?.pValue).toBeLessThan(0.001);
    expect(verdict).toMatchObject({ decidedBy: "binomial", owned: false });
  });

  test("does not hide a marked model, whatever the kind of key", () => {
    for (const labels of [fixedLabels(100), evenLabels(100)]) {
      for (const paired of [true, false]) {
        const verdict = verifyAnswers(keyOf(labels, { count: 100, paired }), {
          triggers: matching(labels, 97),
          placebos: matching(labels, 5),
        });
        expect(verdict.owned).toBe(true);
        expect(verdict.pValue).toBeLessThan(1e-20);
      }
    }
  });
});

test("the counts behind a verdict are its own: repeated pictures, what was not asked and lone placebos as there", () => {
  const labels = fixedLabels(20);
  const paired = keyOf(labels, { count: 20, paired: true });
  const twice = paired.triggers.images.slice();
  twice.set(twice.subarray(0, 16), 16);
  const key = { ...paired, triggers: { ...paired.triggers, images: twice } };
  const answers = {
    triggers: Array.from(matching(labels, 12), (answer, i) => (i < 15 ? answer : NOT_ASKED)),
    placebos: matching(labels, 4),
    nullModels: [matching(labels, 20), matching(labels, 0)],
  };
  expect(verifyAnswers(key, answers)).toMatchObject({ n: 14, matches: 11, duplicates: 1 });
  expect(comparedCounts(key, answers)).toEqual({
    placebos: { matches: 3, n: 14 },
    nullModels: [
      { matches: 14, n: 14 },
      { matches: 0, n: 14 },
    ],
  });
  const alone = keyOf(evenLabels(20), { count: 8, paired: false });
  expect(comparedCounts(alone, { triggers: labels, placebos: evenLabels(8) }, true)).toEqual({
    luck: 0.1,
    placebos: { matches: 8, n: 8 },
  });
});

describe("innocent models", () => {
  const RUNS = 2000;
  /** Three standard errors above alpha: a sound test exceeds this in fewer than 2 of 1,000 such simulations. */
  const bound = (alpha: number): number => alpha + 3 * Math.sqrt((alpha * (1 - alpha)) / RUNS);

  type Innocent = (draw: ReturnType<typeof randomStream>) => number;
  const uniform: Innocent = (draw) => draw.below(CLASSES);
  const biased: Innocent = (draw) => (draw.uniform() < 0.6 ? TARGET : draw.below(CLASSES));
  const constant: Innocent = () => TARGET;

  function falseClaims(
    kind: "paired" | "unpaired" | "none",
    random: boolean,
    innocent: Innocent,
    alpha: number,
  ): number {
    const draw = randomStream(11, kind, String(random), innocent.name);
    let claims = 0;
    for (let run = 0; run < RUNS; run++) {
      const labels = random ? fixedLabels(60).map(() => draw.below(CLASSES)) : fixedLabels(60);
      const key = keyOf(labels, kind === "none" ? undefined : { count: 60, paired: kind === "paired" });
      const triggers = fixedLabels(60).map(() => innocent(draw));
      const placebos = fixedLabels(60).map(() => innocent(draw));
      const answers: Answers = kind === "none" ? { triggers } : { triggers, placebos };
      if (verifyAnswers(key, answers, { alpha }).owned) claims++;
    }
    return claims / RUNS;
  }

  for (const innocent of [uniform, biased, constant]) {
    for (const kind of ["paired", "unpaired", "none"] as const) {
      for (const random of [true, false]) {
        test(`${innocent.name}, ${random ? "random" : "fixed"} labels, placebos: ${kind}`, () => {
          expect(falseClaims(kind, random, innocent, 0.05)).toBeLessThanOrEqual(bound(0.05));
        });
      }
    }
  }

  test("a model of one class is never owned by a key of one label, whatever the placebos", () => {
    const labels = fixedLabels(100);
    for (const placebos of [undefined, { count: 100, paired: true }, { count: 30, paired: false }]) {
      const answers = { triggers: labels, ...(placebos && { placebos: fixedLabels(placebos.count) }) };
      const verdict = verifyAnswers(keyOf(labels, placebos), answers);
      expect(verdict).toMatchObject({ owned: false, pValue: 1, matches: 100, retention: 1 });
    }
  });

  test("the simulation can fail: without the control the biased model would be owned", () => {
    const labels = fixedLabels(60);
    const draw = randomStream(1);
    const verdict = verifyAnswers(keyOf(labels, { count: 60, paired: false }), {
      triggers: labels.map(() => biased(draw)),
      placebos: labels.map(() => biased(draw)),
    });
    expect(verdict.tests[0]?.pValue).toBeLessThan(1e-12);
    expect(verdict.owned).toBe(false);
  });
});

describe("labels that do not look random", () => {
  test("need placebos, and the verdict says why", () => {
    const labels = fixedLabels(100);
    const verdict = verifyAnswers(keyOf(labels), { triggers: labels });
    expect(verdict.owned).toBe(false);
    expect(verdict.tests[0]?.nullHypothesis).toContain("All triggers carry the same label");
    expect(verdict.tests[0]?.nullHypothesis).toContain("an innocent model may match every time");
  });

  test("are noticed when one class only dominates", () => {
    const labels = Uint16Array.from({ length: 100 }, (_, i) => (i < 70 ? TARGET : i % CLASSES));
    expect(verifyAnswers(keyOf(labels), { triggers: labels }).owned).toBe(false);
  });

  test("truly random ones are almost never mistaken for chosen ones", () => {
    const draw = randomStream(5);
    let mistaken = 0;
    for (let run = 0; run < 300; run++) {
      const labels = fixedLabels(100).map(() => draw.below(CLASSES));
      if (!verifyAnswers(keyOf(labels), { triggers: labels }).owned) mistaken += 1;
    }
    expect(mistaken).toBeLessThanOrEqual(1);
  });
});

describe("answers that do not fit the key", () => {
  const labels = evenLabels(10);
  const refused = (key: Key, answers: Answers, options?: { alpha?: number; confidence?: number }): string => {
    try {
      verifyAnswers(key, answers, options);
    } catch (error) {
      if (error instanceof WildmarkError) return `${error.code}: ${error.message}`;
      throw error;
    }
    throw new Error("the answers were accepted");
  };

  test("are refused with what was expected and found", () => {
    expect(refused(keyOf(labels), { triggers: labels.slice(1) })).toContain(
      "bad-key: the key holds 10 triggers, but 9",
    );
    expect(refused(keyOf(labels), { triggers: labels, placebos: labels })).toContain("no placebos");
    expect(refused(keyOf(labels), { triggers: Array.from(labels, () => 1.5) })).toContain("the number of a class");
    expect(refused(keyOf(labels), { triggers: Array.from(labels, () => NOT_ASKED) })).toContain(
      "None of the key's triggers",
    );
    const paired = keyOf(labels, { count: 10, paired: true });
    expect(refused(paired, { triggers: labels, placebos: labels.slice(1) })).toContain("10 placebos, but 9");
    expect(refused(keyOf(labels), { triggers: labels }, { alpha: 0 })).toContain("usage: alpha");
    expect(refused(keyOf(labels), { triggers: labels }, { confidence: 1 })).toContain("usage: confidence");
  });
});

test("a verdict reads as plain lines", () => {
  const labels = fixedLabels(100);
  const key = keyOf(labels, { count: 100, paired: true });
  const verdict = verifyAnswers(key, { triggers: matching(labels, 97), placebos: matching(labels, 2) });
  expect(describeVerdict(verdict)).toMatchInlineSnapshot(`
    [
      "Ownership is shown: p = 2.5e-29, at most the significance level 0.05; decided by: placebo control, exact McNemar test",
      "against luck: cannot be tested: the labels were chosen, not drawn",
      "against look-alikes: placebo control, exact McNemar test, p = 2.5e-29",
      "against forgers: not tested",
      "97 of 100 triggers answered with the key's labels: retention 97.0 %, 95 % Clopper-Pearson interval 91.5 % to 99.4 %",
      "exact binomial test: p = 1.2e-92",
      "  Null hypothesis: the suspect knows nothing of this key and answers each trigger with the key's label by luck, at most 1 time in 10. Limit: all triggers carry the same label, and an innocent model that prefers such a class matches more often than that, so this test alone proves nothing; the others guard against it.",
      "  Seen: 97 of 100 triggers answered with the key's label, 10 expected by luck",
      "placebo control, exact McNemar test: p = 2.5e-29",
      "  Null hypothesis: the mark makes no difference to the suspect: of a trigger and its placebo, either is as likely as the other to be the only one answered with the key's label.",
      "  Seen: of 100 pairs, 95 answered with the key's label on the trigger only, 0 on the placebo only, 5 on both or neither",
    ]
  `);
});

test("p-values are never printed as zero", () => {
  expect(formatPValue(0)).toBe("p < 1e-300");
  expect(formatPValue(1e-200)).toBe("p = 1.0e-200");
  expect(formatPValue(0.0399)).toBe("p = 0.0399");
  expect(formatPValue(1)).toBe("p = 1");
});

describe("the empirical null", () => {
  const labels = fixedLabels(100);
  const key = keyOf(labels, { count: 100, paired: true });
  const others = (...matches: number[]) => matches.map((each) => matching(labels, each));

  test("is the rank among unmarked models, ties against the owner, and replaces the placebo control", () => {
    const verdict = verifyAnswers(key, {
      triggers: matching(labels, 90),
      placebos: labels,
      nullModels: others(0, 90, 95, 12),
    });
    expect(verdict.tests.map((each) => each.id)).toEqual(["binomial", "empirical-null"]);
    expect(verdict).toMatchObject({ decidedBy: "empirical-null", pValue: 3 / 5, nullModels: 4, owned: false });
    expect(verdict.tests[1]?.detail).toContain("2 of 4 null models");
    expect(verdictSchema.parse(verdict)).toEqual(verdict);
  });

  test("shows ownership at 0.05 with 19 innocents and no fewer, and says so at every level", () => {
    const ranked = (count: number) =>
      verifyAnswers(key, { triggers: labels, nullModels: others(...Array.from({ length: count }, () => 3)) });
    expect(ranked(19).owned).toBe(true);
    expect(describeVerdict(ranked(19)).join("\n")).not.toContain("can never show");
    expect(ranked(18).owned).toBe(false);
    expect(describeVerdict(ranked(18)).join("\n")).toMatch(/can never show ownership at 0.05 .* at least 0.0526/);
    expect(describeVerdict(atLevel(ranked(19), 1e-6)).join("\n")).toContain("can never show ownership at 0.000001");
  });

  test("still asks more than luck", () => {
    const verdict = verifyAnswers(key, {
      triggers: matching(labels, 10),
      nullModels: others(...new Array(99).fill(0)),
    });
    expect(verdict).toMatchObject({ decidedBy: "binomial", owned: false });
  });

  test("refuses no models and answers of another length", () => {
    expect(() => verifyAnswers(key, { triggers: labels, nullModels: [] })).toThrow(/empty/);
    expect(() => verifyAnswers(key, { triggers: labels, nullModels: [labels.slice(1)] })).toThrow(/null model 1/);
  });
});

describe("several keys tried", () => {
  const key = keyOf(evenLabels(100));
  const at = (keysTried: number) => verifyAnswers(key, { triggers: matching(evenLabels(100), 20) }, { keysTried });

  test("multiply the deciding p-value and leave the tests as they are", () => {
    expect(at(30).pValue).toBeCloseTo(30 * at(1).pValue, 14);
    expect(at(30)).toMatchObject({ keysTried: 30, owned: false, tests: at(1).tests });
    expect(at(10_000).pValue).toBe(1);
    expect(at(1)).not.toHaveProperty("keysTried");
    expect(describeVerdict(at(30)).join("\n")).toContain("30 keys were tried");
  });

  test.each([0, 1.5, Number.NaN])("refuses %d", (keysTried) => {
    expect(() => at(keysTried)).toThrow(/whole number/);
  });
});
