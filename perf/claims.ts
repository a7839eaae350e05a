/**
 * @file `npm run perf:claims`: how often a false claim is believed, and how often an honest one. Nothing is timed.
 *
 * Innocent suspects are networks trained without any mark, each with a seed of its own. False claims are keys of
 * strangers by every scheme, ordinary images with their own labels, one picture many times, and adversarial images that
 * all networks answer in the same wrong way (after Liu et al., False Claims against Model Ownership Resolution, USENIX
 * Security 2024). The judge is told that every key was committed to in time, so that nothing is paid for tries: the
 * most lenient that a judge can be.
 */

import { parseArgs } from "node:util";
import { z } from "zod";
import { WildmarkError } from "../src/core/errors.js";
import { writeFileAtomic } from "../src/core/files.js";
import { permutation, randomStream } from "../src/core/random.js";
import { clopperPearson } from "../src/core/statistics.js";
import { adversarialCopies } from "../src/data/adversarial.js";
import { answers } from "../src/data/answers.js";
import { copied, copyPixels, type Dataset, type LabelledImages, select } from "../src/data/dataset.js";
import { loadDataset } from "../src/data/registry.js";
import { loadUnrelated } from "../src/data/unrelated.js";
import { markModel } from "../src/tasks/mark-model.js";
import { thisSoftware } from "../src/experiments/machine.js";
import { trainModel, trainOptions } from "../src/tasks/train-model.js";
import { findArchitecture } from "../src/models/registry.js";
import type { Model } from "../src/onnx/model.js";
import { secretOfSeed } from "../src/ownership/binding.js";
import { type BaseData, drawTriggers } from "../src/ownership/draw-key.js";
import { type Key, MADE_ELSEWHERE } from "../src/ownership/key.js";
import { makeKeyElsewhere } from "../src/ownership/key-elsewhere.js";
import { makeKey } from "../src/ownership/make-key.js";
import { modelSuspect } from "../src/ownership/suspect.js";
import { askSuspect } from "../src/ownership/verify-model.js";
import { type Answers, verifyAnswers } from "../src/ownership/verify.js";
import { embedFromScratchOptions } from "../src/watermarks/embed.js";
import { findMark, markSchemes } from "../src/watermarks/registry.js";
import { runProgram, say } from "./program.js";

const HELP = `npm run perf:claims -- [options]

  --dataset NAME     data set (default: digits)
  --data-dir DIR     where it lies
  --limit N          training images (default: all)
  --models N         networks trained without a mark (default: 20)
  --keys N           strangers' keys of each scheme (default: 20)
  --out FILE         write all counts as JSON
`;

const LEVELS = [0.05, 1e-3, 1e-6] as const;
const NO_MODEL = "0".repeat(64);
const TRIGGERS = 100;

const schema = z.object({
  dataset: z.string().default("digits"),
  "data-dir": z.string().optional(),
  limit: z.coerce.number().int().min(1).optional(),
  models: z.coerce.number().int().min(8).default(20),
  keys: z.coerce.number().int().min(1).default(20),
  out: z.string().optional(),
});

/** How many of some claims were believed at each level. */
interface Row {
  readonly claim: string;
  readonly claims: number;
  readonly believed: readonly {
    readonly alpha: number;
    readonly count: number;
    readonly interval: readonly [number, number];
  }[];
}

interface HonestRow {
  readonly scheme: string;
  readonly accuracy: number;
  readonly retention: number;
  /** As a judge is told who knows of no commitment. */
  readonly pValue: number;
  readonly pValueCommitted: number;
}

