/** @file Verdicts judged together: products over keys, e-BH over suspects, and what is no second proof. */

import { expect, test } from "vitest";
import { sampleVerdict } from "../report/testing/sample-verdict.js";
import { combineVerdicts, type NamedVerdict } from "./combine-verdicts.js";

function claim(suspect: string, key: string, matches: number, options = {}): NamedVerdict {
  const document = sampleVerdict({ matches, options, suspect: { name: suspect, sha256: suspect.repeat(64) } });
  return { file: `${suspect}${key}.json`, document: { ...document, key: { ...document.key, sha256: key.repeat(64) } } };
}

test("e-values of two keys on one suspect multiply", () => {
  const claims = [
    claim("a", "1", 30, { committed: true, triesLog2: 0 }),
    claim("a", "2", 28, { committed: true, triesLog2: 0 }),
  ];
  const [joint, ...others] = combineVerdicts(claims, 0.05);
  expect(others).toEqual([]);
  const sum = claims.reduce((total, { document }) => total + (document.verdict.anytime?.logE ?? Number.NaN), 0);
  expect(joint?.logE).toBeCloseTo(sum, 9);
  expect(joint?.owned).toBe(true);
});

test("of many suspects those are named whose evidence survives their number", () => {
  const innocents = [..."bcdef"].map((suspect) => claim(suspect, "1", 10, { committed: true, triesLog2: 0 }));
  const found = combineVerdicts([claim("a", "1", 90, { committed: true, triesLog2: 0 }), ...innocents], 0.05);
  expect(found.map(({ owned }) => owned)).toEqual([true, false, false, false, false, false]);
});

test(
  "the same key on the same suspect twice is one claim, and a key with chosen labels gives nothing to " + "multiply",
  () => {
    const twice = [claim("a", "1", 90), claim("a", "1", 95)];
    expect(() => combineVerdicts(twice, 0.05)).toThrow(expect.objectContaining({ code: "usage" }));
    const chosen = { file: "c.json", document: sampleVerdict({ drawn: false }) };
    expect(() => combineVerdicts([chosen], 0.05)).toThrow(/no e-value/);
  },
);

test("nor are keys with the same secret, images and labels another claim, whatever their files say beside", () => {
  const identity = "e".repeat(64);
  const variants = ["1", "2"].map((sha256) => {
    const { file, document } = claim("a", sha256, 90);
    const { drawn, ...key } = document.key;
    return { file, document: { ...document, key: { ...key, ...(drawn && { drawn: { ...drawn, identity } }) } } };
  });
  expect(() => combineVerdicts(variants, 0.05)).toThrow("are about one key and one suspect");
});

test("what cannot be shown by itself adds nothing", () => {
  const { file, document } = claim("a", "1", 90);
  const lacking = { file, document: { ...document, verdict: { ...document.verdict, missing: ["a bound manifest"] } } };
  expect(() => combineVerdicts([lacking], 0.05)).toThrow("nothing can be shown by it without a bound manifest");
});
