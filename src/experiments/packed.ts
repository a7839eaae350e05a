/** @file Specs as plain data, for other processes: records of registries by name. */

import type { Dataset, Images } from "../data/dataset.js";
import { findArchitecture } from "../models/registry.js";
import { findMethod } from "../removal/registry.js";
import type { EmbedOptions } from "../watermarks/embed.js";
import { findMark } from "../watermarks/registry.js";
import type { ReproduceSpec } from "./reproduce.js";

export interface Named {
  readonly id: string;
  readonly options: Readonly<Record<string, unknown>>;
}

/** A spec without its functions. */
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

/** What of a record of a registry finds it again. */
export function named({ id, options }: Named): Named {
  return { id, options };
}

export function packSpec(spec: ReproduceSpec): PackedSpec {
  return {
    ...spec,
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
