/** @file Where graphs run, and with how many threads: what every function that computes is told. */

import { WildmarkError } from "../core/errors.js";
import type { Autotuning } from "./autotuning/mode.js";

/**
 * `webgpu` uses the first adapter that ONNX Runtime finds, `cuda` the first card where its CUDA provider is installed.
 */
export const devices = ["cpu", "webgpu", "cuda"] as const;

/** Where graphs run. */
export type Device = (typeof devices)[number];

export interface RuntimeOptions {
  readonly device?: Device;
  /** Threads of one operator; default `WILDMARK_THREADS`, else ONNX Runtime's choice (the physical cores). */
  readonly threads?: number;
  /** How the lowerings of training graphs are chosen; default `WILDMARK_AUTOTUNING`, else `off` (`autotuningOf`). */
  readonly autotuning?: Autotuning;
  /**
   * Whether wide convolutions of 3×3 are trained with fewer multiplications (Winograd), which round a little more;
   * default true.
   */
  readonly winograd?: boolean;
}

/**
 * How one graph is loaded. Not with the engine, so that the types of whoever uses Wildmark hold none of ONNX Runtime's.
 */
export interface EngineOptions extends RuntimeOptions {
  /** Outputs that stay in the device's memory; only `webgpu` can do that from here. Default: none. */
  readonly onDevice?: readonly string[];
  /** Runs node after node as the graph has them: nothing folded, fused or laid out anew. Default: false. */
  readonly asWritten?: boolean;
}

/** `WILDMARK_THREADS` as a number, or undefined where it is not set. */
export function threadsFromEnvironment(): number | undefined {
  const text = process.env.WILDMARK_THREADS;
  if (text === undefined || text === "") return undefined;
  const threads = Number(text);
  if (!Number.isInteger(threads) || threads < 1 || threads > 1024) {
    throw new WildmarkError("usage", `WILDMARK_THREADS is "${text}"; expected a whole number from 1 to 1024.`);
  }
  return threads;
}
