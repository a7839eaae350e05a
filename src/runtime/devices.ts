/**
 * @file Which devices compute here, and which one is quickest: found out by trying, since a driver that is there says little.
 *
 * Each is asked for one product of two matrices, so that a software renderer that calls itself a GPU loses, as it should. It
 * is asked in a process of its own: drivers that fail write to the terminal, or end the process that called them.
 */

import { fork } from "node:child_process";
import { builtScript } from "../core/built.js";
import { type Device, devices, type RuntimeOptions } from "./options.js";

/** Milliseconds of the product; undefined where the device does not compute here. */
export interface DeviceTrial {
  readonly device: Device;
  readonly milliseconds: number | undefined;
}

/** A trial that takes longer has lost. */
const PATIENCE_MS = 30_000;

/** Tries every device that ONNX Runtime can have, one after another. */
export async function tryDevices(options: Omit<RuntimeOptions, "device"> = {}): Promise<readonly DeviceTrial[]> {
  const trials: DeviceTrial[] = [];
  for (const device of devices) trials.push({ device, milliseconds: await timeElsewhere({ ...options, device }) });
  return trials;
}

/** The device whose trial took least; the CPU where none answered. */
export function quickest(trials: readonly DeviceTrial[]): Device {
  const time = (trial: DeviceTrial): number => trial.milliseconds ?? Number.POSITIVE_INFINITY;
  const [first] = trials.filter((trial) => Number.isFinite(time(trial))).toSorted((a, b) => time(a) - time(b));
  return first?.device ?? "cpu";
}

function timeElsewhere(options: RuntimeOptions): Promise<number | undefined> {
  const script = builtScript("runtime/device-trial.js");
  const child = fork(script, [JSON.stringify(options)], { stdio: ["ignore", "ignore", "ignore", "ipc"] });
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
  });
}
