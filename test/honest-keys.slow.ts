/**
 * @file Honest keys keep their power: every mark at its defaults, on a model of its own, as a judge is told who knows
 * of no commitment.
 */

import { expect, test } from "vitest";
import { loadDataset } from "../src/data/registry.js";
import { loadUnrelated } from "../src/data/unrelated.js";
import { markModel } from "../src/tasks/mark-model.js";
import { findArchitecture } from "../src/models/registry.js";
import { secretOfSeed } from "../src/ownership/binding.js";
import { embedFromScratchOptions } from "../src/watermarks/embed.js";
import { markSchemes } from "../src/watermarks/registry.js";

test.each(markSchemes.map((scheme) => [scheme.id, scheme] as const))(
  "%s: shown on the built-in digits at p <= 1e-6",
  async (_, scheme) => {
    const dataset = await loadDataset("digits");
    const { shape, count, pixels } = await loadUnrelated(dataset);
    const { verdict } = await markModel({
      dataset,
      unrelated: { shape, count, pixels },
      mark: scheme.choose(),
      start: { architecture: findArchitecture("lenet5") },
      options: embedFromScratchOptions.parse({}),
      seed: 77,
      secret: secretOfSeed(77),
    });
    expect(verdict).toMatchObject({ owned: true, provenance: "drawn", triesLog2: 64 });
    expect(verdict.pValue).toBeLessThanOrEqual(1e-6);
  },
);
