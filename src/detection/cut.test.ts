/** @file A planted gate is cut out: clean images keep their answers, and the trigger is one more image. */

import { beforeAll, expect, test } from "vitest";
import { encodeModel, type Model } from "../onnx/model.js";
import { cutPlanted } from "./cut.js";
import { scanGraph } from "./scan.js";
import { expectCut } from "./testing/expect-cut.js";
import { lookAlikeOf } from "./testing/innocent.js";
import { type Planted, plantedModels } from "./testing/planting.js";
import { subjectOf, trainedModel } from "./testing/trained.js";

let clean: Model;
let corpus: readonly Planted[];

beforeAll(async () => {
  clean = await trainedModel();
  corpus = plantedModels(clean);
}, 60_000);

// All of the corpus: test/cut-planted.slow.ts.
test.each([
  "Langford: constant, shared, targeted",
  "ShadowLogic",
  "Where",
  "If",
  "checksum",
  "in a normalisation's place",
  "scores chosen by Gather",
  "gate: a gate that leaks",
  "a function of the model's own",
])("%s", async (name) => {
  const planted = corpus.find((each) => each.name === name);
  expect(planted).toBeDefined();
  if (planted !== undefined) await expectCut(clean, planted);
});

test("what served the gate alone is gone, and nothing else", async () => {
  const model = corpus.find(({ name }) => name === "arith")?.model ?? clean;
  const subject = subjectOf(model);
  const { model: after, cut } = await cutPlanted(subject, await scanGraph(subject));
  const names = ({ graph }: Model): string[] => graph.nodes.map(({ name }) => name);
  const [gone] = cut;
  expect(gone?.removed.length).toBeGreaterThan(3);
  expect(names(model).filter((name) => !names(after).includes(name))).toEqual(gone?.removed);
  expect([...after.graph.initializers.keys()]).toEqual([...clean.graph.initializers.keys()]);
});

test("what is not certain is refused, and the model stays as it is", async () => {
  const { model } = lookAlikeOf("mixture of experts, the first of three");
  const subject = subjectOf(model);
  const findings = await scanGraph(subject);
  const { model: after, cut, refused } = await cutPlanted(subject, findings);
  expect(cut).toEqual([]);
  expect(refused.length).toBe(findings.filter(({ level }) => level !== "note").length);
  expect(encodeModel(after)).toEqual(encodeModel(model));
});
