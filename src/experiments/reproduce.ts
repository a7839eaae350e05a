/**
 * @file The paper's experiment: train marked models, attack each with WILD and with the controls, measure, verify.
 *
 * Liu, Li, Wen, Li: "Removing Backdoor-Based Watermarks in Neural Networks with Limited Data", ICPR 2020, section 4.
 */

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { writeFileAtomic } from "../core/files.js";
import { silent } from "../core/progress.js";
import { WILDMARK_VERSION } from "../core/version.js";
import type { Dataset, Images } from "../data/dataset.js";
import { nestedSubset } from "../data/subset.js";
import type { Architecture } from "../models/registry.js";
import type { ChosenMethod } from "../removal/registry.js";
import { runtimeVersion } from "../runtime/session.js";
import type { EmbedOptions } from "../watermarks/embed.js";
import type { ChosenMark } from "../watermarks/registry.js";
import { imagesSha256, markedCell, removalCell, type Setting, unmarkedCell } from "./cells.js";
import { parameterCount, thisMachine } from "./machine.js";
import { RESULT_FORMAT, RESULT_VERSION, type Result } from "./result.js";
import type { RunOptions } from "./run-options.js";
import { type Cell, type FinishedCell, finishCell } from "./store.js";

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

export interface ReproduceOptions extends RunOptions {
  /** Folder for cells, models, keys; made if it does not exist. */
  readonly out: string;
  /** The command line that does this again, for the document. */
  readonly command: string;
}

/** Runs what is not finished in `options.out` and gathers everything into one result document. */
export async function reproduce(spec: ReproduceSpec, options: ReproduceOptions): Promise<Result> {
  const started = new Date();
  const start = performance.now();
  const { dataset, marks, removals, seeds, fraction } = spec;
  const { out, command, ...run } = options;
  const progress = run.progress ?? silent;
  const setting: Setting = { ...spec, unrelated: spec.unrelated };
  await mkdir(out, { recursive: true });
  await saveSubsets(spec, out);

  const total = seeds.length * (1 + marks.length * (1 + removals.length));
  let done = 0;
  /** How the next cell runs: its progress says which of them all it is. */
  const next = (what: string): RunOptions => ({ ...run, what: `[${done + 1}/${total}] ${what}` });
  const finish = async <R>(cell: Cell<R>, tell: (result: R) => string): Promise<FinishedCell<R>> => {
    const finished = await finishCell(join(out, "cells"), cell);
    done += 1;
    progress.note(`[${done}/${total}] ${tell(finished.result)}${finished.computed ? "" : " (found finished)"}`);
    return finished;
  };

  const unmarked: Result["unmarked"] = [];
  const marked: Result["marked"] = [];
  const removed: Result["removals"] = [];
  for (const seed of seeds) {
    const innocent = await finish(unmarkedCell(setting, seed, next("train without a mark")), (result) => {
      return `without a mark, seed ${seed}: accuracy ${percent(result.accuracy)}`;
    });
    unmarked.push(innocent.result);
    for (const mark of marks) {
      const owner = await finish(
        markedCell(setting, mark, seed, innocent.paths, next(`embed the ${mark.id} mark`)),
        (result) => `${mark.id} mark, seed ${seed}: ${describe(result)}`,
      );
      marked.push(owner.result);
      for (const method of removals) {
        const attack = await finish(
          removalCell(setting, mark, method, seed, owner.paths, next(`${method.label} against the ${mark.id} mark`)),
          (result) => `${mark.id} mark, seed ${seed}, after ${method.label}: ${describe(result)}`,
        );
        removed.push(attack.result);
      }
    }
  }

  const { shape, classes } = dataset.train;
  return {
    format: RESULT_FORMAT,
    version: RESULT_VERSION,
    kind: "reproduce",
    title: `WILD on ${dataset.title}`,
    command,
    started: started.toISOString(),
    finished: new Date().toISOString(),
    seconds: (performance.now() - start) / 1000,
    software: { wildmark: WILDMARK_VERSION, onnxruntime: runtimeVersion(), node: process.versions.node },
    machine: thisMachine(run.runtime ?? {}),
    data: {
      id: dataset.id,
      title: dataset.title,
      classes,
      shape: [shape.channels, shape.height, shape.width],
      trainCount: dataset.train.count,
      testCount: dataset.test.count,
      sha256: dataset.sha256,
    },
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
    removals: removed,
  };
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

function describe({ measured, verdict }: Result["removals"][number] | Result["marked"][number]): string {
  const shown = verdict.owned ? "mark shown" : "mark not shown";
  return `accuracy ${percent(measured.accuracy)}, retention ${percent(measured.retention)}, ${shown}`;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