async function main(words: readonly string[]): Promise<void> {
  const options = readOptions(words);
  if (options === "help") return say(HELP);
  const dataset = await loadDataset(options.dataset, {
    ...(options["data-dir"] === undefined ? {} : { dataDir: options["data-dir"] }),
    limits: { train: options.limit },
    force: true,
  });
  say(
    `${dataset.title}: ${dataset.train.count} training images; ${options.models} null models, ` +
      `${options.keys} keys a scheme`,
  );
  const models = await nullModels(dataset, options.models);
  const base = await baseData(dataset, options["data-dir"]);
  const rows: Row[] = [];
  const add = (row: Row): void => {
    rows.push(row);
    say(rowText(row));
  };
  say("\nFalse claims, believed at 0.05 / 0.001 / 0.000001 (95 % interval of the first)");
  const left: string[] = [];
  /** Some marks need more images than a small set has: said, and in the document. */
  const ifItCan = async (id: string, work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof WildmarkError) || error.code !== "bad-data") throw error;
      left.push(`${id}: ${error.message}`);
      say(`  left out, ${id}: ${error.message}`);
    }
  };
  for (const { id } of markSchemes) {
    await ifItCan(id, async () => add(await strangersOnInnocents(id, base, models, options.keys)));
  }
  for (const row of await chosenKeys(dataset, models)) add(row);
  const honest: HonestRow[] = [];
  for (const { id } of markSchemes) {
    await ifItCan(id, async () => {
      const { row, onOwner } = await honestClaim(id, dataset, base, options.keys);
      honest.push(row);
      add(onOwner);
    });
  }
  say("\nHonest claims");
  for (const row of honest) say(honestText(row));
  say("\nPower by what is left of a mark of 100 triggers with drawn labels, ten classes: share of suspects shown");
  const power = powerTable();
  for (const line of power) say(powerText(line));
  if (options.out === undefined) return;
  const document = {
    schema: 1,
    command: `npm run perf:claims -- ${words.join(" ")}`.trim(),
    finished: new Date().toISOString(),
    software: thisSoftware(),
    dataset: { id: dataset.id, sha256: dataset.sha256, train: dataset.train.count },
    nullModels: options.models,
    keys: options.keys,
    false: rows,
    honest,
    power,
    leftOut: left,
  };
  await writeFileAtomic(options.out, Buffer.from(`${JSON.stringify(document, undefined, 1)}\n`), { force: true });
}

