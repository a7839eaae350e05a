/** @file What a result document says of the machine and the model it comes from. */

import { arch, cpus, platform } from "node:os";
import { randomStream } from "../core/random.js";
import { elementCount } from "../core/tensor.js";
import type { Dataset } from "../data/dataset.js";
import type { Architecture } from "../models/registry.js";
import { type RuntimeOptions, threadsFromEnvironment } from "../runtime/session.js";
import type { Result } from "./result.js";

export function thisMachine(runtime: RuntimeOptions): Result["machine"] {
  const cores = cpus();
  return {
    platform: `${platform()} ${arch()}`,
    cpu: cores[0]?.model.trim() || "unknown",
    device: runtime.device ?? "cpu",
    threads: runtime.threads ?? threadsFromEnvironment() ?? Math.max(1, cores.length),
  };
}

/** Number of weights of an architecture on a data set. */
export function parameterCount(architecture: Architecture, { train }: Dataset): number {
  const graph = architecture.build({ ...train.shape, classes: train.classes }, randomStream(0, "init"));
  let count = 0;
  for (const tensor of graph.initializers.values()) if (tensor.type === "float32") count += elementCount(tensor.dims);
  return count;
}
