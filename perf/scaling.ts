/** @file How cost grows with the batch and with the data: the same work in three sizes each, run in turns. */

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { median } from "../src/core/summary.js";
import { lenetSteps, type Prepared, resnetSteps, type Setting, wildEpochs } from "./cases.js";
import { type Contestant, race, type Turns } from "./contest.js";

interface Series {
  readonly title: string;
  /** What the sizes count. */
  readonly of: string;
  readonly unit: string;
  readonly sizes: readonly number[];
  prepare(setting: Setting, size: number): Promise<Prepared>;
}

const series: readonly Series[] = [
  {
    title: "LeNet-5, WILD step",
    of: "clean images in a batch",
    unit: "step",
    sizes: [32, 64, 128],
    prepare: (setting, size) => lenetSteps(setting, "wild", size),
  },
  {
    title: "ResNet-18 of width 16, step",
    of: "images in a batch",
    unit: "step",
    sizes: [32, 64, 128],
    prepare: (setting, size) => resnetSteps(setting, 16, size),
  },
  {
    title: "LeNet-5, WILD epoch and evaluation of 10,000 test images",
    of: "share of the training images",
    unit: "epoch",
    sizes: [0.05, 0.1, 0.2],
    prepare: wildEpochs,
  },
];

export interface ScalingResult {
  readonly title: string;
  readonly of: string;
  readonly unit: string;
  readonly points: readonly {
    readonly size: number;
    readonly median: number;
    readonly milliseconds: readonly number[];
  }[];
}

export async function* runScaling(setting: Setting, turns: Turns): AsyncGenerator<ScalingResult> {
  for (const { title, of, unit, sizes, prepare } of series) {
    const contestants = new Map<number, Contestant>();
    try {
      for (const size of sizes) {
        const folder = join(setting.folder, `size-${size}`);
        await mkdir(folder, { recursive: true });
        const contestant = await (await prepare({ ...setting, folder }, size)).wildmark();
        contestants.set(size, contestant);
        await contestant.check();
      }
      const times = await race(contestants, turns);
      const points = [...times].map(([size, milliseconds]) => ({ size, median: median(milliseconds), milliseconds }));
      yield { title, of, unit, points };
    } finally {
      for (const contestant of contestants.values()) await contestant.release();
    }
  }
}
