/** @file What the definitions of cells share: everything that a cell's result depends on, as JSON that is hashed. */

import { z } from "zod";
import type { ChosenMark } from "../../watermarks/registry.js";
import type { RunOptions } from "../../tasks/run-options.js";
import { computedBy } from "../machine.js";
import { imagesSha256, type KnownSpec } from "../spec.js";
import type { FinishedCell } from "../store.js";

/** Names of a cell's files. */
export const MODEL_FILE = "onnx";
export const KEY_FILE = "key.safetensors";

const classes = z.array(z.int().min(0));

/** What a model answered to a key's images: kept, so that verdicts can be drawn later, at any level. */
export const answersSchema = z.object({ triggers: classes, placebos: classes.optional() });
export type Answers = z.infer<typeof answersSchema>;

/** A finished cell that others start from: its hashes stand in their definitions, its files are what they read. */
export type Finished<Result> = Pick<FinishedCell<Result>, "result" | "paths">;
export type NullModelFound = { readonly seed: number } & Finished<{ readonly modelSha256: string }>;
export type MarkedFound = Finished<{ readonly modelSha256: string; readonly keySha256: string }>;

/** What every model that is made depends on. The order of keys is part of the hash: published cells rest on it. */
export function madeFrom({ dataset, architecture }: KnownSpec, seed: number, { runtime }: RunOptions) {
  return { ...computedBy(runtime), dataset: dataset.sha256, architecture: architecture.id, seed };
}

/** A mark, the pictures that it is made from, and how it is trained in. */
export function markedWith({ training, unrelated, abstract }: KnownSpec, { id, keptBy, pictures }: ChosenMark) {
  const images = {
    ...(pictures === "unrelated" ? { unrelated: imagesSha256(unrelated) } : {}),
    ...(pictures === "abstract" ? { abstract: imagesSha256(abstract) } : {}),
  };
  return { training, mark: { id, options: { ...keptBy }, ...images } };
}

export function plainAnswers(asked: { readonly triggers: Uint16Array; readonly placebos?: Uint16Array }): Answers {
  const { triggers, placebos } = asked;
  return { triggers: [...triggers], ...(placebos === undefined ? {} : { placebos: [...placebos] }) };
}

/** "wild-js" of "WILD-JS" */
export function slug(label: string): string {
  return label
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replaceAll(/^-|-$/g, "");
}
