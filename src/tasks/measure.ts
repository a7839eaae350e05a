/** @file Measures a model from outside: clean accuracy on the test set, retention on the key's triggers. */

import { accuracy } from "../data/answers.js";
import type { LabelledImages } from "../data/dataset.js";
import type { Model } from "../onnx/model.js";
import type { Key } from "../ownership/key.js";
import { heldOutTriggersOf, triggersOf } from "../ownership/key-images.js";
import type { Stage } from "../removal/method.js";
import type { RuntimeOptions } from "../runtime/session.js";
import type { EpochRecord, Measurement } from "./records.js";
import type { RunOptions } from "./run-options.js";
import { defined } from "../core/defined.js";

/** What a model is measured on. */
export interface Yardstick {
  readonly test: LabelledImages;
  readonly triggers: LabelledImages;
  readonly heldOut?: LabelledImages;
}

/** The yardstick of whoever holds the key. */
export function yardstickOf(key: Key, test: LabelledImages): Yardstick {
  const heldOut = heldOutTriggersOf(key);
  return { test, triggers: triggersOf(key), ...defined({ heldOut }) };
}

export async function measure(model: Model, yardstick: Yardstick, runtime: RuntimeOptions = {}): Promise<Measurement> {
  const { test, triggers, heldOut } = yardstick;
  return {
    accuracy: await accuracy(model, test, runtime),
    retention: await accuracy(model, triggers, runtime),
    ...(heldOut === undefined ? {} : { heldOutRetention: await accuracy(model, heldOut, runtime) }),
  };
}

export interface MeasuredRun {
  /** The model after the last epoch. */
  readonly model: Model;
  readonly epochs: readonly EpochRecord[];
  /** Time spent in the epochs, measuring excluded. */
  readonly seconds: number;
}

/**
 * Runs all epochs, measuring after each with `look`; the last epoch's model is the result.
 *
 * @param run.onEpoch gets each record as it comes, epoch 0 (the given model) first; what another process has recorded,
 *   as the checkpoint tells, is neither measured again nor announced.
 */
export async function runEpochs(
  start: Model,
  epochs: AsyncIterable<Stage>,
  look: (model: Model) => Promise<Measurement | undefined>,
  { onEpoch = () => {}, checkpoint }: Pick<RunOptions, "onEpoch" | "checkpoint"> = {},
): Promise<MeasuredRun> {
  const journal = checkpoint?.journal();
  const records: EpochRecord[] = [];
  const record = async ({ model, ...counted }: Stage): Promise<void> => {
    const known = journal?.known[records.length];
    const next = known ?? { ...counted, ...measuredAs(await look(model())) };
    records.push(next);
    if (known !== undefined) return;
    journal?.add(next);
    onEpoch(next);
  };
  await record({ epoch: 0, seconds: 0, model: () => start });
  let last: Pick<Stage, "model"> = { model: () => start };
  for await (const epoch of epochs) {
    await record(epoch);
    last = epoch;
  }
  return { model: last.model(), epochs: records, seconds: records.reduce((sum, { seconds }) => sum + seconds, 0) };
}

function measuredAs(measured: Measurement | undefined): { measured?: Measurement } {
  return measured === undefined ? {} : { measured };
}
