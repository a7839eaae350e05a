/** @file The flag that says how many cells of an experiment are computed side by side. */

import { availableParallelism } from "node:os";
import { z } from "zod";
import { cellThreads } from "../experiments/run-cells.js";
import type { RuntimeOptions } from "../runtime/session.js";

/** Each job holds a copy of the data and of a model in training: more than this is seldom worth its memory. */
const MOST_BY_DEFAULT = 8;

export const jobsFlag = {
  jobs: z
    .int()
    .min(1)
    .max(256)
    .optional()
    .meta({ description: "cells computed side by side (default: one for each core, at most 8)", placeholder: "N" }),
};

/** As many as the cores hold, with the threads that each is given; a GPU is not shared. */
export function chosenJobs(jobs: number | undefined, runtime: RuntimeOptions): number {
  if (jobs !== undefined) return jobs;
  if (runtime.device !== undefined && runtime.device !== "cpu") return 1;
  return Math.max(1, Math.min(MOST_BY_DEFAULT, Math.floor(availableParallelism() / cellThreads(runtime))));
}
