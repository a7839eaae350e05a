/**
 * @file Marks, verifies and attacks other people's models from end to end. Wants WILDMARK_MODELS and WILDMARK_DATA; prints
 * a table of what it measured.
 */

import { afterAll, expect, test } from "vitest";
import { markModel } from "../src/experiments/mark-model.js";
import { removeMark } from "../src/experiments/remove-mark.js";
import { findMethod } from "../src/removal/registry.js";
import { embedContinuingOptions } from "../src/watermarks/embed.js";
import { findMark } from "../src/watermarks/registry.js";
import { loadThirdParty, thirdPartyModels } from "./third-party.js";

const rows: string[] = ["model | accuracy | marked | retention | after WILD-JS | retention | owned"];
afterAll(() => console.log(rows.join("\n")));

const percent = (share: number): string => (100 * share).toFixed(2);

if (thirdPartyModels.length === 0) test.skip("wants WILDMARK_MODELS and WILDMARK_DATA", () => {});

test.each(thirdPartyModels)("$file: marked, verified, attacked", async (entry) => {
  const { model, dataset } = await loadThirdParty(entry);
  const mark = findMark("content").choose();
  const marking = { dataset, mark, start: { model }, options: embedContinuingOptions.parse({}), seed: 0 };
  const { accuracyBefore = 0, measured, verdict, key, model: marked } = await markModel(marking);
  expect(verdict.owned).toBe(true);
  expect(measured.retention).toBeGreaterThanOrEqual(0.95);
  expect(accuracyBefore - measured.accuracy).toBeLessThanOrEqual(0.02);

  const method = findMethod("wild").choose({ metric: "js" });
  const cleaned = await removeMark({ model: marked, dataset, method, fraction: 0.1, seed: 0, key });
  const shares = [accuracyBefore, measured.accuracy, measured.retention, cleaned.accuracyAfter];
  const { after, verdict: afterwards } = cleaned.mark;
  rows.push([entry.file, ...[...shares, after.retention].map(percent), afterwards.owned].join(" | "));
  expect(Number.isFinite(cleaned.accuracyAfter)).toBe(true);
});