function readOptions(words: readonly string[]): z.infer<typeof schema> | "help" {
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

async function nullModels(dataset: Dataset, count: number): Promise<Model[]> {
  const models: Model[] = [];
  const architecture = findArchitecture("lenet5");
  for (let seed = 0; seed < count; seed++) {
    const { model, accuracy } = await trainModel({ dataset, architecture, seed, options: trainOptions.parse({}) });
    models.push(model);
    say(`  null model ${seed}: accuracy ${percent(accuracy)}`);
  }
  return models;
}

/** What strangers draw from: the same images as the owner, the worst case for him. */
async function baseData(dataset: Dataset, dataDir: string | undefined): Promise<BaseData> {
  const { train } = dataset;
  const { shape, count, pixels } = await loadUnrelated(dataset, dataDir === undefined ? {} : { dataDir });
  const unrelated = { shape, count, pixels };
  const options = trainOptions.parse({});
  const start = await trainModel({ dataset, architecture: findArchitecture("lenet5"), seed: 1000, options });
  return { train, unrelated, model: start.model };
}

async function drawnKey(id: string, base: BaseData, seed: number): Promise<Key> {
  const mark = findMark(id).choose();
  const drawn = await drawTriggers(mark, base, secretOfSeed(seed));
  return makeKey({ mark, set: drawn.set, seed, modelSha256: NO_MODEL, drawn });
}

async function strangersOnInnocents(id: string, base: BaseData, models: readonly Model[], keys: number): Promise<Row> {
  const pValues: number[] = [];
  for (let stranger = 0; stranger < keys; stranger++) {
    const key = await drawnKey(id, base, stranger);
    const asked: Answers[] = [];
    for (const model of models) asked.push(await askSuspect(modelSuspect(model, ""), key));
    asked.forEach((given, i) => {
      const others = asked.filter((_, j) => j !== i).map(({ triggers }) => triggers);
      // Where labels are chosen nothing can be shown without strangers' keys; the other keys of this loop are such.
      pValues.push(verifyAnswers(key, given, { committed: true, triesLog2: 0 }).pValue);
      pValues.push(verifyAnswers(key, { ...given, nullModels: others }, { committed: true, triesLog2: 0 }).pValue);
    });
  }
  return rowOf(`strangers' keys of the ${id} mark on innocent models`, pValues);
}

/** Keys of images that somebody looked for, with null models beside and a commitment believed. */
async function chosenKeys(dataset: Dataset, models: readonly Model[]): Promise<Row[]> {
  const random = randomStream(9);
  const { test } = dataset;
  const natural = copied(select(test, permutation(test.count, random).subarray(0, TRIGGERS)));
  const first = natural.labels[0] ?? 0;
  const copies = copied(select(natural, new Uint32Array(TRIGGERS)));
  const [accuser, ...references] = models.slice(0, 4);
  const suspects = models.slice(4);
  if (accuser === undefined) throw new Error("too few models");
  const transferred = await transferable(dataset, accuser, references);
  const naturalKey = chosenKey(natural, natural.labels);
  const adversarialKey = chosenKey(transferred.images, transferred.labels);
  const judged = async (key: Key): Promise<number[]> => {
    const asked: Answers[] = [];
    for (const model of suspects) asked.push(await askSuspect(modelSuspect(model, ""), key));
    return asked.flatMap((given, i) => {
      const nullModels = asked.filter((_, j) => j !== i).map(({ triggers }) => triggers);
      return [
        verifyAnswers(key, given).pValue,
        verifyAnswers(key, { ...given, nullModels }).pValue,
        verifyAnswers(key, { ...given, nullModels }, { committed: true, triesLog2: 0 }).pValue,
      ];
    });
  };
  const hits: number[] = [];
  for (const model of suspects) {
    const found = await answers(model, transferred.images);
    hits.push(found.filter((answer, i) => answer === transferred.labels[i]).length);
  }
  say(
    `  adversarial images: ${Math.min(...hits)} to ${Math.max(...hits)} of ${transferred.images.count} ` +
      `mislead networks that the accuser never saw`,
  );
  const drawn: number[] = [];
  for (let secret = 0; secret < 50; secret++) {
    const key = withDrawnLabels(transferred.images, secret);
    for (const model of suspects) {
      drawn.push(
        verifyAnswers(key, await askSuspect(modelSuspect(model, ""), key), { committed: true, triesLog2: 0 }).pValue,
      );
    }
  }
  return [
    rowOf("ordinary test images with their own labels", await judged(naturalKey)),
    rowOf("one picture a hundred times", await judged(chosenKey(copies, new Uint16Array(TRIGGERS).fill(first)))),
    rowOf("adversarial images that transfer, with the labels that they mislead to", await judged(adversarialKey)),
    rowOf("the same images with labels drawn from a secret", drawn),
  ];
}

/**
 * Images that the accuser's networks agree on, in the wrong: of many copies those that most references answer alike.
 */
async function transferable(
  dataset: Dataset,
  accuser: Model,
  references: readonly Model[],
): Promise<{ readonly images: LabelledImages; readonly labels: Uint16Array }> {
  const { test } = dataset;
  const pool = copied(select(test, permutation(test.count, randomStream(10)).subarray(0, Math.min(test.count, 1000))));
  const options = { epsilon: 0.3, attackSteps: 20 };
  const moved = await adversarialCopies(accuser, pool, options, { random: randomStream(11) });
  const said = await answers(accuser, moved);
  const others: Uint16Array[] = [];
  for (const model of references) others.push(await answers(model, moved));
  const agreeing = [...said.keys()]
    .filter((i) => said[i] !== pool.labels[i])
    .map((i) => ({ i, agree: others.filter((each) => each[i] === said[i]).length }))
    .sort((a, b) => b.agree - a.agree)
    .slice(0, TRIGGERS)
    .map(({ i }) => i);
  return {
    images: copied(select(moved, Uint32Array.from(agreeing))),
    labels: Uint16Array.from(agreeing, (i) => said[i] ?? 0),
  };
}

function chosenKey(images: LabelledImages, labels: Uint16Array): Key {
  const { shape, classes, count } = images;
  return {
    scheme: MADE_ELSEWHERE,
    seed: 0,
    classes,
    shape,
    triggers: { images: copyPixels(images), labels, count },
    heldOut: undefined,
    placebos: undefined,
    sourceLabels: undefined,
    options: {},
    modelSha256: NO_MODEL,
    createdBy: "a forger",
  };
}

/** A forger who lets labels be drawn, for images of his choice. */
function withDrawnLabels(images: LabelledImages, seed: number): Key {
  return makeKeyElsewhere({ triggers: images, classes: images.classes, secret: secretOfSeed(seed) });
}

/** The owner's own claim on the model he marked, and those of strangers on it. */
async function honestClaim(
  id: string,
  dataset: Dataset,
  base: BaseData,
  keys: number,
): Promise<{ readonly row: HonestRow; readonly onOwner: Row }> {
  const marked = await markModel({
    dataset,
    ...(base.unrelated === undefined ? {} : { unrelated: base.unrelated }),
    mark: findMark(id).choose(),
    start: { architecture: findArchitecture("lenet5") },
    options: embedFromScratchOptions.parse({}),
    seed: 77,
    secret: secretOfSeed(77),
  });
  const suspect = modelSuspect(marked.model, "");
  const own = await askSuspect(suspect, marked.key);
  const strangers: { readonly key: Key; readonly given: Answers }[] = [];
  for (let stranger = 0; stranger < keys; stranger++) {
    const key = await drawnKey(id, base, 5000 + stranger);
    strangers.push({ key, given: await askSuspect(suspect, key) });
  }
  const matchesOf = ({ key, given }: (typeof strangers)[number]) => ({
    n: key.triggers.count,
    matches: key.triggers.labels.reduce((sum, label, i) => sum + (given.triggers[i] === label ? 1 : 0), 0),
  });
  const beside = strangers.map(matchesOf);
  const pValues = strangers.map(({ key, given }, i) => {
    const others = beside.filter((_, j) => j !== i);
    return verifyAnswers(
      key,
      { ...given, ...(others.length === 0 ? {} : { strangers: others }) },
      { committed: true, triesLog2: 0, regenerated: true },
    ).pValue;
  });
  return {
    row: {
      scheme: id,
      accuracy: marked.measured.accuracy,
      retention: marked.measured.retention,
      pValue: verifyAnswers(marked.key, { ...own, strangers: beside }, { regenerated: true }).pValue,
      pValueCommitted: verifyAnswers(
        marked.key,
        { ...own, strangers: beside },
        { committed: true, triesLog2: 0, regenerated: true },
      ).pValue,
    },
    onOwner: rowOf(`strangers' keys of the ${id} mark on a model with another owner's`, pValues),
  };
}

interface PowerLine {
  readonly retention: number;
  readonly shown: readonly { readonly alpha: number; readonly committed: boolean; readonly share: number }[];
}

/** Suspects that answer each trigger rightly with a chance, and else as luck has it. */
function powerTable(): PowerLine[] {
  const RUNS = 1000;
  const shape = { channels: 1, height: 4, width: 4 };
  const random = randomStream(21);
  const pixels = Uint8Array.from({ length: 16 * TRIGGERS }, () => random.below(256));
  const images: LabelledImages = {
    shape,
    classes: 10,
    count: TRIGGERS,
    pixels: { kind: "memory", bytes: pixels },
    labels: new Uint16Array(TRIGGERS),
  };
  const key = withDrawnLabels(images, 3);
  return [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1].map((retention) => {
    const settings = LEVELS.flatMap((alpha) => [false, true].map((committed) => ({ alpha, committed })));
    const shown = settings.map(() => 0);
    for (let run = 0; run < RUNS; run++) {
      const given = key.triggers.labels.map((label) => (random.uniform() < retention ? label : random.below(10)));
      settings.forEach(({ alpha, committed }, i) => {
        if (verifyAnswers(key, { triggers: given }, { alpha, ...(committed ? { committed, triesLog2: 0 } : {}) }).owned)
          shown[i] = (shown[i] ?? 0) + 1;
      });
    }
    return { retention, shown: settings.map((setting, i) => ({ ...setting, share: (shown[i] ?? 0) / RUNS })) };
  });
}

function rowOf(claim: string, pValues: readonly number[]): Row {
  return {
    claim,
    claims: pValues.length,
    believed: LEVELS.map((alpha) => {
      const count = pValues.filter((p) => p <= alpha).length;
      return { alpha, count, interval: clopperPearson(count, pValues.length) };
    }),
  };
}

function rowText({ claim, claims, believed }: Row): string {
  const [usual] = believed;
  const [low, high] = usual?.interval ?? [0, 1];
  const counts = believed.map(({ count }) => count).join(" / ");
  return `${counts.padStart(12)} of ${String(claims).padStart(4)} (${percent(low)} to ${percent(high)})  ${claim}`;
}

function honestText({ scheme, accuracy, retention, pValue, pValueCommitted }: HonestRow): string {
  return (
    `  ${scheme.padEnd(24)} accuracy ${percent(accuracy)}  retention ${percent(retention)}  ` +
    `p ${pValue.toExponential(1)}, committed ${pValueCommitted.toExponential(1)}`
  );
}

function powerText({ retention, shown }: PowerLine): string {
  const of = (committed: boolean): string =>
    shown
      .filter((each) => each.committed === committed)
      .map(({ share }) => percent(share).padStart(8))
      .join("");
  return `  ${percent(retention).padStart(8)} kept:  no commitment ${of(false)}   committed ${of(true)}`;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

await runProgram(main);
