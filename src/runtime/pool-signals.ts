/** @file What a pool and its workers have in common: the memory that all threads see. */

/** A float32 tensor that all threads see. */
export interface SharedTensor {
  readonly name: string;
  readonly dims: readonly number[];
  readonly memory: SharedArrayBuffer;
}

export interface WorkerSetup {
  /** Bytes of an ONNX model. */
  readonly model: Uint8Array;
  readonly threads: number;
  readonly inputs: readonly SharedTensor[];
  readonly outputs: readonly SharedTensor[];
  /** An Int32Array of `SIGNALS` elements. */
  readonly signals: SharedArrayBuffer;
}

export const SIGNALS = 2;

/** How many runs the pool has been told to do; negative: to end. */
export const ORDERED = 0;

/** How many of its runs the worker has finished, whether well or not; the first is that it has loaded its model. */
export const FINISHED = 1;

/** A worker that failed says so, before it counts the run as finished. */
export interface WorkerFailure {
  readonly failed: string;
}

/**
 * Waits until a signal is no longer `value`: first by looking again and again, since whoever sleeps takes long to wake;
 * then asleep.
 *
 * @param spin milliseconds of looking.
 * @param sleep milliseconds of sleep at most.
 * @returns the signal, which is still `value` where the time was over.
 */
export function waitWhile(signals: Int32Array, signal: number, value: number, spin: number, sleep: number): number {
  const until = performance.now() + spin;
  while (Atomics.load(signals, signal) === value) {
    if (performance.now() < until) continue;
    Atomics.wait(signals, signal, value, sleep);
    break;
  }
  return Atomics.load(signals, signal);
}
