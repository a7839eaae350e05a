/** @file Devices are tried on the network itself, in a process that is told no more than it needs. */

import { expect, test } from "vitest";
import { quickest, tryDevices } from "./devices.js";
import { tinyModel } from "./testing/tiny.js";

const model = tinyModel({ side: 28, classes: 10 });
const shape = { channels: 1, height: 28, width: 28 };

test.each([true, false])("the CPU runs a network that it can run (training: %s)", async (trains) => {
  // What a caller's object holds besides does not travel: this could not.
  const work = { model, shape, classes: 10, trains, secret: () => "key" };
  const trials = await tryDevices(work, { threads: 1 });
  expect(trials.map(({ device }) => device)).toEqual(["cpu", "webgpu", "cuda"]);
  expect(trials[0]?.milliseconds).toBeGreaterThan(0);
});

test("a network that no device runs has no times, and the CPU is left", async () => {
  const trials = await tryDevices({ model, shape: { ...shape, width: 5 }, classes: 10, trains: true });
  expect(trials.map(({ milliseconds }) => milliseconds)).toEqual([undefined, undefined, undefined]);
  expect(quickest(trials)).toBe("cpu");
});

test("the least time wins", () => {
  const trial = (device: "cpu" | "webgpu" | "cuda", milliseconds: number | undefined) => ({ device, milliseconds });
  expect(quickest([trial("cpu", 5), trial("webgpu", 3), trial("cuda", undefined)])).toBe("webgpu");
});
