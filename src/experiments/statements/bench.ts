/** @file A bench's file on its data: every mark and every given model, under every remover, budget and seed. */

import { recipeFor } from "../../models/recipes.js";
import { findArchitecture, usualArchitecture } from "../../models/registry.js";
import { embedFromScratchOptionsOf } from "../../watermarks/embed.js";
import { type ExperimentSpec, type GivenSubject, type KnownSpec, nullModelSeeds } from "../spec.js";
import type { BenchFile } from "./bench-file.js";

type Data = "dataset" | "unrelated" | "abstract";

/**
 * The bench of a file on its data, or on what is known of them.
 *
 * @param given the models that the file lists, with their keys, in its order
 */
export function benchSpec(
  file: BenchFile,
  data: Pick<ExperimentSpec, Data>,
  given?: readonly GivenSubject[],
): ExperimentSpec;
export function benchSpec(file: BenchFile, data: Pick<KnownSpec, Data>): KnownSpec;
export function benchSpec(
  file: BenchFile,
  data: Pick<KnownSpec, Data>,
  given: readonly GivenSubject[] = [],
): KnownSpec {
  const { title, architecture: id, marks, removers, budgets, seeds, alpha, acceptableDrop } = file;
  const architecture = id === undefined ? usualArchitecture(data.dataset.train.shape) : findArchitecture(id);
  return {
    statement: "bench",
    title,
    ...data,
    architecture,
    training: embedFromScratchOptionsOf(recipeFor(architecture)).parse(file.training),
    subjects: [...marks.map(({ name, chosen }) => ({ kind: "made", name, mark: chosen }) as const), ...given],
    removers,
    budgets,
    seeds,
    nullModels: nullModelSeeds(seeds, file.nullModels),
    decision: { alpha, acceptableDrop },
    observe: { everyEpoch: file.everyEpoch, pictures: true, reactivation: file.reactivation ?? null },
  };
}
