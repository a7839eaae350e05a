/** @file What a result document says of the software, machine, data and model it comes from. */

import { arch, cpus, platform } from "node:os";
import { WILDMARK_VERSION } from "../core/version.js";
import { type Architecture, parameterCount as countOf } from "../models/registry.js";
import { runtimeVersion } from "../runtime/onnxruntime.js";
import type { RuntimeOptions } from "../runtime/session.js";
import { autotuningOf } from "../runtime/autotuning/mode.js";
import type { ExperimentDocument } from "./document.js";
import type { DataFacts } from "./spec.js";

export function thisSoftware(): ExperimentDocument["software"] {
  return { wildmark: WILDMARK_VERSION, onnxruntime: runtimeVersion(), node: process.versions.node };
}

/** @param threads all that compute at once */
export function thisMachine(runtime: RuntimeOptions, threads: number): ExperimentDocument["machine"] {
  return {
    platform: `${platform()} ${arch()}`,
    cpu: cpus()[0]?.model.trim() || "unknown",
    device: runtime.device ?? "cpu",
    threads,
    tuning: `${autotuningOf(runtime)}${runtime.winograd === false ? ", without Winograd" : ""}`,
  };
}

/**
 * What of software and machine a cell's spec holds. Devices and lowerings differ in the last bits; results of one are
 * not taken for those of another. With `--autotuning off` nothing is said of it, as before there was a choice.
 */
export function computedBy(runtime: RuntimeOptions = {}) {
  const tuning = autotuningOf(runtime);
  return {
    versions: { wildmark: WILDMARK_VERSION, onnxruntime: runtimeVersion() },
    device: runtime.device ?? "cpu",
    ...(tuning === "off" ? {} : { tuning }),
    ...(runtime.winograd === false ? { winograd: false } : {}),
  };
}

interface Doubtful {
  readonly doubts?: readonly string[];
}

/** What a document says of its data; a doubt about pictures for marks is one about the data. */
export function dataSummary(setting: {
  readonly dataset: DataFacts;
  readonly unrelated?: Doubtful | undefined;
  readonly abstract?: Doubtful | undefined;
}): ExperimentDocument["data"] {
  const { id, title, train, test, sha256 } = setting.dataset;
  const { channels, height, width } = train.shape;
  const doubts = [setting.dataset, setting.unrelated, setting.abstract].flatMap((each) => each?.doubts ?? []);
  return {
    id,
    title,
    classes: train.classes,
    shape: [channels, height, width],
    trainCount: train.count,
    testCount: test.count,
    sha256,
    ...(doubts.length === 0 ? {} : { doubts }),
  };
}

/** Number of weights of an architecture on a data set. */
export function parameterCount(architecture: Architecture, { train }: Pick<DataFacts, "train">): number {
  return countOf(architecture, { ...train.shape, classes: train.classes });
}
