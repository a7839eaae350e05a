/**
 * @file What an experiment is asked: subjects × removers × budgets × seeds, on which data, judged by which rule.
 *
 * `reproduce`, `audit` and a bench's file are three statements of it (`statements/`). A spec with its data can be run;
 * what is known of a spec without them (`KnownSpec`) is enough to plan it and to find what is finished of it.
 */

import { createHash } from "node:crypto";
import { WildmarkError } from "../core/errors.js";
import { type Dataset, hashPixels, type Images, type LabelledImages } from "../data/dataset.js";
import type { Architecture } from "../models/registry.js";
import type { Model } from "../onnx/model.js";
import type { Key } from "../ownership/key.js";
import type { ChosenMethod } from "../removal/registry.js";
import type { Reactivation } from "../tasks/reactivation.js";
import type { MarkTraining } from "../watermarks/embed.js";
import type { ChosenMark } from "../watermarks/registry.js";
import type { ExperimentDocument } from "./document.js";
import type { Decision } from "./judgement.js";

/** A mark or remover under the name that figures and tables call it by; each name once. */
export interface Entry<Chosen> {
  readonly name: string;
  readonly chosen: Chosen;
}

/** One marked model a seed, trained by us. */
export interface MadeSubject {
  readonly kind: "made";
  readonly name: string;
  readonly mark: ChosenMark;
}

/** What is known of a given model without having it. */
export interface KnownGivenSubject {
  readonly kind: "given";
  readonly name: string;
  /** What model and key are called: their paths. */
  readonly files: { readonly model: string; readonly key: string };
  readonly modelSha256: string;
  /** Number of weights and constants that the model's file holds. */
  readonly parameters: number;
  /** How it is read, where something is said of it beside its bytes. */
  readonly read: { readonly preprocessing: string; readonly head?: string };
  readonly key: Key;
  readonly keySha256: string;
}

/** One file and its key, attacked with every seed. */
export interface GivenSubject extends KnownGivenSubject {
  readonly model: Model;
}

export type Subject = MadeSubject | GivenSubject;
export type KnownSubject = MadeSubject | KnownGivenSubject;

export interface Observe {
  /** Whether to measure accuracy and retention after each epoch of an attack. */
  readonly everyEpoch: boolean;
  /** Whether the document shows some triggers. */
  readonly pictures: boolean;
  /** How removals are followed up; null: not at all. */
  readonly reactivation: Reactivation | null;
}

interface Asked {
  /** Who asks: chooses the report's view, nothing else. */
  readonly statement: ExperimentDocument["statement"];
  readonly title: string;
  /** Of the models that are made. */
  readonly architecture: Architecture;
  /** How they are trained. */
  readonly training: MarkTraining;
  readonly removers: readonly Entry<ChosenMethod>[];
  /** The attacker's shares of the training set, ascending, each in (0, 1]. */
  readonly budgets: readonly number[];
  readonly seeds: readonly number[];
  /** Seeds of models that are trained without a mark. */
  readonly nullModels: readonly number[];
  readonly decision: Decision & { readonly acceptableDrop: number };
  readonly observe: Observe;
}

/** What a spec is about, with all that computing takes. */
export interface ExperimentSpec extends Asked {
  readonly dataset: Dataset;
  /** Images of another domain, for the marks that need them. */
  readonly unrelated?: Images;
  /** Pictures of the abstract mark; it draws its own if there are none. */
  readonly abstract?: Images;
  readonly subjects: readonly Subject[];
}

/** What must be known of data if nothing is computed. */
export interface DataFacts extends Pick<Dataset, "id" | "title" | "sha256" | "doubts"> {
  readonly train: Omit<LabelledImages, "pixels">;
  readonly test: Pick<LabelledImages, "count">;
}

/** What is known of images without having them. */
export interface HashedImages {
  /** `imagesSha256` */
  readonly sha256: string;
  /** None: those about what was hashed stand with the data set. */
  readonly doubts?: readonly string[];
}

/** A spec without its data. */
export interface KnownSpec extends Asked {
  readonly dataset: DataFacts;
  readonly unrelated?: Images | HashedImages;
  readonly abstract?: Images | HashedImages;
  readonly subjects: readonly KnownSubject[];
}

/** What tells one set of pictures from another; null if there is none. */
export function imagesSha256(images: Images | HashedImages | undefined): string | null {
  if (images === undefined) return null;
  if ("sha256" in images) return images.sha256;
  const hash = createHash("sha256");
  hashPixels(images, hash);
  return hash.digest("hex");
}

/** Which pictures some marks are made from, besides the data set. */
export function picturesNeeded(marks: readonly Pick<ChosenMark, "pictures">[]) {
  return {
    unrelated: marks.some(({ pictures }) => pictures === "unrelated"),
    abstract: marks.some(({ pictures }) => pictures === "abstract"),
  };
}

/** The marks that are made. */
export function marksOf({ subjects }: Pick<KnownSpec, "subjects">): readonly ChosenMark[] {
  return subjects.flatMap((subject) => (subject.kind === "made" ? [subject.mark] : []));
}

/** Whether the spec makes any model of its own. */
export function makesModels(spec: Pick<KnownSpec, "subjects" | "nullModels">): boolean {
  return spec.nullModels.length > 0 || marksOf(spec).length > 0;
}

/**
 * The attacker's shares of the training set unless others are asked for: what public protocols take (docs/methods.md).
 */
export const DEFAULT_BUDGETS: readonly number[] = [0.01, 0.05, 0.1];

/**
 * Each once, ascending.
 *
 * @throws WildmarkError `usage` if there is none, or one outside (0, 1].
 */
export function requireBudgets(budgets: readonly number[]): readonly number[] {
  const wrong = budgets.find((budget) => !(budget > 0 && budget <= 1));
  if (wrong === undefined && budgets.length > 0) return [...new Set(budgets)].sort((a, b) => a - b);
  const expected = "A budget is a share of the training data, above 0 and at most 1";
  throw new WildmarkError("usage", `${expected}; found ${wrong ?? "none"}.`, { hint: "1 % is 0.01." });
}

/** The seeds for null models: the experiment's own first, then those that follow the largest. */
export function nullModelSeeds(seeds: readonly number[], count: number): readonly number[] {
  const next = Math.max(...seeds) + 1;
  const more = Array.from({ length: Math.max(0, count - seeds.length) }, (_, i) => next + i);
  return [...seeds, ...more].slice(0, count);
}
