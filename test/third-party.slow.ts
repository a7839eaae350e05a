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

const rows: (readonly string[])[] = [
  ["model", "before", "marked", "retention", "after WILD-JS", "retention", "owned", "s"],
];
afterAll(() => console.log(rows.map((row) => row.join(" | ")).join("\n")));

const percent = (share: number): string => (100 * share).toFixed(2);

test.skipIf(thirdPartyModels.length === 0).each(thirdPartyModels)(
  "$file is marked, verified and attacked",
  async (entry) => {
    const start = performance.now();
    const { model, dataset } = await loadThirdParty(entry);
    const options = embedContinuingOptions.parse(JSON.parse(process.env.TRY_EMBED ?? "{}"));
    const mark = findMark("content").choose();
    const marked = await markModel({ dataset, mark, start: { model }, options, seed: 0 });
    const { accuracyBefore = 0, measured, verdict } = marked;
    console.log(
      entry.file,
      percent(accuracyBefore),
      percent(measured.accuracy),
      percent(measured.retention),
      verdict.owned,
    );
    if (process.env.TRY_ONLY === undefined) {
      const method = findMethod("wild").choose({ metric: "js" });
      const cleaned = await removeMark({
        model: marked.model,
        dataset,
        method,
        fraction: 0.1,
        seed: 0,
        key: marked.key,
      });
      rows.push([
        entry.file,
        ...[
          accuracyBefore,
          measured.accuracy,
          measured.retention,
          cleaned.accuracyAfter,
          cleaned.mark.after.retention,
        ].map(percent),
        `${verdict.owned} → ${cleaned.mark.verdict.owned}`,
        ((performance.now() - start) / 1000).toFixed(0),
      ]);
      console.log(rows.at(-1)?.join(" | "));
    }
    expect(verdict.owned).toBe(true);
    expect(measured.retention).toBeGreaterThanOrEqual(0.95);
    expect(accuracyBefore - measured.accuracy).toBeLessThanOrEqual(0.02);
  },
);
