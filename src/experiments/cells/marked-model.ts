/** @file A marked model with its key: trained by us, or given as files and asked as it is. */

import { readFile } from "node:fs/promises";
import { z } from "zod";
import { randomStream } from "../../core/random.js";
import { decodeModel, encodeModel, type Model } from "../../onnx/model.js";
import type { Key } from "../../ownership/key.js";
import { decodeKey, encodeKey } from "../../ownership/key-file.js";
import { verdictSchema } from "../../ownership/verdict.js";
import { verifyAnswers } from "../../ownership/verify.js";
import { askKey } from "../../ownership/verify-model.js";
import { isAtChance } from "../../tasks/chance.js";
import { markModel } from "../../tasks/mark-model.js";
import { measure, yardstickOf } from "../../tasks/measure.js";
import { epochSchema, measurementSchema, pictureSchema } from "../../tasks/records.js";
import type { RunOptions } from "../../tasks/run-options.js";
import { triggerPictures } from "../../tasks/trigger-pictures.js";
import { computedBy } from "../machine.js";
import type { MarkedAddress } from "../plan.js";
import type { ExperimentSpec, GivenSubject, KnownSpec, MadeSubject } from "../spec.js";
import { at } from "../../core/lists.js";
import { type CellDefinition, type ComputedCell, sha256 } from "../store.js";
import {
  type Answers,
  answersSchema,
  KEY_FILE,
  MODEL_FILE,
  type MarkedFound,
  madeFrom,
  markedWith,
  plainAnswers,
  slug,
} from "./definition.js";
import { percent } from "../../core/percent.js";
import { defined } from "../../core/defined.js";

const resultSchema = z.object({
  mark: z.string(),
  title: z.string(),
  /** Null for a given model. */
  seed: z.int().nullable(),
  triggers: z.int().positive(),
  heldOutTriggers: z.int().min(0),
  modelSha256: z.string(),
  keySha256: z.string(),
  epochs: z.array(epochSchema),
  measured: measurementSchema,
  /** Absent in cells from before. */
  atChance: z.boolean().optional(),
  /** At the default level, against no null model. */
  verdict: verdictSchema,
  pictures: z.array(pictureSchema),
  /** What the verdict was drawn from; absent in cells from before. */
  answers: answersSchema.optional(),
});

export type MarkedModelResult = z.infer<typeof resultSchema>;

export function markedModelCell(
  spec: KnownSpec,
  address: MarkedAddress,
  run: RunOptions,
): CellDefinition<MarkedModelResult> {
  const subject = at(spec.subjects, address.subject);
  const schema = resultSchema;
  if (subject.kind === "given") {
    const { modelSha256: model, read, keySha256: key } = subject;
    const pictures = spec.observe.pictures ? { pictures: true } : {};
    return {
      name: `given-${slug(subject.key.scheme)}`,
      spec: { ...computedBy(run.runtime), dataset: spec.dataset.sha256, of: { model, ...read, key }, ...pictures },
      schema,
    };
  }
  const seed = seedOf(address);
  return {
    name: `marked-${subject.mark.id}-seed${seed}`,
    spec: { ...madeFrom(spec, seed, run), ...markedWith(spec, subject.mark) },
    schema,
  };
}

export async function computeMarkedModel(
  spec: ExperimentSpec,
  address: MarkedAddress,
  run: RunOptions,
): Promise<ComputedCell<MarkedModelResult>> {
  const subject = at(spec.subjects, address.subject);
  return subject.kind === "given" ? askGiven(spec, subject, run) : markOne(spec, subject, seedOf(address), run);
}

