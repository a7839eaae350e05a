/** @file Rules for some of the weights: which they are for, and what becomes of those weights in training. */

import { describe, expect, test } from "vitest";
import { at } from "../core/lists.js";
import { randomStream } from "../core/random.js";
import type { FloatTensor } from "../core/tensor.js";
import { imageFeed } from "../data/feed.js";
import { cleanView } from "../data/views.js";
import type { Model } from "../onnx/model.js";
import { trainEpochs } from "./epochs.js";
import { crossEntropyObjective } from "./objective.js";
import { scratchShape, sgdPlan, sgdShape } from "./options.js";
import { tinyImages, tinyModel } from "./testing/tiny.js";
import {
  freezeText,
  freezing,
  parseFreeze,
  parseRates,
  type RuledWeight,
  ratesText,
  treatmentsBy,
} from "./weight-rules.js";
import { z } from "zod";

const weights: readonly RuledWeight[] = [
  { name: "conv1.weight", kind: "kernels" },
  { name: "conv1.bias", kind: "biases" },
  { name: "layer.conv2.weight", kind: "kernels" },
  { name: "layer.mean", kind: "statistic" },
  { name: "fc.weight", kind: "head" },
  { name: "fc.bias", kind: "head" },
];
const sgd = { kind: "sgd", momentum: 0.9, nesterov: false, weightDecay: 0.01 } as const;

describe("what rules say", () => {
  test("texts are read, and refused", () => {
    expect(parseRates("biases=0.5, layer4.*=1e-3")).toEqual([
      { of: "biases", rate: 0.5 },
      { of: "layer4.*", rate: 1e-3 },
    ]);
    expect(parseFreeze("conv1.weight,stem.bias@3")).toEqual([
      { of: "conv1.weight", after: 0 },
      { of: "stem.bias", after: 3 },
    ]);
    expect(parseRates("")).toEqual([]);
    for (const text of ["biases", "biases=", "=1", "biases=0", "biases=-1", "biases=x", "a=1,", "a=Infinity"]) {
      expect(ratesText.safeParse(text).success, text).toBe(false);
    }
    for (const text of ["a@0", "a@", "a@1.5", "@2", "a,,b", "a@1@2"]) {
      expect(freezeText.safeParse(text).success, text).toBe(false);
    }
  });

  test.each([
    ["kernels", ["conv1.weight", "layer.conv2.weight"]],
    ["biases", ["conv1.bias"]],
    ["head", ["fc.weight", "fc.bias"]],
    ["layer.*", ["layer.conv2.weight", "layer.mean"]],
    ["*.weight", ["conv1.weight", "layer.conv2.weight", "fc.weight"]],
    ["conv1.bias", ["conv1.bias"]],
    ["*", weights.map(({ name }) => name)],
  ])("%s", (of, names) => {
    expect([...freezing({ freeze: [{ of, after: 0 }] }, weights).keys()]).toEqual(names);
  });

  test("a rule that is for no weight is refused, and a point is a point", () => {
    for (const of of ["conv3.weight", "conv1xweight", "Kernels"]) {
      expect(() => freezing({ freeze: [{ of, after: 0 }] }, weights)).toThrow(
        expect.objectContaining({ code: "usage", message: expect.stringContaining(of) }),
      );
    }
  });

  test("of several rates the last counts; decay takes the same share of all; what moves alike is one", () => {
    const rates = parseRates("kernels=0.2,conv1.weight=0.4,biases=0.4");
    const found = treatmentsBy({ rates }, { optimizer: sgd, learningRate: 0.1 }, weights);
    expect(found.get("layer.conv2.weight")).toEqual({ rate: 2, optimizer: { ...sgd, weightDecay: 0.005 } });
    expect(found.get("conv1.weight")).toEqual({ rate: 4, optimizer: { ...sgd, weightDecay: 0.0025 } });
    expect(found.get("conv1.bias")).toBe(found.get("conv1.weight"));
    expect(found.has("fc.weight")).toBe(false);
  });
});

