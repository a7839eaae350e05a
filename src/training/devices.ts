/**
 * @file Which device is quickest for a network: found out by trying, since a driver that is there says little.
 *
 * Small networks are often better off on the CPU beside a good GPU, and a software renderer calls itself a GPU too; so
 * each device runs the network itself. It does so in a process of its own: drivers that fail write to the terminal, or
 * end the process that called them.
 */

import { fork } from "node:child_process";
import { builtScript } from "../core/built.js";
import type { ImageShape } from "../core/image.js";
import { encodeModel, type Model } from "../onnx/model.js";
import { type Device, devices, type RuntimeOptions } from "../runtime/options.js";

/** What is going to run. */
export interface Workload {
  readonly model: Model;
  readonly shape: ImageShape;
  readonly classes: number;
  /** Whether it trains, or only answers. */
  readonly trains: boolean;
}

/** What the process of a trial is told. */
export interface TrialOrder extends Omit<Workload, "model"> {
  /** The model's file. */
  readonly bytes: Uint8Array;
  readonly preprocessing: Model["preprocessing"];
  readonly head: Model["head"];
  readonly options: RuntimeOptions;
}

/**
 * Milliseconds of a training step, or of answers to so many images; undefined where the device does not compute this
 * here.
 */
export interface DeviceTrial {
  readonly device: Device;
  readonly milliseconds: number | undefined;
}

/** Images in a step, and in a question. */
export const TRIAL_IMAGES = 64;

/** A trial that takes longer has lost. */
const PATIENCE_MS = 60_000;

/** Tries every device that ONNX Runtime can have, one after another. */
export async function tryDevices(
  { model, shape, classes, trains }: Workload,
  options: Omit<RuntimeOptions, "device"> = {},
): Promise<readonly DeviceTrial[]> {
  const { preprocessing, head } = model;
  const order = { bytes: encodeModel(model), preprocessing, head, shape, classes, trains };
  const trials: DeviceTrial[] = [];
  for (const device of devices) {
    trials.push({ device, milliseconds: await timeElsewhere({ ...order, options: { ...options, device } }) });
  }
  return trials;
}

/** The device whose trial took least; the CPU where none answered. */
export function quickest(trials: readonly DeviceTrial[]): Device {
  const time = (trial: DeviceTrial): number => trial.milliseconds ?? Number.POSITIVE_INFINITY;
  const [first] = trials.filter((trial) => Number.isFinite(time(trial))).toSorted((a, b) => time(a) - time(b));
  return first?.device ?? "cpu";
}

function timeElsewhere(order: TrialOrder): Promise<number | undefined> {
  const child = fork(builtScript("training/device-trial.js"), [], {
    stdio: ["ignore", "ignore", "ignore", "ipc"],
    serialization: "advanced",
  });
  const waiting = setTimeout(() => child.kill("SIGKILL"), PATIENCE_MS);
  return new Promise((resolve) => {
    child.on("message", (milliseconds) => {
      if (typeof milliseconds === "number") resolve(milliseconds);
    });
    child.on("error", () => resolve(undefined));
    child.on("exit", () => {
      clearTimeout(waiting);
      resolve(undefined);
    });
    child.send(order);
  });
}
