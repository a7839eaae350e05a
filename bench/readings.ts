import { bestReading, mightBeBeaten } from "../src/data/best-reading.js";
import { answers } from "../src/data/answers.js";
import { loadData } from "../src/data/load.js";
import { select } from "../src/data/dataset.js";
import { evenly } from "../src/data/spread.js";
import { readModelFile } from "../src/onnx/model-file.js";
import { sameReading } from "../src/onnx/readings.js";
import { thirtyPreprocessings, wrapped } from "../src/data/testing/wrapped.js";
const [file = "", id = ""] = process.argv.slice(2);
const runtime = { threads: 1 };
const dataset = await loadData(id, { dataDir: process.argv[4] ?? "data", limits: { train: 1000, test: undefined } });
const { test } = dataset;
const shape = test.shape;
const plain = await readModelFile(file);
let found = 0,
  near = 0,
  refused = 0,
  i = 0;
const t0 = performance.now();
const a = await answers(plain, test, runtime);
const t1 = performance.now();
const q = await mightBeBeaten(plain, test, a, { runtime });
const t2 = performance.now();
console.log(`plain: evaluate ${(t1 - t0).toFixed()} ms, quick ${(t2 - t1).toFixed()} ms: ${q}`);
const thousand = select(test, evenly(test.count, 1000));
const b = await bestReading(plain, test, { runtime });
console.log(
  `plain full ${(performance.now() - t2).toFixed()} ms, ${b.scores.length} readings; best ${b.best.reading.name} ${b.best.accuracy}, used ${b.used.accuracy}; better: ${b.scores.filter((s) => s.clearlyBetter).length}; finished ${b.scores.filter((s) => s.finished).length}`,
);
for (const as of thirtyPreprocessings(shape)) {
  const model = wrapped(plain, shape, as);
  const all = await answers(model, thousand, runtime);
  const quick = await mightBeBeaten(model, thousand, all, { runtime });
  const r = await bestReading(model, thousand, { runtime });
  const same = sameReading(r.best.reading, as, shape);
  const truth = r.scores.find((s) => sameReading(s.reading, as, shape));
  const better = r.scores.some((s) => s.clearlyBetter);
  if (same) found++;
  if (r.best.accuracy - (truth?.accuracy ?? 0) <= 0.005) near++;
  if (better) refused++;
  i++;
  console.log(
    `${same ? "ok  " : "MISS"} used ${r.used.accuracy.toFixed(3)} best ${r.best.accuracy.toFixed(3)} ${r.best.reading.name} | truth ${truth?.accuracy.toFixed(3)} of ${truth?.images} ${as.layout} ${as.channelOrder} ${as.range} ${as.mean} ${as.std} ${better ? "" : "NOT-REFUSED"} quick ${quick}`,
  );
}
console.log(`${found} of ${i} found, ${near} near, ${refused} clearly beaten`);
