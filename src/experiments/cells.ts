/**
 * @file The cells of an experiment: train without a mark, train with one, remove it. Each is a pure function of its spec.
 */

import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { z } from "zod";
import { randomStream } from "../core/random.js";
import { type Dataset, hashPixels, type Images } from "../data/dataset.js";
import type { Architecture } from "../models/registry.js";
import { decodeModel, encodeModel, type Model } from "../onnx/model.js";
import { decodeKey, encodeKey, type Key } from "../ownership/key.js";
import { verifyModel } from "../ownership/verify-model.js";
import type { ChosenMethod } from "../removal/registry.js";
import type { EmbedOptions } from "../watermarks/embed.js";
import type { ChosenMark } from "../watermarks/registry.js";
import { computedBy } from "./machine.js";
import { markModel } from "../tasks/mark-model.js";
import { measure, yardstickOf } from "../tasks/measure.js";
import { triggerPictures } from "../tasks/trigger-pictures.js";
import { removeMark } from "../tasks/remove-mark.js";
import type { ReproduceSpec } from "./reproduce.js";
import { innocentSchema, markedCellSchema, removalSchema, unmarkedSchema } from "./result.js";
import type { RunOptions } from "../tasks/run-options.js";
import { type Cell, type CellIdentity, type FinishedCell, sha256 } from "./store.js";
import { trainModel } from "../tasks/train-model.js";

/** What all cells of one experiment share. */
export interface Setting {
  readonly dataset: Dataset;
  /** Images of another domain, for marks that need them. */
  readonly unrelated?: Images;
  /** Pictures of the abstract mark; it draws its own where there are none. */
  readonly abstract?: Images;
  readonly architecture: Architecture;
  readonly training: EmbedOptions;
}

/** What is known of images without having them. */
export interface HashedImages {
  /** `imagesSha256` */
  readonly sha256: string;
  /** None: those about what was hashed stand with the data set. */
  readonly doubts?: readonly string[];
}

/** What of a setting tells its cells apart: enough to find those that are finished, without any data. */
export interface KnownSetting extends Pick<Setting, "architecture" | "training"> {
  readonly dataset: Pick<Dataset, "sha256">;
  readonly unrelated?: Images | HashedImages;
  readonly abstract?: Images | HashedImages;
}

/** Names of a cell's files. */
const MODEL = "onnx";
const KEY = "key.safetensors";

type Paths = Readonly<Record<string, string>>;

export function unmarkedIdentity(
  setting: KnownSetting,
  seed: number,
  run: RunOptions,
): CellIdentity<z.infer<typeof unmarkedSchema>> {
  const { triggersPerBatch: _, ...options } = setting.training;
  return {
    name: `unmarked-seed${seed}`,
    spec: { ...commonSpec(setting, seed, run), training: options },
    schema: unmarkedSchema,
  };
}

export function unmarkedCell(setting: Setting, seed: number, run: RunOptions): Cell<z.infer<typeof unmarkedSchema>> {
  const { dataset, architecture } = setting;
  const { triggersPerBatch: _, ...options } = setting.training;
  return {
    ...unmarkedIdentity(setting, seed, run),
    async compute() {
      const trained = await trainModel({ dataset, architecture, seed, options }, run);
      const bytes = encodeModel(trained.model);
      const { accuracy, epochs } = trained;
      return {
        result: { seed, accuracy, epochs: [...epochs], modelSha256: sha256(bytes) },
        files: { [MODEL]: { bytes } },
      };
    },
  };
}

export function markedIdentity(
  setting: KnownSetting,
  mark: ChosenMark,
  seed: number,
  run: RunOptions,
): CellIdentity<z.infer<typeof markedCellSchema>> {
  return {
    name: `marked-${mark.id}-seed${seed}`,
    spec: { ...commonSpec(setting, seed, run), ...markedSpec(setting, mark) },
    schema: markedCellSchema,
  };
}

export function markedCell(
  setting: Setting,
  mark: ChosenMark,
  seed: number,
  run: RunOptions,
): Cell<z.infer<typeof markedCellSchema>> {
  const { dataset, architecture, training, unrelated, abstract } = setting;
  return {
    ...markedIdentity(setting, mark, seed, run),
    async compute() {
      const pictures = {
        ...(unrelated === undefined ? {} : { unrelated }),
        ...(abstract === undefined ? {} : { abstract }),
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
          verdict,
          pictures: triggerPictures(key, randomStream(seed, "pictures", mark.id)),
        },
        files: { [MODEL]: { bytes }, [KEY]: { bytes: keyBytes, mode: 0o600 } },
      };
    },
  };
}

