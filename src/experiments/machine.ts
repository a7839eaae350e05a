/** @file What a result document says of the machine and the model it comes from. */

import { arch, cpus, platform } from "node:os";
import { randomStream } from "../core/random.js";
import { elementCount } from "../core/tensor.js";
import type { Dataset } from "../data/dataset.js";
import type { Architecture } from "../models/registry.js";
import type { RuntimeOptions } from "../runtime/session.js";
import type { Result } from "./result.js";

/** @param threads all that compute at once */
export function thisMachine({ device = "cpu" }: RuntimeOptions, threads: number): Result["machine"] {
  return { platform: `${platform()} ${arch()}`, cpu: cpus()[0]?.model.trim() || "unknown", device, threads };
}

/** Number of weights of an architecture on a data set. */
export function parameterCount(architecture: Architecture, { train }: Dataset): number {
  const graph = architecture.build({ ...train.shape, classes: train.classes }, randomStream(0, "init"));
  let count = 0;
  for (const tensor of graph.initializers.values()) if (tensor.type === "float32") count += elementCount(tensor.dims);
  return count;
}