describe("in training", () => {
  const images = tinyImages(24);
  const options = z.strictObject({
    ...sgdShape({ epochs: 3, batch: 8, learningRate: 0.05, schedule: "constant", weightDecay: 0 }),
    ...scratchShape({ decayOn: "all", labelSmoothing: 0 }),
  });
  const start = tinyModel({ batchNorm: true });

  async function epochsOf(
    given: z.input<typeof options>,
    model: Model = start,
  ): Promise<ReadonlyMap<string, FloatTensor>[]> {
    const chosen = options.parse(given);
    const feed = imageFeed(images, { batch: chosen.batch, views: [cleanView], random: randomStream(1) });
    const found: ReadonlyMap<string, FloatTensor>[] = [];
    for await (const epoch of trainEpochs(model, sgdPlan(chosen, crossEntropyObjective()), feed)) {
      found.push(floats(epoch.model()));
    }
    return found;
  }
  const floats = (model: Model): ReadonlyMap<string, FloatTensor> =>
    new Map(
      [...model.graph.initializers].flatMap(([name, tensor]) => (tensor.type === "float32" ? [[name, tensor]] : [])),
    );
  const same = (one: ReadonlyMap<string, FloatTensor>, other: ReadonlyMap<string, FloatTensor>): string[] =>
    [...one].flatMap(([name, { data }]) => (data.every((v, i) => v === other.get(name)?.data[i]) ? [name] : []));

  test("what is frozen stays, running statistics too; everything else moves", async () => {
    const last = at(await epochsOf({ freeze: "bn.*,fc1.weight" }), 2);
    expect(same(floats(start), last).sort()).toEqual(["bn.mean", "bn.scale", "bn.shift", "bn.variance", "fc1.weight"]);
  });

  test("what is frozen after an epoch has trained until then and stays; the rest goes on as if nothing happened", async () => {
    const [first, second, third] = await epochsOf({ freeze: "fc1.weight@1,bn.scale@2" });
    const whole = await epochsOf({});
    if (first === undefined || second === undefined || third === undefined) throw new Error("three epochs");
    expect(same(first, at(whole, 0))).toHaveLength(first.size);
    expect(same(first, second)).toEqual(["fc1.weight"]);
    // A bias before a normalisation has no gradient but rounding.
    const stayed = same(second, third).filter((name) => name !== "conv.bias");
    expect(stayed.sort()).toEqual(["bn.scale", "fc1.weight"]);
    // Were momentum lost on the way, the first step after it would be far shorter.
    const moved = (from: ReadonlyMap<string, FloatTensor>, to: ReadonlyMap<string, FloatTensor>): number =>
      Math.hypot(...(to.get("fc2.weight")?.data ?? []).map((v, i) => v - (from.get("fc2.weight")?.data[i] ?? 0)));
    expect(moved(first, second)).toBeGreaterThan(0.5 * moved(at(whole, 0), at(whole, 1)));
  });

  test("what is frozen after an epoch is computed with as it was left, not as it was given", async () => {
    // One step an epoch, whose loss is that of the weights before it: late freezing makes no difference to the second.
    const lossesOf = async (given: z.input<typeof options>): Promise<number[]> => {
      const chosen = options.parse({ ...given, epochs: 2, batch: 24, learningRate: 0.5 });
      const feed = imageFeed(images, { batch: 24, views: [cleanView], random: randomStream(1) });
      const losses: number[] = [];
      for await (const { loss } of trainEpochs(start, sgdPlan(chosen, crossEntropyObjective()), feed))
        losses.push(loss);
      return losses;
    };
    const [first = 0, second = 0] = await lossesOf({ freeze: "fc1.weight@1" });
    const [whole = 0, after = 0] = await lossesOf({});
    expect(first).toBe(whole);
    expect(second).toBeCloseTo(after, 5);
    expect(Math.abs(second - first)).toBeGreaterThan(0.01);
  });

  test("a rate of its own: after one step the weight has moved so many times as far", async () => {
    const one = { epochs: 1, batch: 24, momentum: 0 };
    const [plain = new Map<string, FloatTensor>()] = await epochsOf(one);
    const [rated = new Map<string, FloatTensor>()] = await epochsOf({ ...one, rates: "fc1.bias=0.2" });
    const before = floats(start).get("fc1.bias")?.data ?? [];
    const moved = (weights: ReadonlyMap<string, FloatTensor>): number[] =>
      Array.from(weights.get("fc1.bias")?.data ?? [], (value, i) => value - (before[i] ?? 0));
    moved(plain).forEach((value, i) => {
      expect(moved(rated)[i]).toBeCloseTo(4 * value, 5);
    });
    expect(same(plain, rated)).toHaveLength(plain.size - 1);
  });

  test("weight decay takes the same share at another rate", async () => {
    const decay = { epochs: 1, batch: 24, momentum: 0, weightDecay: 0.5 };
    const shrunk = async (rates?: string): Promise<number[]> => {
      const more = rates === undefined ? {} : { rates };
      const [free = new Map<string, FloatTensor>()] = await epochsOf({ ...decay, weightDecay: 0, ...more });
      const [decayed = new Map<string, FloatTensor>()] = await epochsOf({ ...decay, ...more });
      return Array.from(free.get("fc1.weight")?.data ?? [], (v, i) => v - (decayed.get("fc1.weight")?.data[i] ?? 0));
    };
    const [plain, rated] = [await shrunk(), await shrunk("fc1.weight=0.2")];
    plain.forEach((value, i) => {
      expect(rated[i]).toBeCloseTo(value, 6);
    });
    expect(Math.max(...plain)).toBeGreaterThan(1e-3);
  });

  test.each(["muon", "muon-unit:0.6:3", "adam", "adamw"])("%s learns", async (optimizer) => {
    const feed = imageFeed(images, { batch: 8, views: [cleanView], random: randomStream(1) });
    const plan = sgdPlan(options.parse({ optimizer, epochs: 12, learningRate: 0.01 }), crossEntropyObjective());
    const losses: number[] = [];
    for await (const { loss } of trainEpochs(start, plan, feed)) losses.push(loss);
    expect(at(losses, 11)).toBeLessThan(0.6 * at(losses, 0));
  });

  test("muon moves kernels, and SGD the rest as it would", async () => {
    const one = { epochs: 1, batch: 24 };
    const [plain = new Map<string, FloatTensor>()] = await epochsOf(one);
    const [muon = new Map<string, FloatTensor>()] = await epochsOf({ ...one, optimizer: "muon" });
    const others = [...plain.keys()].filter((name) => name !== "conv.weight" && name !== "fc1.weight");
    expect(same(plain, muon).sort()).toEqual(others.sort());
  });
});
