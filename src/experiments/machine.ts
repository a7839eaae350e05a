/** @file What a result document says of the machine and the model it comes from. */

import { arch, cpus, platform } from "node:os";
import type { Dataset } from "../data/dataset.js";
import { type Architecture, parameterCount as countOf } from "../models/registry.js";
import type { RuntimeOptions } from "../runtime/session.js";
import type { Result } from "./result.js";

/** @param threads all that compute at once */
export function thisMachine({ device = "cpu" }: RuntimeOptions, threads: number): Result["machine"] {
  return { platform: `${platform()} ${arch()}`, cpu: cpus()[0]?.model.trim() || "unknown", device, threads };
}

/** Number of weights of an architecture on a data set. */
export function parameterCount(architecture: Architecture, { train }: Dataset): number {
  return countOf(architecture, { ...train.shape, classes: train.classes });
}
