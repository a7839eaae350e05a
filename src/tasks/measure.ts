/** @file Measures a model from outside: clean accuracy on the test set, retention on the key's triggers. */

import { accuracy } from "../data/answers.js";
import type { LabelledImages } from "../data/dataset.js";
import type { Model } from "../onnx/model.js";
import type { Key } from "../ownership/key.js";
import { heldOutTriggersOf, triggersOf } from "../ownership/key-images.js";
import type { Stage } from "../removal/method.js";
import type { RuntimeOptions } from "../runtime/session.js";
import type { EpochRecord, Measurement } from "./records.js";
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
 * @param announce gets each record as it comes, epoch 0 (the given model) first.
 */
export async function runEpochs(
  start: Model,
  epochs: AsyncIterable<Stage>,
  look: (model: Model) => Promise<Measurement | undefined>,
  announce: (record: EpochRecord) => void = () => {},
): Promise<MeasuredRun> {
  const records: EpochRecord[] = [];
  const record = (next: EpochRecord): void => {
    records.push(next);
    announce(next);
  };
  record({ epoch: 0, seconds: 0, ...measuredAs(await look(start)) });
  let model = start;
  let seconds = 0;
  for await (const epoch of epochs) {
    model = epoch.model();
    seconds += epoch.seconds;
    const { model: _, ...counted } = epoch;
    record({ ...counted, ...measuredAs(await look(model)) });
  }
  return { model, epochs: records, seconds };
}

function measuredAs(measured: Measurement | undefined): { measured?: Measurement } {
  return measured === undefined ? {} : { measured };
}
