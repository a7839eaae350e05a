/** @file The thread of one worker of a pool (`worker-pool.ts`). */

import { parentPort, workerData } from "node:worker_threads";
import { float32 } from "../core/tensor.js";
import {
  FINISHED,
  type WorkerFailure,
  type WorkerSetup,
  ORDERED,
  type SharedTensor,
  waitWhile,
} from "./pool-signals.js";
import { createSession } from "./session.js";

/** Longer than what lies between two steps of training. */
const SPIN_MS = 2;

const setup: WorkerSetup = workerData;
const signals = new Int32Array(setup.signals);

const mirrored = (tensors: readonly SharedTensor[]) =>
  tensors.map(({ name, dims, memory }) => {
    const shared = new Float32Array(memory);
    return { name, shared, tensor: float32(dims, new Float32Array(shared.length)) };
  });
const tensorsOf = (mirrors: ReturnType<typeof mirrored>) => new Map(mirrors.map(({ name, tensor }) => [name, tensor]));

async function serve(): Promise<void> {
  const session = await createSession(setup.model, { threads: setup.threads });
  const [inputs, outputs] = [mirrored(setup.inputs), mirrored(setup.outputs)];
  const [feeds, into] = [tensorsOf(inputs), tensorsOf(outputs)];
  let ordered = 0;
  for (;;) {
    Atomics.add(signals, FINISHED, 1);
    Atomics.notify(signals, FINISHED);
    ordered = waitWhile(signals, ORDERED, ordered, SPIN_MS, Number.POSITIVE_INFINITY);
    if (ordered < 0) break;
    for (const { shared, tensor } of inputs) tensor.data.set(shared);
    await session.run(feeds, into);
    for (const { shared, tensor } of outputs) shared.set(tensor.data);
  }
  await session.release();
}

try {
  await serve();
} catch (error) {
  const failed = error instanceof Error ? error.message : String(error);
  parentPort?.postMessage({ failed } satisfies WorkerFailure);
}
