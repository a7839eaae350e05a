/**
 * @file A run that is stopped after any epoch, and done again with the file that it left, ends with the same bytes and
 * records as one that never was.
 */

import { mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { makeDataset } from "../data/dataset.js";
import { findArchitecture } from "../models/registry.js";
import { encodeModel, type Model, modelSha256 } from "../onnx/model.js";
import { findMethod } from "../removal/registry.js";
import { tinyImages } from "../training/testing/tiny.js";
import { embedFromScratchOptions } from "../watermarks/embed.js";
import { findMark } from "../watermarks/registry.js";
import { attackModel } from "./attack-model.js";
import { openCheckpoint } from "./checkpoint.js";
import { markModel } from "./mark-model.js";
import { yardstickOf } from "./measure.js";
import type { EpochRecord } from "./records.js";
import type { RunOptions } from "./run-options.js";
import { trainModel, trainOptions } from "./train-model.js";

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "wildmark-checkpoint-"));
  path = join(folder, "run.training");
});
afterEach(() => rm(folder, { recursive: true, force: true }));

interface Outcome {
  readonly model: Model;
  readonly epochs: readonly EpochRecord[];
}

/** Everything but times. */
const told = ({ model, epochs }: Outcome) => ({
  sha256: modelSha256(encodeModel(model)),
  epochs: epochs.map(({ seconds: _, ...record }) => record),
});

/** What ends a run at once, as killing its process would: what it has not written is lost. */
class Killed extends Error {}

/** The run, killed each time that it has trained so many more epochs, until it ends. */
async function killedAgainAndAgain(work: (run: RunOptions) => Promise<Outcome>, after: number) {
  const computed: number[] = [];
  for (let attempt = 0; attempt < 40; attempt++) {
    const checkpoint = await openCheckpoint(path, { identity: "the run", every: 0 });
    let seen = 0;
    const onEpoch = ({ epoch }: EpochRecord): void => {
      computed.push(epoch);
      seen += 1;
      if (seen > after) throw new Killed();
    };
    try {
      const outcome = await work({ runtime: { threads: 1 }, checkpoint, onEpoch });
      await checkpoint.remove();
      return { outcome, computed, attempts: attempt + 1 };
    } catch (error) {
      if (!(error instanceof Killed)) throw error;
    }
  }
  throw new Error("it never ends");
}

const images = tinyImages(48, { channels: 3, side: 16 });
const dataset = makeDataset({
  id: "tiny",
  title: "tiny",
  train: images,
  test: tinyImages(24, { channels: 3, side: 16 }),
});
const architecture = findArchitecture("vgg-2");
const shared = { epochs: 4, batch: 16, learningRate: 0.05 };

describe("training", () => {
  test.each([
    ["SGD with momentum, batch normalisation", {}],
    ["Adam, whose corrections depend on the step", { optimizer: "adam" }],
    ["Muon", { optimizer: "muon" }],
    ["a moving average", { average: "ema:0.9" }],
    ["lookahead", { average: "lookahead:2" }],
    ["weights that stay after two epochs", { freeze: "features.0.weight@2", average: "ema:0.9" }],
    ["augmentation", { augment: "shift-alternate" }],
  ])("%s", async (_, changes) => {
    const options = trainOptions.parse({ ...shared, ...changes });
    const work = (run: RunOptions) => trainModel({ dataset, architecture, seed: 3, options }, run);
    const whole = await work({ runtime: { threads: 1 } });
    const { outcome, computed, attempts } = await killedAgainAndAgain(work, 2);
    expect(told(outcome)).toEqual(told(whole));
    expect(attempts).toBeGreaterThan(1);
    // Nothing that was written is trained again.
    expect(new Set(computed).size).toBe(5);
    expect(computed.length).toBeLessThanOrEqual(5 + attempts);
    expect(await readdir(folder)).toEqual([]);
  });
});

describe("marks and removals, whose runs are several trainings", () => {
  test.each(["content", "entangled", "margin-based", "function-coupled"])("a mark: %s", async (id) => {
    const mark = findMark(id).choose({ triggers: 8, heldOut: 4 });
    const options = embedFromScratchOptions.parse({ ...shared, epochs: 3, triggersPerBatch: 2 });
    const work = (run: RunOptions) => markModel({ dataset, mark, start: { architecture }, options, seed: 2 }, run);
    const whole = await work({ runtime: { threads: 1 } });
    const { outcome, attempts } = await killedAgainAndAgain(work, 2);
    expect(told(outcome)).toEqual(told(whole));
    expect(attempts).toBeGreaterThan(1);
  });

  test.each([
    ["wild", {}],
    ["nad", { teacherEpochs: 3 }],
    ["fine-pruning", {}],
    ["weight-decay", { strongEpochs: 2 }],
  ])("a removal: %s", async (id, options) => {
    const mark = findMark("content").choose({ triggers: 8, heldOut: 4 });
    const training = embedFromScratchOptions.parse({ ...shared, epochs: 2, triggersPerBatch: 2 });
    const marked = await markModel({ dataset, mark, start: { architecture }, options: training, seed: 2 });
    const method = findMethod(id).choose({ epochs: 4, batch: 16, ...options });
    const work = (run: RunOptions) =>
      attackModel(
        { model: marked.model, dataset, method, fraction: 0.5, seed: 5 },
        run,
        yardstickOf(marked.key, dataset.test),
      );
    const whole = await work({ runtime: { threads: 1 } });
    const { outcome, attempts } = await killedAgainAndAgain(work, 3);
    expect(told(outcome)).toEqual(told(whole));
    expect(attempts).toBeGreaterThan(1);
  });
});

describe("the file", () => {
  const options = trainOptions.parse(shared);
  const work = (run: RunOptions) => trainModel({ dataset, architecture, seed: 3, options }, run);
  async function stopped(identity: unknown): Promise<void> {
    const controller = new AbortController();
    const checkpoint = await openCheckpoint(path, { identity, drawn: "a secret", every: 0 });
    const onEpoch = ({ epoch }: EpochRecord) => (epoch === 3 ? controller.abort() : undefined);
    await expect(work({ checkpoint, signal: controller.signal, onEpoch })).rejects.toMatchObject({
      code: "interrupted",
    });
  }

  test.skipIf(process.platform === "win32")("is its owner's alone", async () => {
    await stopped({ seed: 1 });
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  test("gives back what was drawn, to the same run only", async () => {
    await stopped({ seed: 1 });
    const same = await openCheckpoint(path, { identity: { seed: 1 }, drawn: "another" });
    expect([same.found, same.drawn]).toEqual(["this run", "a secret"]);
    expect(same.training.next().saved?.epochs.map(({ epoch }) => epoch)).toEqual([1, 2, 3]);
    expect(same.journal().known.map(({ epoch }) => epoch)).toEqual([0, 1, 2, 3]);
    const other = await openCheckpoint(path, { identity: { seed: 2 }, drawn: "another" });
    expect([other.found, other.drawn]).toEqual(["another run", "another"]);
    expect(other.training.next().saved).toBeUndefined();
    expect(other.journal().known).toEqual([]);
  });

  test("is told from other files, and from none", async () => {
    expect((await openCheckpoint(path, { identity: 1 })).found).toBe("nothing");
    await writeFile(path, "notes of mine");
    expect((await openCheckpoint(path, { identity: 1 })).found).toBe("another file");
  });

  test("is not written before its time", async () => {
    const checkpoint = await openCheckpoint(path, { identity: 1, every: 1000 });
    await work({ checkpoint });
    expect(await readdir(folder)).toEqual([]);
  });
});
