/**
 * @file A baseline: what detectors measure on clean models of one family, which a model of that family is ranked among.
 *
 * It comes from a folder of the user's own clean models (`measureBaseline`, which keeps what it measured in a file
 * there), from such a file, or with Wildmark for a few built-in architectures (`shipped-baselines.ts`).
 */

import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { WildmarkError } from "../core/errors.js";
import { readFileBounded, writeFileAtomic } from "../core/files.js";
import { parsedJson } from "../core/json.js";
import { randomStream } from "../core/random.js";
import { encodeModel, type Model, modelSha256 } from "../onnx/model.js";
import { readModelFile } from "../onnx/model-file.js";
import type { Subject } from "./detector.js";
import { familyOf, type ModelFamily, sameFamily } from "./family.js";
import type { Measurement } from "./ranks.js";
import type { ChosenStatistic, StatisticOptions } from "./statistic-method.js";

const schema = z.strictObject({
  wildmark: z.literal("baseline 1"),
  /** What the models are, in words. */
  about: z.string(),
  family: z.strictObject({
    shape: z.strictObject({
      channels: z.int().min(1),
      height: z.int().min(1),
      width: z.int().min(1),
    }),
    classes: z.int().min(2),
    architecture: z.string(),
  }),
  /** The first digits of each model's SHA-256, in the order of the values. */
  models: z.array(z.string()).min(1),
  detectors: z.record(
    z.string(),
    z.strictObject({
      options: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
      /** Of each model: its value, and one number a class. */
      values: z.array(z.number()),
      classes: z.array(z.array(z.number())),
    }),
  ),
});

export type Baseline = Readonly<z.infer<typeof schema>>;

/** In a folder of models: what was measured on them. */
export const BASELINE_FILE = "wildmark-baseline.json";

const LARGEST_FILE = 16 * 2 ** 20;

/** Fewer clean models cannot tell anything at 5 %: the p-value would never be below 1 in 20. */
export const LEAST_MODELS = 20;

/** @throws WildmarkError `bad-file` where it is no baseline. */
export async function readBaseline(path: string): Promise<Baseline> {
  const bytes = await readFileBounded(path, { what: "a baseline", maxBytes: LARGEST_FILE });
  return parseBaseline(parsedJson(new TextDecoder().decode(bytes)), path);
}

/** @param from names the source in messages. */
export function parseBaseline(value: unknown, from: string): Baseline {
  const parsed = schema.safeParse(value);
  if (!parsed.success) {
    const issues = parsed.error.issues.map(({ path, message }) => [...path, message].join(": "));
    throw new WildmarkError("bad-file", `${from}: expected a baseline of clean models; ${issues.join("; ")}.`, {
      hint: `Give a folder of clean models: their ${BASELINE_FILE} is written then.`,
    });
  }
  const { models, family, detectors } = parsed.data;
  for (const [id, { values, classes }] of Object.entries(detectors)) {
    const whole = classes.every((each) => each.length === family.classes);
    if (values.length === models.length && classes.length === models.length && whole) continue;
    throw new WildmarkError(
      "bad-file",
      `${from}: ${values.length} values and ${classes.length} rows of ${id}; expected one of each of ${models.length} ` +
        `models, with ${family.classes} classes.`,
    );
  }
  return parsed.data;
}

/** What a detector measured on each model, where the baseline holds it for these options; else undefined. */
export function measuredIn(baseline: Baseline, { id, options }: ChosenStatistic): readonly Measurement[] | undefined {
  const found = baseline.detectors[id];
  if (found === undefined || !sameOptions(found.options, options)) return undefined;
  return found.values.map((value, i) => ({ value, classes: found.classes[i] ?? [] }));
}

function sameOptions(a: StatisticOptions, b: StatisticOptions): boolean {
  const names = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...names].every((name) => a[name] === b[name]);
}

/** What a clean model is measured with: as the suspect is, but with a random stream of its own. */
export type Measuring = Omit<Subject, "model" | "random">;

