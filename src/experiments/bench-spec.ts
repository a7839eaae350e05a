/** @file What a bench is asked, with its data: marks and removers to set against each other, how much data, which seeds. */

import type { Dataset, Images } from "../data/dataset.js";
import { recipeFor } from "../models/recipes.js";
import { type Architecture, findArchitecture, usualArchitecture } from "../models/registry.js";
import { type ChosenMethod, findMethod } from "../removal/registry.js";
import { type EmbedOptions, embedFromScratchOptionsOf } from "../watermarks/embed.js";
import { type ChosenMark, findMark } from "../watermarks/registry.js";
import type { BenchFile, Entry } from "./bench-file.js";
import { type Named, named } from "./packed.js";
import type { Reactivation } from "./reactivation.js";

export interface BenchSpec extends Omit<BenchFile, "dataset" | "unrelated" | "architecture" | "training" | "unmarked"> {
  readonly dataset: Dataset;
  /** Images of another domain, for the marks that need them. */
  readonly unrelated?: Images;
  /** Pictures of the abstract mark; it draws its own where there are none. */
  readonly abstract?: Images;
  readonly architecture: Architecture;
  readonly training: EmbedOptions;
  /** Of the models trained without a mark. */
  readonly unmarkedSeeds: readonly number[];
}

/** The bench of a file on its data. */
export function benchSpec(file: BenchFile, data: Pick<BenchSpec, "dataset" | "unrelated" | "abstract">): BenchSpec {
  const { architecture: id, training, unmarked, unrelated: _, ...rest } = file;
  const architecture = id === undefined ? usualArchitecture(data.dataset.train.shape) : findArchitecture(id);
  return {
    ...rest,
    ...data,
    architecture,
    training: embedFromScratchOptionsOf(recipeFor(architecture)).parse(training),
    unmarkedSeeds: unmarkedSeeds(file.seeds, unmarked),
  };
}

/** The bench's own seeds first, then those that follow the largest. */
function unmarkedSeeds(seeds: readonly number[], count: number): number[] {
  const next = Math.max(...seeds) + 1;
  const more = Array.from({ length: Math.max(0, count - seeds.length) }, (_, i) => next + i);
  return [...seeds, ...more].slice(0, count);
}

type PackedEntry = { readonly name: string; readonly chosen: Named };

/** A spec as plain data, for other processes. */
export interface PackedBench extends Omit<BenchSpec, "architecture" | "marks" | "removers"> {
  readonly architecture: string;
  readonly marks: readonly PackedEntry[];
  readonly removers: readonly PackedEntry[];
  readonly reactivation: Reactivation | undefined;
}

export function packBench({ architecture, marks, removers, ...rest }: BenchSpec): PackedBench {
  const packed = ({ name, chosen }: Entry<Named>): PackedEntry => ({ name, chosen: named(chosen) });
  return { ...rest, architecture: architecture.id, marks: marks.map(packed), removers: removers.map(packed) };
}

/** @throws WildmarkError `usage` where a record is not in its registry. */
export function unpackBench({ architecture, marks, removers, ...rest }: PackedBench): BenchSpec {
  return {
    ...rest,
    architecture: findArchitecture(architecture),
    marks: marks.map(({ name, chosen: { id, options } }): Entry<ChosenMark> => {
      return { name, chosen: findMark(id).choose(options) };
    }),
    removers: removers.map(({ name, chosen: { id, options } }): Entry<ChosenMethod> => {
      return { name, chosen: findMethod(id).choose(options) };
    }),
  };
}
