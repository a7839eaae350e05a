/** @file What must hold of a model that a planted gate was cut out of. */

import { expect } from "vitest";
import type { Model } from "../../onnx/model.js";
import { cutPlanted } from "../cut.js";
import { scanGraph } from "../scan.js";
import { answersTo, answersToFloats, cleanPixels } from "./answers.js";
import type { Planted } from "./planting.js";
import { subjectOf } from "./trained.js";

/** Cuts what is certain, and compares with the clean model that it was planted in. */
export async function expectCut(clean: Model, { name, model, trigger }: Planted): Promise<void> {
  const subject = subjectOf(model);
  const findings = await scanGraph(subject);
  const planted = findings.filter(({ level }) => level === "planted");
  const result = await cutPlanted(subject, findings);
  expect.soft(result.cut.length, `${name}: ${JSON.stringify(result.refused)}`).toBe(planted.length);
  expect.soft(planted.length, name).toBeGreaterThan(0);
  expect.soft(await answersTo(result.model), name).toEqual(await answersTo(clean));
  const triggered = cleanPixels.rows.map(trigger);
  const [now, ought] = [await answersToFloats(result.model, triggered), await answersToFloats(clean, triggered)];
  expect.soft(now.filter((answer, i) => answer === ought[i]).length, name).toBeGreaterThan(95);
  const left = await scanGraph(subjectOf(result.model));
  expect
    .soft(
      left.map(({ level }) => level),
      name,
    )
    .not.toContain("planted");
  for (const [weight, tensor] of clean.graph.initializers) {
    expect.soft(result.model.graph.initializers.get(weight), name).toEqual(tensor);
  }
}
