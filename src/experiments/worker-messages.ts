/** @file What passes between the thread that directs an experiment and those that compute its cells: plain data. */

import type { ErrorCode } from "../core/errors.js";
import type { Dataset, Images } from "../data/dataset.js";
import { shareable } from "../data/pixels.js";
import { findArchitecture } from "../models/registry.js";
import { findMethod } from "../removal/registry.js";
import type { RuntimeOptions } from "../runtime/session.js";
import type { EmbedOptions } from "../watermarks/embed.js";
import { findMark } from "../watermarks/registry.js";
import type { PackedExperiment } from "./experiment.js";
import type { ReproduceSpec } from "./reproduce.js";

export interface Named {
  readonly id: string;
  readonly options: Readonly<Record<string, unknown>>;
}

/** A spec without its functions: records of registries by name. */
export interface PackedSpec {
  readonly dataset: Dataset;
  readonly unrelated?: Images;
  readonly architecture: string;
  readonly training: EmbedOptions;
  readonly marks: readonly Named[];
  readonly removals: readonly Named[];
  readonly fraction: number;
  readonly seeds: readonly number[];
}

export interface WorkerSetup {
  readonly experiment: PackedExperiment;
  readonly out: string;
  readonly runtime: RuntimeOptions;
}

export type ToWorker =
  | { readonly kind: "compute"; readonly position: number }
  /** Leave the cell in hand at the next step. */
  | { readonly kind: "stop" };

export type FromWorker =
  | { readonly kind: "progress"; readonly done: number; readonly total: number }
  | { readonly kind: "finished"; readonly computed: boolean }
  | {
      readonly kind: "failed";
      readonly message: string;
      readonly stack: string | undefined;
      /** Of a failure that Wildmark foresees. */
      readonly known: { readonly code: ErrorCode; readonly hint: string | undefined } | undefined;
    };

/** A data set as it goes to another thread: pixels are shared, not copied. */
export function packDataset(dataset: Dataset): Dataset {
  return { ...dataset, train: visible(dataset.train), test: visible(dataset.test) };
}

function visible<T extends Images>(images: T): T {
  return { ...images, pixels: shareable(images.pixels) };
}

export function packSpec(spec: ReproduceSpec): PackedSpec {
  const named = ({ id, options }: Named): Named => ({ id, options });
  const { dataset, unrelated } = spec;
  return {
    ...spec,
    dataset: packDataset(dataset),
    ...(unrelated === undefined ? {} : { unrelated: visible(unrelated) }),
    architecture: spec.architecture.id,
    marks: spec.marks.map(named),
    removals: spec.removals.map(named),
  };
}

/** @throws WildmarkError `usage` where a record is not in its registry. */
export function unpackSpec(packed: PackedSpec): ReproduceSpec {
  return {
    ...packed,
    architecture: findArchitecture(packed.architecture),
    marks: packed.marks.map(({ id, options }) => findMark(id).choose(options)),
    removals: packed.removals.map(({ id, options }) => findMethod(id).choose(options)),
  };
}
