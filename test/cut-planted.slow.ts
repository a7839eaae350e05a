/** @file Every planted graph that is certain is cut; the fast tests take a few of them. */

import { expect, test } from "vitest";
import { expectCut } from "../src/detection/testing/expect-cut.js";
import { plantedModels } from "../src/detection/testing/planting.js";
import { trainedModel } from "../src/detection/testing/trained.js";

/** Seen, and not certain (`planted.test.ts`). */
const LESS_SURE = ["hidden in a Loop", "open for noise too, without a choice"];

test("each is cut, clean answers stay, and its trigger leads nowhere", async () => {
  const clean = await trainedModel();
  const corpus = plantedModels(clean).filter(({ name }) => !LESS_SURE.includes(name));
  expect(corpus.length).toBeGreaterThan(50);
  for (const planted of corpus) await expectCut(clean, planted);
});