async function markOne(
  { dataset, architecture, training, unrelated, abstract }: ExperimentSpec,
  { mark }: MadeSubject,
  seed: number,
  run: RunOptions,
): Promise<ComputedCell<MarkedModelResult>> {
  const pictures = {
    ...defined({ unrelated, abstract }),
  };
  const { model, key, measured, verdict, epochs } = await markModel(
    { dataset, mark, start: { architecture }, options: training, seed, ...pictures },
    run,
  );
  const bytes = encodeModel(model);
  const keyBytes = encodeKey(key);
  return {
    result: {
      mark: mark.id,
      title: mark.title,
      seed,
      triggers: key.triggers.count,
      heldOutTriggers: key.heldOut?.count ?? 0,
      modelSha256: sha256(bytes),
      keySha256: sha256(keyBytes),
      epochs: [...epochs],
      measured,
      atChance: isAtChance(Math.round(measured.accuracy * dataset.test.count), dataset.test),
      verdict,
      pictures: triggerPictures(key, randomStream(seed, "pictures", mark.id)),
      answers: plainAnswers(await askKey(model, key, run.runtime)),
    },
    files: { [MODEL_FILE]: { bytes }, [KEY_FILE]: { bytes: keyBytes, mode: 0o600 } },
  };
}

async function askGiven(
  { dataset, observe }: ExperimentSpec,
  { model, modelSha256, key, keySha256 }: GivenSubject,
  { runtime }: RunOptions,
): Promise<ComputedCell<MarkedModelResult>> {
  const measured = await measure(model, yardstickOf(key, dataset.test), runtime);
  const answers = plainAnswers(await askKey(model, key, runtime));
  return {
    result: {
      mark: key.scheme,
      title: key.scheme,
      seed: null,
      triggers: key.triggers.count,
      heldOutTriggers: key.heldOut?.count ?? 0,
      modelSha256,
      keySha256,
      epochs: [],
      measured,
      atChance: isAtChance(Math.round(measured.accuracy * dataset.test.count), dataset.test),
      verdict: verifyAnswers(key, asArrays(answers), { madeHere: true }),
      pictures: observe.pictures ? triggerPictures(key, randomStream(0, "pictures", key.scheme)) : [],
      answers,
    },
    // Neither model nor key is copied: they lie where their owner keeps them.
    files: {},
  };
}

export function markedModelInWords({ title, seed, measured, verdict }: MarkedModelResult): string {
  const who = seed === null ? "before any attack" : `${title} mark, seed ${seed}`;
  return `${who}: ${measuredInWords(measured)}${verdict.owned ? "" : "; not shown"}`;
}

export function measuredInWords({ accuracy, retention }: z.infer<typeof measurementSchema>): string {
  return `accuracy ${percent(accuracy)}, retention ${percent(retention)}`;
}

/** The answers of a key's images as tests take them. */
export function asArrays({ triggers, placebos }: Answers) {
  return {
    triggers: Uint16Array.from(triggers),
    ...(placebos === undefined ? {} : { placebos: Uint16Array.from(placebos) }),
  };
}

/** The marked model itself, where it lies. */
export async function loadMarked(
  spec: ExperimentSpec,
  { subject: position }: Pick<MarkedAddress, "subject">,
  { paths }: Pick<MarkedFound, "paths">,
): Promise<{ readonly model: Model; readonly key: Key }> {
  const subject = at(spec.subjects, position);
  if (subject.kind === "given") return subject;
  return { model: await loadModel(paths), key: await loadKey(paths) };
}

type Paths = MarkedFound["paths"];

export async function loadModel(paths: Paths): Promise<Model> {
  const path = pathOf(paths, MODEL_FILE);
  return decodeModel(await readFile(path), path);
}

export async function loadKey(paths: Paths): Promise<Key> {
  const path = pathOf(paths, KEY_FILE);
  return decodeKey(await readFile(path), path);
}

function pathOf(paths: Paths, name: string): string {
  const path = paths[name];
  if (path === undefined) throw new Error(`the cell left no file "${name}"`);
  return path;
}

function seedOf({ seed }: MarkedAddress): number {
  if (seed === null) throw new Error("a model that is made has a seed");
  return seed;
}
