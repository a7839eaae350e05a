/** @file A baseline is measured once, holds for models of its family, and is refused where it says too little. */

import { copyFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { writeModelFile } from "../onnx/model-file.js";
import { BASELINE_FILE, type Measuring, measureBaseline, parseBaseline, readBaseline, measuredIn } from "./baseline.js";
import { familyOf, sameFamily } from "./family.js";
import { findStatistic } from "./statistics.js";
import { CLASSES, evenRows, network, pixelScores } from "./testing/planted.js";

const measuring: Measuring = { shape: { channels: 1, height: 4, width: 4 }, classes: CLASSES };
const quick = [findStatistic("last-layer").choose(), findStatistic("head-probes").choose({ probes: 50 })];

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "wildmark-baseline-"));
  for (let seed = 0; seed < 20; seed++) await writeModelFile(join(folder, `${seed}.onnx`), network(evenRows(seed)));
});
afterEach(() => rm(folder, { recursive: true }));

test("a folder of clean models is measured, and what was measured is kept beside them", async () => {
  const baseline = await measureBaseline(folder, quick, measuring);
  expect(baseline.models).toHaveLength(20);
  expect(await readBaseline(join(folder, BASELINE_FILE))).toEqual(baseline);
  for (const detector of quick) expect(measuredIn(baseline, detector)).toHaveLength(20);
  expect(measuredIn(baseline, findStatistic("head-probes").choose({ probes: 60 }))).toBeUndefined();
});

test("only what is new is measured again", async () => {
  await measureBaseline(folder, quick, measuring);
  const path = join(folder, BASELINE_FILE);
  const kept = JSON.parse(await readFile(path, "utf8"));
  kept.detectors["last-layer"].values[3] = 1234;
  await writeFile(path, JSON.stringify(kept));
  await copyFile(join(folder, "0.onnx"), join(folder, "more.onnx"));
  const again = await measureBaseline(folder, quick, measuring);
  expect(again.models).toHaveLength(21);
  expect(again.detectors["last-layer"]?.values[3]).toBe(1234);
  // The copy is the same model, and measures the same.
  expect(again.detectors["last-layer"]?.values.at(-1)).toBe(again.detectors["last-layer"]?.values[0]);
});

test("too few models, or models of two families, are refused", async () => {
  await writeModelFile(join(folder, "other.onnx"), pixelScores([1, 2, 3, 4, 5, 6]));
  await expect(measureBaseline(folder, quick, measuring)).rejects.toThrow(/other.onnx computes something else/);
  await rm(join(folder, "other.onnx"));
  await rm(join(folder, "3.onnx"));
  await expect(measureBaseline(folder, quick, measuring)).rejects.toThrow(/19 models; a baseline needs 20/);
  await expect(measureBaseline(join(folder, "none"), quick, measuring)).rejects.toThrow(/expected a folder/);
});

test("a file that is no baseline, or whose lists do not match, is refused", () => {
  expect(() => parseBaseline({ wildmark: "baseline 0" }, "here")).toThrow(/here: expected a baseline/);
  const family = familyOf(network(evenRows(1)), measuring.shape, CLASSES);
  const wrong = {
    wildmark: "baseline 1",
    about: "",
    family,
    models: ["a"],
    detectors: { x: { options: {}, values: [], classes: [] } },
  };
  expect(() => parseBaseline(wrong, "here")).toThrow(/0 values and 0 rows of x; expected one of each of 1 models/);
});

test("a family is what a model computes, not its weights", () => {
  const one = familyOf(network(evenRows(1)), measuring.shape, CLASSES);
  expect(sameFamily(one, familyOf(network(evenRows(2)), measuring.shape, CLASSES))).toBe(true);
  expect(sameFamily(one, familyOf(pixelScores([1, 2, 3, 4, 5, 6]), measuring.shape, CLASSES))).toBe(false);
  expect(sameFamily(one, { ...one, classes: 7 })).toBe(false);
});
