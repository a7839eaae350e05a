/** @file Every planted graph that is certain is cut; the fast tests take a few of them. */

import { expect, test } from "vitest";
import { expectCut } from "../src/detection/testing/expect-cut.js";
import { lessSure, plantedModels } from "../src/detection/testing/planting.js";
import { trainedModel } from "../src/detection/testing/trained.js";

test("each is cut, clean answers stay, and its trigger leads nowhere", async () => {
  const clean = await trainedModel();
  const corpus = plantedModels(clean).filter(({ name }) => !lessSure.includes(name));
  expect(corpus.length).toBeGreaterThan(50);
  for (const planted of corpus) await expectCut(clean, planted);
});
