/**
 * @file How often the reading of a model is found: a network that takes pixels in [0, 1] is wrapped into thirty other
 * preprocessings, and each is sought from 1,000 labelled images.
 *
 *     node dist-bench/bench/readings.js MODEL.onnx DATASET DATA-DIR
 */

import { answers } from "../src/data/answers.js";
import { bestReading, mightBeBeaten } from "../src/data/best-reading.js";
import { loadData } from "../src/data/load.js";
import { thirtyPreprocessings, wrapped } from "../src/data/testing/wrapped.js";
import { readModelFile } from "../src/onnx/model-file.js";
import { sameReading } from "../src/onnx/readings.js";

const [file = "", id = "", dataDir = "data"] = process.argv.slice(2);
const runtime = { threads: 1 };
const { test } = await loadData(id, { dataDir, limits: { train: 1000, test: undefined } });
const { shape } = test;
const plain = await readModelFile(file);

const start = performance.now();
const answered = await answers(plain, test, runtime);
const evaluated = performance.now();
const doubted = await mightBeBeaten(plain, test, answered, { runtime });
const looked = performance.now();
const { best, used, scores } = await bestReading(plain, test, { runtime });
console.log(
  `as it is: evaluated in ${(evaluated - start).toFixed()} ms, looked at in ${(looked - evaluated).toFixed()} ms more ` +
    `(${doubted ? "in doubt" : "no doubt"}), ${scores.length} readings in ${(performance.now() - looked).toFixed()} ms: ` +
    `${best === used ? "found right" : `read as ${best.reading.name}`}, ${scores.filter((s) => s.clearlyBetter).length} clearly better`,
);

const counts = { found: 0, asGood: 0, refused: 0, told: 0 };
const all = thirtyPreprocessings(shape);
for (const as of all) {
  const result = await bestReading(wrapped(plain, shape, as), test, { runtime });
  const truth = result.scores.find(({ reading }) => sameReading(reading, as, shape));
  const found = sameReading(result.best.reading, as, shape);
  if (found) counts.found += 1;
  if (found || (truth !== undefined && result.best.accuracy - truth.accuracy < 0.005)) counts.asGood += 1;
  const refused = result.scores.some(({ finished, clearlyBetter }) => finished && clearlyBetter);
  if (refused) counts.refused += 1;
  if (refused || result.best !== result.used) counts.told += 1;
  console.log(
    `${found ? "found " : "missed"} ${JSON.stringify(as)}: assumed ${result.used.accuracy}, right ${truth?.accuracy}, ` +
      `best ${result.best.accuracy} (${result.best.reading.name})${refused ? "" : ", not refused"}`,
  );
}
console.log(
  `of ${all.length}: found ${counts.found}, found or within half a point ${counts.asGood}; the assumed reading refused ` +
    `${counts.refused}, refused or spoken of ${counts.told}`,
);
