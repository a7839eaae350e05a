/** @file What is found is suspicious only among clean models, and says what it rests on; alone it is a note. */

import { beforeAll, expect, test } from "vitest";
import { type Baseline, recorded } from "./baseline.js";
import { familyOf } from "./family.js";
import type { Measurement } from "./ranks.js";
import { statisticFindings, TOGETHER } from "./statistic-findings.js";
import { findStatistic } from "./statistics.js";
import { CLASSES, evenRows, HIDDEN, network, pixelScores, subjectOf, withRow } from "./testing/planted.js";

const detectors = [findStatistic("last-layer").choose(), findStatistic("head-probes").choose({ probes: 200 })];
const TARGET = 4;
const planted = network(withRow(evenRows(100), TARGET, () => Array.from({ length: HIDDEN }, () => 3), 2));

let baseline: Baseline;
beforeAll(async () => {
  const clean = Array.from({ length: 30 }, (_, seed) => network(evenRows(seed)));
  const found: Record<string, Baseline["detectors"][string]> = {};
  for (const detector of detectors) {
    const all: Measurement[] = [];
    for (const model of clean) all.push(await detector.run(subjectOf(model)));
    found[detector.id] = recorded(detector, all);
  }
  const family = familyOf(planted, subjectOf(planted).shape, CLASSES);
  const models = clean.map((_, i) => String(i));
  baseline = { wildmark: "baseline 1", about: "30 networks made by hand", family, models, detectors: found };
});

test("a planted class is suspicious, named, and never called planted; the finding says how many clean models", async () => {
  const findings = await statisticFindings(subjectOf(planted), baseline, detectors);
  const [together] = findings;
  expect(together).toMatchObject({ detector: TOGETHER, level: "suspicious", target: TARGET });
  expect(together?.sure).toMatch(/30 clean models \(30 networks made by hand\) p cannot fall below 0\.032/);
  expect(findings.filter(({ level }) => level === "planted")).toEqual([]);
  expect(findings.slice(1).map(({ level }) => level)).toEqual(["note", "note"]);
});

test("a clean model is not suspicious in most draws", async () => {
  const levels: string[] = [];
  for (let seed = 200; seed < 220; seed++) {
    const [together] = await statisticFindings(subjectOf(network(evenRows(seed))), baseline, detectors);
    levels.push(together?.level ?? "");
  }
  expect(levels.filter((level) => level === "suspicious").length).toBeLessThanOrEqual(3);
});

test("without a baseline, or with one of another family or too few models, there are numbers that tell nothing", async () => {
  const why = async (given: Baseline | undefined): Promise<string> => {
    const findings = await statisticFindings(subjectOf(planted), given, detectors);
    expect(findings.map(({ level }) => level)).toEqual(["note", "note"]);
    return findings[0]?.sure ?? "";
  };
  expect(await why(undefined)).toMatch(/tells nothing alone: there is no baseline/);
  expect(await why({ ...baseline, models: ["1"] })).toMatch(/the baseline has 1 models/);
  const other = familyOf(pixelScores([1, 2, 3, 4, 5, 6]), subjectOf(planted).shape, CLASSES);
  expect(await why({ ...baseline, family: other })).toMatch(/another architecture/);
});

test("a detector that cannot read the model says so, and the others go on", async () => {
  const alone = pixelScores([1, 2, 3, 4, 5, 6]);
  const both = [findStatistic("free-eagle").choose(), findStatistic("mm-bd").choose({ steps: 10 })];
  const findings = await statisticFindings(subjectOf(alone), undefined, both);
  expect(findings.map(({ detector }) => detector)).toEqual(["mm-bd", "free-eagle"]);
  expect(findings[1]?.what).toMatch(/FreeEagle was not measured\. FreeEagle cannot read this model/);
});

test("options that the baseline was not measured with are told of, not ranked", async () => {
  const other = [detectors[0], findStatistic("head-probes").choose({ probes: 100 })].flatMap((each) => each ?? []);
  const findings = await statisticFindings(subjectOf(planted), baseline, other);
  expect(findings.map(({ detector }) => detector)).toEqual([TOGETHER, "last-layer", "head-probes"]);
  expect(findings[2]?.sure).toMatch(/no values of it under these options/);
});