/** A finished cell that others start from: its hashes stand in their specs, its files are what they read. */
type Finished<Result> = Pick<FinishedCell<Result>, "result" | "paths">;
type Suspect = Finished<{ readonly modelSha256: string }>;
export type Owner = Finished<{ readonly modelSha256: string; readonly keySha256: string }>;

/**
 * The key tried on a model that was trained without any mark.
 *
 * @param suspect the model of the same seed without a mark.
 * @param owner the marked model and its key.
 */
export function innocentCell(
  setting: Setting,
  mark: ChosenMark,
  seed: number,
  suspect: Suspect,
  owner: Owner,
  run: RunOptions,
): Cell<z.infer<typeof innocentSchema>> {
  return {
    name: `innocent-${mark.id}-seed${seed}`,
    spec: {
      ...commonSpec(setting, seed, run),
      ...markedSpec(setting, mark),
      of: { model: suspect.result.modelSha256, key: owner.result.keySha256 },
    },
    schema: innocentSchema,
    async compute() {
      const model = await loadModel(suspect.paths);
      const key = await loadKey(owner.paths);
      const measured = await measure(model, yardstickOf(key, setting.dataset.test), run.runtime);
      return { result: { measured, verdict: await verifyModel(model, key, { ...run, madeHere: true }) }, files: {} };
    },
  };
}

/** @param owner the marked model and its key, as `markedCell` left them. */
export function removalCell(
  setting: Setting & Pick<ReproduceSpec, "fraction">,
  mark: ChosenMark,
  method: ChosenMethod,
  seed: number,
  owner: Owner,
  run: RunOptions,
): Cell<z.infer<typeof removalSchema>> {
  const { dataset, fraction } = setting;
  return {
    name: `removed-${mark.id}-${slug(method.label)}-seed${seed}`,
    spec: {
      ...commonSpec(setting, seed, run),
      ...markedSpec(setting, mark),
      of: { model: owner.result.modelSha256, key: owner.result.keySha256 },
      fraction,
      removal: { method: method.id, options: { ...method.options } },
    },
    schema: removalSchema,
    async compute() {
      const model = await loadModel(owner.paths);
      const key = await loadKey(owner.paths);
      const cleaned = await removeMark({ model, dataset, method, fraction, seed, key }, run);
      if (cleaned.mark === undefined) throw new Error("a removal that was given a key measured no mark");
      const bytes = encodeModel(cleaned.model);
      return {
        result: {
          mark: mark.id,
          seed,
          method: method.id,
          title: method.label,
          control: method.control,
          options: { ...method.options },
          epochs: [...cleaned.epochs],
          measured: cleaned.mark.after,
          verdict: cleaned.mark.verdict,
          seconds: cleaned.seconds,
          modelSha256: sha256(bytes),
        },
        files: { [MODEL]: { bytes } },
      };
    },
  };
}

/** What every cell depends on. */
function commonSpec({ dataset, architecture }: KnownSetting, seed: number, { runtime }: RunOptions) {
  return { ...computedBy(runtime), dataset: dataset.sha256, architecture: architecture.id, seed };
}

function markedSpec({ training, unrelated, abstract }: KnownSetting, { id, keptBy, needsUnrelated }: ChosenMark) {
  const images = {
    ...(needsUnrelated ? { unrelated: imagesSha256(unrelated) } : {}),
    ...(id === "abstract" ? { abstract: imagesSha256(abstract) } : {}),
  };
  return { training, mark: { id, options: { ...keptBy }, ...images } };
}

/** What tells one set of unrelated images from another; null where there is none. */
export function imagesSha256(images: Images | HashedImages | undefined): string | null {
  if (images === undefined) return null;
  if ("sha256" in images) return images.sha256;
  const hash = createHash("sha256");
  hashPixels(images, hash);
  return hash.digest("hex");
}

export async function loadModel(paths: Paths): Promise<Model> {
  const path = pathOf(paths, MODEL);
  return decodeModel(await readFile(path), path);
}

export async function loadKey(paths: Paths): Promise<Key> {
  const path = pathOf(paths, KEY);
  return decodeKey(await readFile(path), path);
}

function pathOf(paths: Paths, name: string): string {
  const path = paths[name];
  if (path === undefined) throw new Error(`the cell left no file "${name}"`);
  return path;
}

export function slug(label: string): string {
  return label
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replaceAll(/^-|-$/g, "");
}
