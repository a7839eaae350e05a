/** @file What a result document says of the software, machine, data and model it comes from. */

import { arch, cpus, platform } from "node:os";
import { WILDMARK_VERSION } from "../core/version.js";
import type { Dataset } from "../data/dataset.js";
import { type Architecture, parameterCount as countOf } from "../models/registry.js";
import { type RuntimeOptions, runtimeVersion } from "../runtime/session.js";
import type { Result } from "./result.js";

export function thisSoftware(): Result["software"] {
  return { wildmark: WILDMARK_VERSION, onnxruntime: runtimeVersion(), node: process.versions.node };
}

/** @param threads all that compute at once */
export function thisMachine({ device = "cpu" }: RuntimeOptions, threads: number): Result["machine"] {
  return { platform: `${platform()} ${arch()}`, cpu: cpus()[0]?.model.trim() || "unknown", device, threads };
}

export function dataSummary({ id, title, train, test, sha256 }: Dataset): Result["data"] {
  const { channels, height, width } = train.shape;
  return {
    id,
    title,
    classes: train.classes,
    shape: [channels, height, width],
    trainCount: train.count,
    testCount: test.count,
    sha256,
  };
}

/** Number of weights of an architecture on a data set. */
export function parameterCount(architecture: Architecture, { train }: Dataset): number {
  return countOf(architecture, { ...train.shape, classes: train.classes });
}
