/** @file The training loop: what it yields, what it feeds, and how it ends. */

import { describe, expect, test } from "vitest";
import { randomStream } from "../core/random.js";
import { type FloatTensor, float32 } from "../core/tensor.js";
import { imageFeed } from "../data/feed.js";
import { cleanView } from "../data/views.js";
import { encodeModel, type Model } from "../onnx/model.js";
import { type Feed, type TrainedEpoch, type TrainingOptions, type TrainingPlan, trainEpochs } from "./epochs.js";
import { crossEntropyObjective } from "./objective.js";
import { scheduleFactor } from "./schedule.js";
import { tinyImages, tinyModel } from "./testing/tiny.js";

const plan: TrainingPlan = {
  objective: crossEntropyObjective(),
  optimizer: { kind: "sgd", momentum: 0.9, nesterov: false, weightDecay: 0 },
  learningRate: 0.1,
  schedule: { kind: "exponential", factor: 0.5 },
  epochs: 3,
  train: "all",
  batchNorm: "train",
};

const feedOf = (count: number): Feed =>
  imageFeed(tinyImages(count), { batch: 8, views: [cleanView], random: randomStream(0) });

async function collect(epochs: AsyncIterable<TrainedEpoch>): Promise<TrainedEpoch[]> {
  const records: TrainedEpoch[] = [];
  for await (const epoch of epochs) records.push(epoch);
  return records;
}

describe("ordinary training", () => {
  test("yields one record an epoch, numbered from 1, at the schedule's rate, and learns", async () => {
    const records = await collect(
      trainEpochs(tinyModel(), { ...plan, epochs: 25, schedule: { kind: "constant" } }, feedOf(64)),
    );
    expect(records.map(({ epoch }) => epoch)).toEqual(Array.from({ length: 25 }, (_, i) => i + 1));
    expect(records.at(-1)?.loss).toBeLessThan(0.5 * (records[0]?.loss ?? 0));
    for (const { seconds } of records) expect(seconds).toBeGreaterThan(0);
  });

  test.each([
    { kind: "exponential", factor: 0.5 },
    { kind: "cosine", floor: 0.1 },
    { kind: "one-cycle", warmup: 0.25, start: 0.04 },
  ] as const)("$kind: a record tells the rate of its last step", async (schedule) => {
    const feed = feedOf(24);
    const records = await collect(trainEpochs(tinyModel(), { ...plan, schedule }, feed));
    const steps = feed.stepsPerEpoch;
    expect(records.map(({ learningRate }) => learningRate)).toEqual(
      [1, 2, 3].map((epoch) => 0.1 * scheduleFactor(schedule, epoch * steps - 1, steps, 3)),
    );
  });

  test("a loss that is added is asked in every step, with the weights as they are, and counts", async () => {
    const asked: string[] = [];
    const seen: number[] = [];
    const feed = feedOf(16);
    const added: TrainingPlan["added"] = async (epoch, step, weights) => {
      asked.push(`${epoch}:${step}`);
      const bias = (await weights()).get("fc2.bias");
      seen.push(bias?.data[0] ?? Number.NaN);
      if (bias === undefined || step === 1) return undefined;
      return { loss: 10, gradients: new Map([["fc2.bias", float32(bias.dims, [1, 0, 0, 0])]]) };
    };
    const alone = await collect(trainEpochs(tinyModel(), { ...plan, epochs: 1 }, feed));
    const records = await collect(trainEpochs(tinyModel(), { ...plan, epochs: 2, added }, feed));
    expect(asked).toEqual(["1:0", "1:1", "2:0", "2:1"]);
    // Ten more in one of the two steps.
    expect((records[0]?.loss ?? 0) - (alone[0]?.loss ?? 0)).toBeCloseTo(5, 1);
    expect(new Set(seen).size).toBe(4);
    expect(Math.min(...seen)).toBe(seen[3]);
  });

  test("asks the feed for every step of every epoch, in order, and tells the progress", async () => {
    const asked: string[] = [];
    const told: string[] = [];
    const feed = feedOf(20);
    const watched: Feed = {
      ...feed,
      fill(epoch, step, images, targets) {
        asked.push(`${epoch}:${step}`);
        feed.fill(epoch, step, images, targets);
      },
    };
    const update = (what: string, done: number, total: number): void => {
      told.push(`${what} ${done}/${total}`);
    };
    const options = { what: "tiny", progress: { update, note: () => {} } };
    await collect(trainEpochs(tinyModel(), { ...plan, epochs: 2 }, watched, options));
    expect(asked).toEqual(["1:0", "1:1", "1:2", "2:0", "2:1", "2:2"]);
    expect(told).toEqual([1, 2, 3, 4, 5, 6].map((done) => `tiny ${done}/6`));
  });

  test("the model it gives is the given one with other weights; the given one is not touched", async () => {
    const model = tinyModel({ batchNorm: true });
    const before = encodeModel(model).slice();
    const trained: Uint8Array[] = [];
    for await (const epoch of trainEpochs(model, plan, feedOf(16))) {
      const next = epoch.model();
      expect(next.metadata).toEqual(model.metadata);
      expect(next.graph.inputs).toEqual(model.graph.inputs);
      expect(next.graph.outputs).toEqual(model.graph.outputs);
      expect(next.graph.nodes).toEqual(model.graph.nodes);
      trained.push(encodeModel(next));
    }
    expect(encodeModel(model)).toEqual(before);
    expect(new Set([before, ...trained].map((bytes) => Buffer.from(bytes).toString("base64"))).size).toBe(4);
  });

  test("same plan and feed: same bytes", async () => {
    const [first, second] = [await lastModel(), await lastModel()];
    expect(first).toEqual(second);
  });
});

