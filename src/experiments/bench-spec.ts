/** @file What a bench is asked, with its data: marks and removers to set against each other, how much data, which seeds. */

import type { Dataset, Images, LabelledImages } from "../data/dataset.js";
import { recipeFor } from "../models/recipes.js";
import { type Architecture, findArchitecture, usualArchitecture } from "../models/registry.js";
import { type ChosenMethod, findMethod } from "../removal/registry.js";
import { type EmbedOptions, embedFromScratchOptionsOf } from "../watermarks/embed.js";
import { type ChosenMark, findMark } from "../watermarks/registry.js";
import type { BenchFile, Entry } from "./bench-file.js";
import type { HashedImages } from "./cells.js";
import { type Named, named } from "./packed.js";
import type { Reactivation } from "../tasks/reactivation.js";

export interface BenchSpec
  extends Omit<BenchFile, "dataset" | "unrelated" | "architecture" | "training" | "unmarked" | "markPlaces"> {
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

/** What a bench must know of its data where nothing is computed. */
export interface DataFacts extends Pick<Dataset, "id" | "title" | "sha256" | "doubts"> {
  readonly train: Omit<LabelledImages, "pixels">;
  readonly test: Pick<LabelledImages, "count">;
}

/** A bench without its data: enough to plan it, and to find what is finished of it. */
export interface KnownBench extends Omit<BenchSpec, "dataset" | "unrelated" | "abstract"> {
  readonly dataset: DataFacts;
  readonly unrelated?: Images | HashedImages;
  readonly abstract?: Images | HashedImages;
}

/** The bench of a file on its data, or on what is known of them. */
export function benchSpec(file: BenchFile, data: Pick<BenchSpec, "dataset" | "unrelated" | "abstract">): BenchSpec;
export function benchSpec(file: BenchFile, data: Pick<KnownBench, "dataset" | "unrelated" | "abstract">): KnownBench;
export function benchSpec(file: BenchFile, data: Pick<KnownBench, "dataset" | "unrelated" | "abstract">): KnownBench {
  const { architecture: id, training, unmarked, unrelated: _, markPlaces: __, ...rest } = file;
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
