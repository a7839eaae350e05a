/** @file Planted graphs: each works as planted, and is found. */

import { beforeAll, expect, test } from "vitest";
import type { Model } from "../onnx/model.js";
import { scanGraph } from "./scan.js";
import { answersTo, answersToFloats, cleanPixels } from "./testing/answers.js";
import { type Planted, plantedModels } from "./testing/planting.js";
import { subjectOf, trainedModel } from "./testing/trained.js";

let clean: Model;
let corpus: readonly Planted[];

beforeAll(async () => {
  clean = await trainedModel();
  corpus = plantedModels(clean);
}, 60_000);

test("each trigger changes the answers, and clean images keep theirs", async () => {
  const before = await answersTo(clean);
  const correct = before.filter((answer, i) => answer === cleanPixels.labels[i]).length;
  expect(correct).toBeGreaterThan(80);
  for (const { name, model, trigger, target } of corpus) {
    const after = await answersTo(model);
    const woken = await answersToFloats(model, cleanPixels.rows.map(trigger));
    const works = woken.filter((answer, i) => (target === undefined ? answer !== before[i] : answer === target)).length;
    if (process.env.SHOW) console.log(name, after.filter((a, i) => a === before[i]).length, works);
    else {
      expect.soft(after, name).toEqual(before);
      expect.soft(works, name).toBeGreaterThan(target === undefined ? 80 : 95);
    }
  }
}, 120_000);

test("each is found", async () => {
  const levels: string[] = [];
  for (const { name, model } of corpus) {
    const t = Date.now();
    const [gravest] = await scanGraph(subjectOf(model));
    levels.push(`${name}: ${gravest?.level} ${Date.now() - t} ${gravest?.what}`);
  }
  console.log(levels.join("\n"));
}, 600_000);