async function lastModel(): Promise<Uint8Array> {
  const records = await collect(trainEpochs(tinyModel(), plan, feedOf(16)));
  return encodeModel(records.at(-1)?.model() ?? tinyModel());
}

describe("before each step", () => {
  const rounds = { ...plan, epochs: 2 };
  const bytesAfter = async (model: Model, chosen: TrainingPlan, feed: Feed): Promise<Uint8Array> => {
    const records = await collect(trainEpochs(model, chosen, feed));
    return encodeModel(records.at(-1)?.model() ?? model);
  };

  test("weights may be replaced: the step starts from them", async () => {
    const other = tinyModel({ seed: 5, batchNorm: true });
    const replaced: TrainingPlan = {
      ...rounds,
      async beforeStep({ epoch, step, replace }) {
        if (epoch > 1 || step > 0) return;
        replace(
          new Map([...other.graph.initializers].flatMap(([name, t]) => (t.type === "float32" ? [[name, t]] : []))),
        );
      },
    };
    const start = tinyModel({ batchNorm: true });
    expect(await bytesAfter(start, replaced, feedOf(16))).toEqual(await bytesAfter(other, rounds, feedOf(16)));
  });

  test("its input may be changed, and the weights are those of the moment", async () => {
    const seen: string[] = [];
    const norms: number[] = [];
    const dimmed: TrainingPlan = {
      ...rounds,
      async beforeStep({ epoch, step, images, targets, weights }) {
        seen.push(`${epoch}:${step}`);
        norms.push(Math.hypot(...((await weights()).get("fc2.weight")?.data ?? [])));
        images.forEach((value, i) => {
          images[i] = value / 2;
        });
        expect(targets.length).toBe(8 * 4);
      },
    };
    const feed = feedOf(16);
    const halved: Feed = {
      ...feed,
      fill(epoch, step, images, targets) {
        feed.fill(epoch, step, images, targets);
        images.forEach((value, i) => {
          images[i] = value / 2;
        });
      },
    };
    expect(await bytesAfter(tinyModel(), dimmed, feed)).toEqual(await bytesAfter(tinyModel(), rounds, halved));
    expect(seen).toEqual(["1:0", "1:1", "2:0", "2:1"]);
    expect(new Set(norms).size).toBe(4);
  });
});

test("the last layer alone moves when asked for", async () => {
  const model = tinyModel();
  const [record] = await collect(trainEpochs(model, { ...plan, epochs: 1, train: "last-layer" }, feedOf(16)));
  for (const [name, tensor] of record?.model().graph.initializers ?? []) {
    const before = model.graph.initializers.get(name) as FloatTensor;
    if (name.startsWith("fc2")) expect(tensor.data, name).not.toEqual(before.data);
    else expect(tensor.data, name).toEqual(before.data);
  }
});

describe("how it ends", () => {
  test("an objective that is no longer finite: numeric, saying where and at which rate", async () => {
    const wild = { ...plan, learningRate: 1e30, schedule: { kind: "constant" } } as const;
    await expect(collect(trainEpochs(tinyModel(), wild, feedOf(64)))).rejects.toMatchObject({
      code: "numeric",
      message: expect.stringMatching(
        /objective became (NaN|-?Infinity) in step \d+ of epoch \d+ at learning rate 1\.00e\+30/,
      ),
      hint: expect.stringMatching(/Lower the learning rate.*--clip-ratio/),
    });
  });

  test.each([0, 4])("a signal that fires after %i steps: interrupted before the next one", async (steps) => {
    const controller = new AbortController();
    let done = 0;
    const options: TrainingOptions = {
      signal: controller.signal,
      progress: {
        update: () => {
          done += 1;
          if (done === steps) controller.abort();
        },
        note: () => {},
      },
    };
    if (steps === 0) controller.abort();
    await expect(collect(trainEpochs(tinyModel(), plan, feedOf(24), options))).rejects.toMatchObject({
      code: "interrupted",
    });
    expect(done).toBe(steps);
  });

  test("a consumer that stops early ends the loop", async () => {
    const feed = feedOf(16);
    let filled = 0;
    const counted: Feed = {
      ...feed,
      fill(...args) {
        filled += 1;
        feed.fill(...args);
      },
    };
    for await (const { epoch } of trainEpochs(tinyModel(), plan, counted)) if (epoch === 1) break;
    expect(filled).toBe(feed.stepsPerEpoch);
  });

  test("a feature tensor that the model does not compute: usage, naming it", async () => {
    const wrong = trainEpochs(tinyModel(), { ...plan, features: "nowhere" }, feedOf(16));
    await expect(collect(wrong)).rejects.toMatchObject({
      code: "usage",
      message: expect.stringContaining('"nowhere"'),
    });
  });
});
