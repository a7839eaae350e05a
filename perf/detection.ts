/**
 * @file `npm run perf:detection`: how well models with a mark are told from models without, by weights and behaviour
 * alone. Trains some three hundred models, measures each with every statistic detector, and writes what was found.
 * Resumable: what lies in the working folder is not made again. Nothing is timed.
 */

import { access, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { z } from "zod";
import { WildmarkError } from "../src/core/errors.js";
import { readFileBounded, writeFileAtomic } from "../src/core/files.js";
import { parsedJson } from "../src/core/json.js";
import { permutation, randomStream } from "../src/core/random.js";
import { copied, type Dataset, type Images, type LabelledImages, select } from "../src/data/dataset.js";
import { findRecord, loadDataset } from "../src/data/registry.js";
import { loadUnrelated } from "../src/data/unrelated.js";
import { type Baseline, LEAST_MODELS, measured, recorded } from "../src/detection/baseline.js";
import { familyOf } from "../src/detection/family.js";
import { findStatistic, statistics, usualStatistics } from "../src/detection/statistics.js";
import { thisSoftware } from "../src/experiments/machine.js";
import { encodeModel, modelSha256 } from "../src/onnx/model.js";
import { readModelFile, writeModelFile } from "../src/onnx/model-file.js";
import { type FamilyResult, familyResult, type StudiedModel, whyLeftOut } from "./detection-analysis.js";
import { measuredText, rocFigures, withMeasured } from "./detection-page.js";
import { type Family, families, type ModelPlan, makeModel, modelsOf } from "./detection-models.js";
import { runProgram, say } from "./program.js";

const HELP = `npm run perf:detection -- [options]

  --data-dir DIR     where MNIST, KMNIST and CIFAR-10 lie (default: where wildmark looks for them)
  --work DIR         models and measurements, kept (default: wildmark-detection)
  --stage NAME       measure (make the models and measure them), cleanse (with Neural Cleanse too), report (write
                     docs/results/detection and src/detection/shipped-baselines.ts from what is there), or all
                     (default: all)
`;

const STAGES = ["measure", "cleanse", "report", "all"] as const;

/** What is written, from the root of the repository. */
const PAGES = "docs/results/detection";
const SHIPPED = "src/detection/shipped-baselines.ts";

const schema = z.object({
  "data-dir": z.string().optional(),
  work: z.string().default("wildmark-detection"),
  stage: z.enum(STAGES).default("all"),
});

type Options = z.infer<typeof schema>;

async function main(words: readonly string[]): Promise<void> {
  const options = readOptions(words);
  if (options === "help") return say(HELP);
  await mkdir(options.work, { recursive: true });
  const wants = (stage: (typeof STAGES)[number]): boolean => options.stage === stage || options.stage === "all";
  const dataFree = usualStatistics(false).map(({ id }) => id);
  if (wants("measure")) for (const family of families) await study(family, () => dataFree, options);
  if (wants("cleanse")) {
    const cleansed = statistics.filter(({ needs }) => needs === "images").map(({ id }) => id);
    for (const family of families) await study(family, (plan) => (plan.cleansed ? cleansed : []), options);
  }
  if (wants("report")) await report(options);
}

function readOptions(words: readonly string[]): Options | "help" {
  const flags = Object.keys(schema.shape).map((name) => [name, { type: "string" as const }] as const);
  try {
    const { values } = parseArgs({
      args: [...words],
      options: { ...Object.fromEntries(flags), help: { type: "boolean", short: "h" } },
    });
    return values.help === true ? "help" : schema.parse(values);
  } catch (cause) {
    throw new WildmarkError("usage", cause instanceof Error ? cause.message : String(cause), { hint: HELP, cause });
  }
}

/** Of one model, in a file beside it. */
const recordSchema = z.object({
  accuracy: z.number(),
  retention: z.number().optional(),
  tries: z.number().optional(),
  sha256: z.string().optional(),
  measured: z
    .record(z.string(), z.object({ value: z.number(), target: z.number(), classes: z.array(z.number()) }))
    .default({}),
});

type ModelRecord = z.infer<typeof recordSchema>;

/** Clean images that Neural Cleanse is given: none that a model was trained on. */
const CLEAN_IMAGES = 500;

/** Makes what is not made, and measures what is not measured. */
async function study(family: Family, wanted: (plan: ModelPlan) => readonly string[], options: Options): Promise<void> {
  const place = options["data-dir"] === undefined ? {} : { dataDir: options["data-dir"] };
  let loaded: { readonly dataset: Dataset; readonly unrelated: Images; readonly images: LabelledImages } | undefined;
  const load = async () => {
    const dataset = await loadDataset(family.dataset, { ...place, force: true });
    const order = permutation(dataset.test.count, randomStream(0, "clean images"));
    const test = copied(select(dataset.test, order.subarray(0, TEST_IMAGES)));
    const images = copied(select(dataset.test, order.subarray(TEST_IMAGES, TEST_IMAGES + CLEAN_IMAGES)));
    const { shape, count, pixels } = await loadUnrelated(dataset, place);
    loaded = { dataset: { ...dataset, test }, unrelated: { shape, count, pixels }, images };
    return loaded;
  };
  for (const plan of modelsOf(family)) {
    const path = join(options.work, `${plan.id}.json`);
    const modelPath = join(options.work, `${plan.id}.onnx`);
    let record = (await exists(path)) ? await readRecord(path) : undefined;
    if (record === undefined) {
      const { dataset, unrelated } = loaded ?? (await load());
      const { model, ...made } = await makeModel(plan, dataset, unrelated);
      await writeModelFile(modelPath, model, { force: true });
      record = { ...made, measured: {} };
      await writeRecord(path, record);
    }
    const missing = wanted(plan).filter((id) => record?.measured[id] === undefined);
    if (missing.length === 0) continue;
    const { images } = loaded ?? (await load());
    const model = await readModelFile(modelPath);
    const sha256 = modelSha256(encodeModel(model));
    const measuring = { shape: images.shape, classes: images.classes, images };
    for (const id of missing) {
      const { value, target, classes } = await measured(
        findStatistic(id).choose(),
        model,
        sha256.slice(0, 16),
        measuring,
      );
      const found = { value, target, classes: classes.map((each) => Number(each.toPrecision(6))) };
      record = { ...record, sha256, measured: { ...record.measured, [id]: found } };
    }
    await writeRecord(path, record);
    const values = Object.entries(record.measured).map(
      ([id, { value, target }]) => `${id} ${value.toFixed(2)} (${target})`,
    );
    const kept = record.retention === undefined ? "" : `, retention ${record.retention.toFixed(2)}`;
    say(`${plan.id}: accuracy ${record.accuracy.toFixed(3)}${kept}; ${values.join(", ")}`);
  }
}

/** Of models that are there; a family of which there are too few is not told of. */
async function report({ work }: Options): Promise<void> {
  const results: FamilyResult[] = [];
  const rows: object[] = [];
  const baselines: Baseline[] = [];
  for (const family of families) {
    const models: (StudiedModel & ModelRecord)[] = [];
    for (const plan of modelsOf(family)) {
      const path = join(work, `${plan.id}.json`);
      if (await exists(path)) models.push({ plan, ...(await readRecord(path)) });
    }
    const dataFree = usualStatistics(false).map(({ id }) => id);
    const whole = models.filter(({ measured: has }) => dataFree.every((id) => has[id] !== undefined));
    const clean = whole.filter((model) => model.plan.role === "baseline" && whyLeftOut(model) === undefined);
    if (clean.length < LEAST_MODELS) continue;
    const ids = statistics.map(({ id }) => id);
    results.push(familyResult(family, whole, ids, dataFree));
    rows.push(...whole.map(rowOf));
    baselines.push(await baselineOf(family, clean, work));
  }
  const from = { command: "npm run perf:detection", software: thisSoftware() };
  const detectors = statistics.map(({ id, choose }) => ({ id, options: choose().options }));
  const lines = rows.map((row) => `  ${JSON.stringify(row)}`).join(",\n");
  const head = JSON.stringify({ schema: 1, ...from, finished: new Date().toISOString(), detectors });
  await writeText(join(PAGES, "measured.json"), `${head.slice(0, -1)},"models":[\n${lines}\n]}\n`);
  for (const [name, svg] of rocFigures(results)) await writeText(join(PAGES, name), svg);
  const page = join(PAGES, "README.md");
  await writeText(page, withMeasured(await readText(page), measuredText(results)));
  await writeText(SHIPPED, shippedText(baselines));
  say(`Written: ${PAGES} and ${SHIPPED}. Run \`npm run format\`.`);
}

/** Everything that was measured on a model, in one line. */
function rowOf({ plan, accuracy, retention, tries, measured: all }: StudiedModel & ModelRecord): object {
  const { id, role, seed } = plan;
  const mark = "mark" in plan ? { mark: plan.mark, target: plan.target, retention, tries } : {};
  const values = Object.entries(all).map(([detector, { value, target, classes }]) => [
    detector,
    [target, ...[value, ...classes].map((each) => Number(each.toPrecision(DIGITS)))],
  ]);
  return { id, role, way: plan.way, seed, ...mark, accuracy, measured: Object.fromEntries(values) };
}

/** Of a value that is written. */
const DIGITS = 4;

async function baselineOf(
  family: Family,
  clean: readonly (StudiedModel & ModelRecord)[],
  work: string,
): Promise<Baseline> {
  const [first] = clean;
  if (first === undefined) throw new Error("a baseline needs a model");
  const model = await readModelFile(join(work, `${first.plan.id}.onnx`));
  const { shape, classes } = findRecord(family.dataset);
  const detectors = usualStatistics(false).map((detector) => {
    const all = clean.flatMap(({ measured: has }) => has[detector.id] ?? []);
    return [detector.id, recorded(detector, all)] as const;
  });
  return {
    wildmark: "baseline 1",
    about: `${clean.length} of ${family.title}, ${family.images} training images each`,
    family: familyOf(model, shape, classes),
    models: clean.map(({ sha256 = "" }) => sha256.slice(0, 16)),
    detectors: Object.fromEntries(detectors),
  };
}

function shippedText(baselines: readonly Baseline[]): string {
  return [
    "/** @file Baselines that come with Wildmark, as `npm run perf:detection -- --stage report` wrote them. */",
    "",
    'import type { Baseline } from "./baseline.js";',
    "",
    `export const shippedBaselines: readonly Baseline[] = ${JSON.stringify(baselines, undefined, 2)};`,
    "",
  ].join("\n");
}

async function readText(path: string): Promise<string> {
  return new TextDecoder().decode(await readFileBounded(path, { what: "a page", maxBytes: 2 ** 22 }));
}

async function writeText(path: string, text: string): Promise<void> {
  await writeFileAtomic(path, Buffer.from(text), { force: true });
}

/** Of the test set, for the accuracy. */
const TEST_IMAGES = 2000;

async function readRecord(path: string): Promise<ModelRecord> {
  const bytes = await readFileBounded(path, { what: "a record of the study", maxBytes: 2 ** 20 });
  return recordSchema.parse(parsedJson(new TextDecoder().decode(bytes)));
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

async function writeRecord(path: string, value: ModelRecord): Promise<void> {
  await writeFileAtomic(path, Buffer.from(`${JSON.stringify(value, undefined, 1)}\n`), { force: true });
}

await runProgram(main);