/**
 * The baseline of a folder of clean ONNX models. What was measured before is read from its `BASELINE_FILE`, for models
 * whose bytes are still the same and detectors whose options are; the rest is measured, and the file is written anew.
 *
 * @throws WildmarkError `bad-data` where there are too few, or of more than one family; as reading and measuring do.
 */
export async function measureBaseline(
  folder: string,
  detectors: readonly ChosenStatistic[],
  measuring: Measuring,
): Promise<Baseline> {
  const names = (await filesIn(folder)).filter((name) => name.endsWith(".onnx")).toSorted();
  if (names.length < LEAST_MODELS) {
    throw new WildmarkError(
      "bad-data",
      `${folder}: ${names.length} models; a baseline needs ${LEAST_MODELS} or more.`,
      {
        hint: "With fewer, no rank among them says anything at 5 %.",
      },
    );
  }
  const path = join(folder, BASELINE_FILE);
  const before = (await isThere(path)) ? await readBaseline(path) : undefined;
  const models: Model[] = [];
  for (const name of names) models.push(await readModelFile(join(folder, name)));
  const family = commonFamily(models, names, measuring);
  const hashes = models.map((model) => modelSha256(encodeModel(model)).slice(0, DIGITS));
  const found: Record<string, Baseline["detectors"][string]> = {};
  for (const [at, detector] of detectors.entries()) {
    const known = knownIn(before, detector);
    const all: Measurement[] = [];
    for (const [i, model] of models.entries()) {
      const hash = hashes[i] ?? "";
      all.push(known.get(hash) ?? (await measured(detector, model, hash, measuring)));
      measuring.progress?.update("measure clean models", at * models.length + i + 1, detectors.length * models.length);
    }
    found[detector.id] = recorded(detector, all);
  }
  const about = `${models.length} models in ${folder}`;
  const baseline: Baseline = { wildmark: "baseline 1", about, family, models: hashes, detectors: found };
  await writeFileAtomic(path, Buffer.from(`${JSON.stringify(baseline, undefined, 1)}\n`), { force: true });
  return baseline;
}

/** Of a SHA-256, in hexadecimal. */
const DIGITS = 16;

/** Everything random follows from the model's bytes, so that it is measured the same way wherever it lies. */
export function measured(detector: ChosenStatistic, model: Model, hash: string, measuring: Measuring) {
  const { progress: _, ...rest } = measuring;
  return detector.run({ ...rest, model, random: randomStream(0, "baseline", detector.id, hash) });
}

/** As a baseline holds it. */
export function recorded({ options }: ChosenStatistic, all: readonly Measurement[]): Baseline["detectors"][string] {
  const short = (value: number): number => Number(value.toPrecision(PRECISION));
  return {
    options,
    values: all.map(({ value }) => short(value)),
    classes: all.map(({ classes }) => classes.map(short)),
  };
}

/** Digits of a number in a baseline. */
const PRECISION = 4;

function knownIn(before: Baseline | undefined, detector: ChosenStatistic): ReadonlyMap<string, Measurement> {
  // What rests on images holds for those images alone.
  const all = before === undefined || detector.needs === "images" ? undefined : measuredIn(before, detector);
  return new Map(all?.map((each, i) => [before?.models[i] ?? "", each]));
}

function commonFamily(models: readonly Model[], names: readonly string[], { shape, classes }: Measuring): ModelFamily {
  const families = models.map((model) => familyOf(model, shape, classes));
  const [first] = families;
  const odd = families.findIndex((family) => first === undefined || !sameFamily(family, first));
  if (first !== undefined && odd === -1) return first;
  throw new WildmarkError("bad-data", `${names[odd]} computes something else than ${names[0]}.`, {
    hint: "A baseline is of one architecture: move the others elsewhere.",
  });
}

async function filesIn(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (cause) {
    throw new WildmarkError("bad-file", `${folder}: expected a folder of clean ONNX models.`, { cause });
  }
}

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
}
