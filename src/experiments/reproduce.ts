/**
 * @file The paper's experiment: train marked models, attack each with WILD and with the controls, measure, verify.
 *
 * Liu, Li, Wen, Li: "Removing Backdoor-Based Watermarks in Neural Networks with Limited Data", ICPR 2020, section 4.
 */

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { writeFileAtomic } from "../core/files.js";
import type { Dataset, Images } from "../data/dataset.js";
import { nestedSubset } from "../data/subset.js";
import type { Architecture } from "../models/registry.js";
import type { ChosenMethod } from "../removal/registry.js";
import type { EmbedOptions } from "../watermarks/embed.js";
import type { ChosenMark } from "../watermarks/registry.js";
import { imagesSha256 } from "./cells.js";
import { reproduceExperiment } from "./experiment.js";
import { finishInnocent, finishMarked, finishRemoval, finishUnmarked } from "./finish-cells.js";
import { dataSummary, parameterCount, thisMachine, thisSoftware } from "./machine.js";
import { RESULT_FORMAT, RESULT_VERSION, type Result } from "./result.js";
import { type CellsOptions, cellRuntime, cellThreads, runCells } from "./run-cells.js";

export interface ReproduceSpec {
  readonly dataset: Dataset;
  readonly unrelated?: Images;
  readonly architecture: Architecture;
  readonly training: EmbedOptions;
  readonly marks: readonly ChosenMark[];
  readonly removals: readonly ChosenMethod[];
  /** The attacker's share of the training set, in (0, 1]. */
  readonly fraction: number;
  readonly seeds: readonly number[];
}

export interface ReproduceOptions extends CellsOptions {
  /** The command line that does this again, for the document. */
  readonly command: string;
}

/** Runs what is not finished in `options.out` and gathers everything into one result document. */
export async function reproduce(spec: ReproduceSpec, options: ReproduceOptions): Promise<Result> {
  const started = new Date();
  const start = performance.now();
  const { dataset, marks, seeds, fraction } = spec;
  await mkdir(options.out, { recursive: true });
  await saveSubsets(spec, options.out);
  const { unmarked, marked, removals } = await finishAll(spec, options);

  return {
    format: RESULT_FORMAT,
    version: RESULT_VERSION,
    kind: "reproduce",
    title: `WILD on ${dataset.title}`,
    command: options.command,
    started: started.toISOString(),
    finished: new Date().toISOString(),
    seconds: (performance.now() - start) / 1000,
    software: thisSoftware(),
    machine: thisMachine(options.runtime ?? {}, (options.jobs ?? 1) * cellThreads(options.runtime)),
    data: dataSummary(spec),
    architecture: {
      id: spec.architecture.id,
      title: spec.architecture.title,
      parameters: parameterCount(spec.architecture, dataset),
    },
    attacker: { fraction, images: subsetOf(spec, seeds[0] ?? 0).length },
    seeds: [...seeds],
    marks: marks.map((mark) => mark.id),
    spec: specDocument(spec),
    unmarked,
    marked,
    removals,
  };
}

/** All cells, side by side as far as jobs and what stands on what allow; results in the order of the plan. */
async function finishAll(
  spec: ReproduceSpec,
  options: ReproduceOptions,
): Promise<Pick<Result, "unmarked" | "marked" | "removals">> {
  const { marks, removals, seeds } = spec;
  await runCells(reproduceExperiment(spec), options, { goOn: false });
  const workshop = { spec, out: options.out, run: { runtime: cellRuntime(options.runtime) } };
  const unmarked: Result["unmarked"] = [];
  const marked: Result["marked"] = [];
  const removed: Result["removals"] = [];
  for (const seed of seeds) {
    unmarked.push((await finishUnmarked(workshop, seed)).result);
    for (const mark of marks.keys()) {
      const innocent = (await finishInnocent(workshop, seed, mark)).result;
      marked.push({ ...(await finishMarked(workshop, seed, mark)).result, innocent });
      for (const removal of removals.keys()) {
        removed.push((await finishRemoval(workshop, seed, mark, removal)).result);
      }
    }
  }
  return { unmarked, marked, removals: removed };
}

/** The part of a spec that stands in the result as it is: what one run and another of the same spec agree in. */
export function specDocument({ training, marks, removals, unrelated }: ReproduceSpec): Result["spec"] {
  return {
    training,
    marks: marks.map((mark) => ({ id: mark.id, options: mark.options })),
    removals: removals.map((method) => ({ id: method.id, label: method.label, options: method.options })),
    unrelated: imagesSha256(unrelated),
  };
}

/** The attacker's images of each seed, as indices into the training set: smaller budgets are prefixes of the same order. */
async function saveSubsets(spec: ReproduceSpec, out: string): Promise<void> {
  const subsets = spec.seeds.map((seed) => ({ seed, fraction: spec.fraction, indices: [...subsetOf(spec, seed)] }));
  const text = JSON.stringify({ dataset: spec.dataset.sha256, subsets });
  await writeFileAtomic(join(out, "subsets.json"), Buffer.from(`${text}\n`), { force: true });
}

function subsetOf({ dataset, fraction }: ReproduceSpec, seed: number): Uint32Array {
  return nestedSubset(dataset.train.labels, dataset.train.classes, fraction, seed);
}
