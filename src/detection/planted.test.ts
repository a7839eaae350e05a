/** @file Planted graphs: each works as planted, and is found. */

import { beforeAll, expect, test } from "vitest";
import type { Model } from "../onnx/model.js";
import { probe } from "./inspection.js";
import { scanGraph } from "./scan.js";
import { answersTo, answersToFloats, cleanPixels } from "./testing/answers.js";
import { lessSure, type Planted, plantedModels, unfoundModels } from "./testing/planting.js";
import { digits, subjectOf, trainedModel } from "./testing/trained.js";

let clean: Model;
let corpus: readonly Planted[];

beforeAll(async () => {
  clean = await trainedModel();
  corpus = plantedModels(clean);
}, 60_000);

test("the clean model answers, and nothing is found in it", async () => {
  const answers = await answersTo(clean);
  expect(answers.filter((answer, i) => answer === cleanPixels.labels[i]).length).toBeGreaterThan(80);
  expect(await scanGraph(subjectOf(clean))).toEqual([]);
  expect(await scanGraph(subjectOf(clean, digits))).toEqual([]);
});

test("each trigger changes the answers, and clean images keep theirs", async () => {
  const before = await answersTo(clean);
  for (const { name, model, trigger, target } of [...corpus, ...unfoundModels(clean)]) {
    expect.soft(await answersTo(model), name).toEqual(before);
    const woken = await answersToFloats(model, cleanPixels.rows.map(trigger));
    const works = woken.filter((answer, i) => (target === undefined ? answer !== before[i] : answer === target)).length;
    expect.soft(works, name).toBeGreaterThan(target === undefined ? 80 : 95);
  }
}, 120_000);

test("each is found, with the class that it leads to", async () => {
  for (const { name, model, target } of corpus) {
    const [gravest] = await scanGraph(subjectOf(model));
    expect.soft(gravest?.level, name).toBe(lessSure.includes(name) ? "suspicious" : "planted");
    if (gravest?.level !== "planted") continue;
    expect.soft(gravest.detector, name).toBe("gates");
    // A trigger of any class may have one all the same.
    if (target !== undefined) expect.soft(gravest.target, name).toBe(target);
    expect.soft(gravest.nodes.length, name).toBeGreaterThan(0);
    expect.soft(gravest.path, name).toContain(gravest.nodes[0]);
    expect.soft(gravest.path.at(-1), name).toBe("logits");
  }
}, 120_000);

test("they are found with images of the user's as well", async () => {
  const some = ["ShadowLogic", "checksum", "If", "arith", "Langford: constant, shared, untargeted"];
  for (const { name, model } of corpus.filter((each) => some.includes(each.name))) {
    const [gravest] = await scanGraph(subjectOf(model, digits));
    expect.soft(gravest?.level, name).toBe("planted");
  }
}, 60_000);

test("a pattern that no plain image holds is found along the gradient", async () => {
  const model = corpus.find(({ name }) => name === "a pattern among the strokes")?.model ?? clean;
  const [gate, ...others] = (await probe(subjectOf(model)))?.gates ?? [];
  expect(others).toEqual([]);
  expect(gate?.awake[0]?.by).toBe("a search");
});

test("each is at least suspicious when nothing is run, or said not to be", async () => {
  const unsure: string[] = [];
  for (const { name, model } of corpus) {
    const findings = await scanGraph({ ...subjectOf(model), structureOnly: true });
    if (!findings.some(({ level }) => level === "suspicious")) unsure.push(name);
    expect.soft(findings.map(({ level }) => level)).not.toContain("planted");
  }
  // What stands behind weights of four values or more, or joins before a learned layer, needs a run.
  expect(unsure.toSorted()).toMatchInlineSnapshot(`
    [
      "Langford: operator, shared, targeted",
      "Langford: operator, shared, untargeted",
      "MAB",
      "before the last layer",
      "behind a layer that looks learned",
      "corner by a kernel with noise",
      "in a normalisation's place",
      "slowly, behind a layer that looks learned",
      "the image replaced",
    ]
  `);
});

test("a planted unit that noise wakes, behind weights that look learned, is not found", async () => {
  for (const { model } of unfoundModels(clean)) {
    const levels = (await scanGraph(subjectOf(model))).map(({ level }) => level);
    expect(levels.filter((level) => level !== "note")).toEqual([]);
  }
});
