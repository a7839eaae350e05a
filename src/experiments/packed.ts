/**
 * @file A spec as plain data: whole, for the processes that compute its cells; or without its data, as JSON for the
 * folder it is kept in. Records of registries go by their ids.
 */

import { z } from "zod";
import type { Dataset, Images } from "../data/dataset.js";
import { findArchitecture } from "../models/registry.js";
import type { Model } from "../onnx/model.js";
import { decodeKey, encodeKey } from "../ownership/key-file.js";
import { findMethod } from "../removal/registry.js";
import { reactivationSchema } from "../tasks/reactivation.js";
import { embedFromScratchOptions } from "../watermarks/embed.js";
import { findMark } from "../watermarks/registry.js";
import { experimentSchema } from "./document.js";
import type { ExperimentSpec, KnownSpec, KnownSubject, Subject } from "./spec.js";
import { defined } from "../core/defined.js";

const namedSchema = z.object({ id: z.string(), options: z.record(z.string(), z.unknown()) });

/** What of a spec is JSON once its records go by their ids: all but data, pictures and given subjects. */
export const askedSchema = z.object({
  statement: experimentSchema.shape.statement,
  title: z.string(),
  architecture: z.string(),
  training: embedFromScratchOptions,
  removers: z.array(z.object({ name: z.string(), chosen: namedSchema })),
  budgets: z.array(z.number()),
  seeds: z.array(z.int()),
  nullModels: z.array(z.int()),
  decision: z.object({ alpha: z.number(), acceptableDrop: z.number() }),
  observe: z.object({
    everyEpoch: z.boolean(),
    pictures: z.boolean(),
    reactivation: reactivationSchema.nullable(),
  }),
});

export type PackedAsked = z.infer<typeof askedSchema>;

export const madeSubjectSchema = z.object({ kind: z.literal("made"), name: z.string(), mark: namedSchema });

export function packAsked(spec: KnownSpec): PackedAsked {
  const { statement, title, architecture, training, budgets, seeds, nullModels, decision, observe } = spec;
  return {
    ...{ statement, title, training, decision, observe, architecture: architecture.id },
    removers: spec.removers.map(({ name, chosen }) => ({ name, chosen: named(chosen) })),
    ...{ budgets: [...budgets], seeds: [...seeds], nullModels: [...nullModels] },
  };
}

/** @throws WildmarkError `usage` if a record is not in its registry. */
export function unpackAsked({ architecture, removers, ...rest }: PackedAsked) {
  return {
    ...rest,
    architecture: findArchitecture(architecture),
    removers: removers.map(({ name, chosen }) => ({ name, chosen: findMethod(chosen.id).choose(chosen.options) })),
  };
}

export function packMade({ name, mark }: Extract<KnownSubject, { readonly kind: "made" }>) {
  return { kind: "made" as const, name, mark: named(mark) };
}

export function unpackMade({ name, mark }: z.infer<typeof madeSubjectSchema>) {
  return { kind: "made" as const, name, mark: findMark(mark.id).choose(mark.options) };
}

function named({ id, options }: { readonly id: string; readonly options: Readonly<Record<string, unknown>> }) {
  return { id, options: { ...options } };
}

type PackedSubject =
  | z.infer<typeof madeSubjectSchema>
  | (Omit<Extract<Subject, { readonly kind: "given" }>, "key"> & { readonly model: Model; readonly key: Uint8Array });

/** A spec with its data, for other processes. */
export interface PackedSpec {
  readonly asked: PackedAsked;
  readonly dataset: Dataset;
  readonly unrelated?: Images;
  readonly abstract?: Images;
  readonly subjects: readonly PackedSubject[];
}

export function packSpec(spec: ExperimentSpec): PackedSpec {
  const { dataset, unrelated, abstract } = spec;
  return {
    asked: packAsked(spec),
    dataset,
    ...defined({ unrelated, abstract }),
    subjects: spec.subjects.map((subject) =>
      subject.kind === "made" ? packMade(subject) : { ...subject, key: encodeKey(subject.key) },
    ),
  };
}

/** @throws WildmarkError `usage` if a record is not in its registry. */
export function unpackSpec({ asked, subjects, ...data }: PackedSpec): ExperimentSpec {
  return {
    ...unpackAsked(asked),
    ...data,
    subjects: subjects.map((subject) =>
      subject.kind === "made" ? unpackMade(subject) : { ...subject, key: decodeKey(subject.key, "the key") },
    ),
  };
}
