/**
 * @file How far an experiment is, and how long the rest may take: from what is finished, else from a few steps tried
 * now.
 */

import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { randomStream } from "../core/random.js";
import { median } from "../core/summary.js";
import { accuracy } from "../data/answers.js";
import { select } from "../data/dataset.js";
import { imageFeed } from "../data/feed.js";
import { cleanView } from "../data/views.js";
import { newModel } from "../models/registry.js";
import { type TrainedEpoch, trainEpochs } from "../training/epochs.js";
import { crossEntropyObjective } from "../training/objective.js";
import { sgdPlan } from "../training/options.js";
import { cellFolder, findCells, type Place } from "./cells.js";
import { isClaimed } from "./claims.js";
import type { CellAddress, Plan, PlannedCell } from "./plan.js";
import type { KnownSpec } from "./spec.js";

/** Seconds that each finished cell of the plan took, by its position. */
export type FinishedSeconds = ReadonlyMap<number, number>;

export async function finishedSeconds(place: Place<KnownSpec>, { cells }: Plan): Promise<FinishedSeconds> {
  const found = findCells(place);
  const seconds = new Map<number, number>();
  for (const { address, position } of cells) {
    const cell = await found.at(address);
    if (cell !== undefined) seconds.set(position, cell.seconds);
  }
  return seconds;
}

/** Names of the cells that living processes are computing in a folder. */
export async function cellsUnderWay(out: string): Promise<string[]> {
  const folder = cellFolder(out);
  const names: string[] = [];
  for (const file of await readdir(folder).catch((): string[] => [])) {
    if (file.endsWith(".claim") && (await isClaimed(join(folder, file)))) {
      names.push(file.replace(/-[0-9a-f]{12}\.claim$/, ""));
    }
  }
  return names.sort();
}

/**
 * What an estimate rests on: finished cells of the same kind; the pace of other finished cells; the pace of a few steps
 * that were tried for it; or nothing, where a method does not say how many steps it takes.
 */
export type Grounds = "same kind" | "pace" | "calibration" | "unknown";

export interface Estimate {
  /** Undefined where it is unknown. */
  readonly seconds: number | undefined;
  readonly grounds: Grounds;
}

/** How fast this machine is, with the threads of one cell. */
export interface Pace {
  /** One training step of 64 images. */
  readonly secondsPerStep: number;
  /** Answering one image. */
  readonly secondsPerAnswer: number;
}

/** Estimates for the cells that are not finished, by position. */
export function estimateCells(
  spec: KnownSpec,
  { cells }: Plan,
  finished: FinishedSeconds,
  calibrated: Pace | undefined,
): ReadonlyMap<number, Estimate> {
  const done = cells.flatMap((cell) => {
    const seconds = finished.get(cell.position);
    return seconds === undefined ? [] : [{ ...cell, seconds }];
  });
  const paces = done.filter(({ steps }) => steps > 0).map(({ seconds, steps }) => seconds / steps);
  const estimateOf = (cell: PlannedCell): Estimate => {
    const alike = done.filter((other) => kindOf(other.address) === kindOf(cell.address));
    const [some] = alike;
    if (some !== undefined) {
      // A small budget for a large one: by their steps, where they have any.
      const scaled = alike.map((other) => {
        return other.steps > 0 ? (other.seconds * cell.steps) / other.steps : other.seconds;
      });
      const exact = alike.filter((other) => other.steps === cell.steps).map(({ seconds }) => seconds);
      return { seconds: median(exact.length > 0 ? exact : scaled), grounds: "same kind" };
    }
    if (cell.steps > 0 && paces.length > 0) return { seconds: cell.steps * median(paces), grounds: "pace" };
    if (cell.steps > 0 && calibrated !== undefined) {
      const seconds =
        cell.steps * calibrated.secondsPerStep + answersOf(spec, cell.address) * calibrated.secondsPerAnswer;
      return { seconds, grounds: "calibration" };
    }
    return { seconds: undefined, grounds: "unknown" };
  };
  const left = cells.filter(({ position }) => !finished.has(position));
  return new Map(left.map((cell) => [cell.position, estimateOf(cell)]));
}

/** Cells of one kind take alike, but for their budgets. */
function kindOf(address: CellAddress): string {
  switch (address.kind) {
    case "attack":
      return `attack ${address.remover}`;
    case "marked-model":
      return `marked ${address.subject}`;
    default:
      return address.kind;
  }
}

/** Images that measuring asks the model about: after each epoch of an attack, else once. */
function answersOf({ dataset, removers }: KnownSpec, address: CellAddress): number {
  const epochs = address.kind === "attack" ? removers[address.remover]?.chosen.options.epochs : 0;
  return (1 + (typeof epochs === "number" ? epochs : 0)) * dataset.test.count;
}

const TRIED = { batch: 64, steps: 6, answers: 512 };

/** Tries a few steps of training and a few hundred answers. */
export async function calibrate({ spec, run }: Place): Promise<Pace> {
  const { dataset, architecture, training } = spec;
  const { train, test } = dataset;
  const model = newModel(architecture, { ...train.shape, classes: train.classes }, 0);
  const some = (images: typeof train, count: number) => select(images, [...images.labels.keys()].slice(0, count));
  const feed = imageFeed(some(train, TRIED.steps * TRIED.batch), {
    batch: TRIED.batch,
    views: [cleanView],
    random: randomStream(0, "calibrate"),
  });
  // The first epoch compiles and warms up; the second is timed.
  const plan = sgdPlan({ ...training, epochs: 2, batch: TRIED.batch }, crossEntropyObjective());
  let last: TrainedEpoch | undefined;
  const { checkpoint: _, ...trial } = run;
  for await (const epoch of trainEpochs(model, plan, feed, trial)) last = epoch;
  const asked = some(test, TRIED.answers);
  await accuracy(model, asked, run.runtime);
  const start = performance.now();
  await accuracy(model, asked, run.runtime);
  return {
    secondsPerStep: (last?.seconds ?? 0) / feed.stepsPerEpoch,
    secondsPerAnswer: (performance.now() - start) / 1000 / asked.count,
  };
}
