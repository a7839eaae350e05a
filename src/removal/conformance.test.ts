/**
 * @file What every removal method must do, run over the registry: a method that is added is tested here without a line.
 * What each one promises beyond that stands at the end.
 */

import { beforeAll, describe, expect, test } from "vitest";
import type { z } from "zod";
import { WildmarkError } from "../core/errors.js";
import { randomStream } from "../core/random.js";
import { type FloatTensor, float32 } from "../core/tensor.js";
import { copyPixels } from "../data/dataset.js";
import { graphBuilder } from "../onnx/builder.js";
import { encodeGraph } from "../onnx/encode.js";
import { decodeModel, encodeModel, type Model } from "../onnx/model.js";
import { storedTensors } from "../onnx/traverse.js";
import { tinyImages, tinyModel } from "../training/testing/tiny.js";
import { type ChosenMethod, findMethod, removalMethods } from "./registry.js";
import { attack, subset, trainedTinyModel, unlabelled } from "./testing/attacked.js";

const EPOCHS = 2;
const small = { epochs: EPOCHS, batch: 8 };

interface Short {
  /** Of a run that takes a moment and changes weights. */
  readonly options: Readonly<Record<string, unknown>>;
  /** How many records it yields. */
  readonly records: number;
}

/** Of methods that yield other records than one an epoch, or want other options to be quick. */
const shortRuns: Readonly<Record<string, Short>> = {
  "fine-pruning": { options: small, records: EPOCHS + 1 },
  dehydra: { options: { ...small, recovered: 4, recoverySteps: 2 }, records: EPOCHS },
  "neural-laundering": { options: { ...small, rounds: 2, roundSteps: 2 }, records: EPOCHS + 1 },
  nad: { options: { ...small, teacherEpochs: 1 }, records: EPOCHS },
  // A threshold of 1 prunes whatever the masks have moved.
  anp: { options: { iterations: 4, batch: 8, threshold: 1 }, records: 4 },
  stack: { options: { methods: "magnitude-pruning,fine-tune?epochs=2&batch=8" }, records: 1 + EPOCHS },
  quantisation: { options: { bits: 4 }, records: 1 },
  "magnitude-pruning": { options: {}, records: 1 },
  "refit-ewc": { options: { ...small, fisherSamples: 20 }, records: EPOCHS },
};
const shortRun = (id: string): Short => shortRuns[id] ?? { options: small, records: EPOCHS };

let marked: Model;
let markedWithBatchNorm: Model;
beforeAll(async () => {
  marked = await trainedTinyModel();
  markedWithBatchNorm = await trainedTinyModel({ batchNorm: true });
});

const shapes = (model: Model): Record<string, readonly number[]> =>
  Object.fromEntries([...storedTensors(model.graph)].map(([name, { dims }]) => [name, dims]));

describe.each(removalMethods.map((method) => [method.id, method] as const))("%s", (id, method) => {
  const { options, records: expected } = shortRun(id);
  const chosen = method.choose(options);
  /** The same where the method has these options. */
  const having = (more: Readonly<Record<string, unknown>>): ChosenMethod =>
    method.choose({
      ...options,
      ...Object.fromEntries(Object.entries(more).filter(([name]) => name in method.options.shape)),
    });

  test("is found by its id and described for people", () => {
    expect(findMethod(id)).toBe(method);
    expect(id).toMatch(/^[a-z][a-z0-9-]*$/);
    for (const text of [method.title, method.summary, method.paper]) expect(text.length).toBeGreaterThan(3);
    expect(method.summary).toMatch(/\.$/);
    for (const need of method.needs) expect(["labelled", "unlabelled"]).toContain(need);
  });

  test("no options are valid options; they are flat and survive JSON", () => {
    const chosen = method.choose();
    expect(chosen).toMatchObject({ id, baseline: method.baseline });
    expect(chosen.label.length).toBeGreaterThan(0);
    expect(JSON.parse(JSON.stringify(chosen.options))).toEqual(chosen.options);
    for (const value of Object.values(chosen.options)) expect(["string", "number", "boolean"]).toContain(typeof value);
    expect(method.choose(chosen.options).options).toEqual(chosen.options);
  });

  test("every option has a description", () => {
    for (const [name, schema] of Object.entries(method.options.shape)) {
      expect((schema as z.ZodType).description ?? "", name).not.toBe("");
    }
  });

  test.each([
    [{ nonsense: 1 }, "nonsense"],
    [{ epochs: 0 }, "epochs"],
    [{ batch: 1.5 }, "batch"],
    [{ learningRate: -1 }, "learningRate"],
    [{ schedule: "step:0:1" }, "schedule"],
  ])("%j is refused as usage, naming the option", (given, name) => {
    expect(() => method.choose(given)).toThrow(
      expect.objectContaining({ code: "usage", message: expect.stringContaining(name) }),
    );
    expect(() => method.choose(given)).toThrow(WildmarkError);
  });

  test("yields its epochs or stages as finite records, numbered from 1", async () => {
    const { records } = await attack(chosen, marked, 1);
    expect(records.map(({ epoch }) => epoch)).toEqual(Array.from({ length: expected }, (_, i) => i + 1));
    for (const { loss, learningRate, seconds } of records) {
      expect(seconds).toBeGreaterThanOrEqual(0);
      expect(loss === undefined).toBe(learningRate === undefined);
      if (learningRate === undefined) continue;
      expect(Number.isFinite(loss)).toBe(true);
      expect(learningRate).toBeGreaterThan(0);
    }
    if ("epochs" in method.options.shape) expect(records.at(-1)?.loss).toBeDefined();
  });

  test("says how many steps it takes: more of them for more images, where it tunes at all", () => {
    const tunes = "epochs" in method.options.shape;
    const steps = (images: number): number => chosen.steps({ images, classes: 10 });
    expect(Number.isInteger(steps(100))).toBe(true);
    if (tunes) expect(steps(1000)).toBeGreaterThan(steps(100));
  });

  test("leaves the given model as it was, and gives one of the same form", async () => {
    const before = encodeModel(markedWithBatchNorm).slice();
    const { model } = await attack(chosen, markedWithBatchNorm, 1);
    expect(encodeModel(markedWithBatchNorm)).toEqual(before);
    expect(encodeModel(model)).not.toEqual(before);
    expect(model.graph.inputs).toEqual(markedWithBatchNorm.graph.inputs);
    expect(model.graph.outputs).toEqual(markedWithBatchNorm.graph.outputs);
    expect(model.graph.nodes).toEqual(markedWithBatchNorm.graph.nodes);
    expect(model.metadata).toEqual(markedWithBatchNorm.metadata);
    expect(shapes(model)).toEqual(shapes(markedWithBatchNorm));
  });

  test("same seed, same bytes; another seed, another run, unless it needs no data and so draws nothing", async () => {
    const run = async (seed: number) => {
      const { model, records } = await attack(chosen, marked, seed);
      return { bytes: encodeModel(model), losses: records.map(({ loss }) => loss) };
    };
    const first = await run(1);
    expect(await run(1)).toEqual(first);
    if (method.needs.length > 0) expect(await run(2)).not.toEqual(first);
    else expect(await run(2)).toEqual(first);
  });

  // keras2onnx names nodes so; it is legal, and no name that a method thinks up may clash with one.
  test("takes nodes that are each called like the next one's output, and does the same", async () => {
    const { graph } = markedWithBatchNorm;
    const nodes = graph.nodes.map((node, at) => ({ ...node, name: graph.nodes[at + 1]?.outputs[0] ?? "" }));
    const renamed = decodeModel(encodeGraph({ ...graph, nodes }), "renamed");
    const weights = async (model: Model) => [...storedTensors((await attack(chosen, model, 1)).model.graph)];
    expect(await weights(renamed)).toEqual(await weights(markedWithBatchNorm));
  });

  test("does not write into the attacker's images", async () => {
    const before = { images: copyPixels(subset), labels: subset.labels.slice() };
    await attack(chosen, marked, 1);
    expect({ images: copyPixels(subset), labels: subset.labels }).toEqual(before);
  });

  test("takes colour images, and fewer of them than a batch", async () => {
    const colour = tinyImages(6, { channels: 3 });
    const { records } = await attack(having({ batch: 32 }), tinyModel({ channels: 3 }), 1, {
      subset: colour,
      unlabelled: colour,
    });
    expect(records.length).toBe(expected);
  });

  test("leaves what lies before the node where training starts as it was, to the bit", async () => {
    const { model } = await attack(chosen, markedWithBatchNorm, 0, { trainFrom: "fc2" });
    const before = storedTensors(markedWithBatchNorm.graph);
    for (const [name, tensor] of storedTensors(model.graph)) {
      if (name === "fc2.weight") expect(tensor.data, name).not.toEqual(before.get(name)?.data);
      else if (!name.startsWith("fc2")) expect(tensor.data, name).toEqual(before.get(name)?.data);
    }
  });

  test(
    "stops when the signal fires, before it begins or between records, with the code of an " + "interruption",
    async () => {
      const run = async (after: number): Promise<void> => {
        const controller = new AbortController();
        const everything = { model: marked, subset, unlabelled, random: randomStream(1), signal: controller.signal };
        if (after === 0) controller.abort();
        for await (const { epoch } of having({ epochs: 50 }).run(everything)) if (epoch === after) controller.abort();
      };
      await expect(run(0)).rejects.toMatchObject({ code: "interrupted" });
      if (expected > 1) await expect(run(expected - 1)).rejects.toMatchObject({ code: "interrupted" });
    },
  );
});

test("ids are unique, and so are labels of methods run with their defaults", () => {
  const labels = removalMethods.map((method) => method.choose().label);
  expect(new Set(removalMethods.map(({ id }) => id)).size).toBe(removalMethods.length);
  expect(new Set(labels).size).toBe(labels.length);
  expect(() => findMethod("nonsense")).toThrow(expect.objectContaining({ code: "usage" }));
});

describe("fine-tuning", () => {
  const run = async (variant: string, model: Model, more: Readonly<Record<string, unknown>> = {}) =>
    (await attack(findMethod("fine-tune").choose({ ...small, variant, ...more }), model, 1)).model;
  const changed = (before: Model, after: Model): string[] =>
    [...storedTensors(before.graph)]
      .filter(([name, { data }]) => {
        const now = storedTensors(after.graph).get(name)?.data;
        return data.some((value, i) => value !== now?.[i]);
      })
      .map(([name]) => name)
      .sort();
  const last = ["fc2.bias", "fc2.weight"];

  test("FTLL and RTLL change the last layer and nothing else, running statistics included", async () => {
    for (const variant of ["ftll", "rtll"]) {
      expect(changed(markedWithBatchNorm, await run(variant, markedWithBatchNorm)), variant).toEqual(last);
    }
  });

  test("FTAL and RTAL change every weight and statistic", async () => {
    for (const variant of ["ftal", "rtal"]) {
      expect(changed(markedWithBatchNorm, await run(variant, markedWithBatchNorm)), variant).toEqual([
        ...["bn.mean", "bn.scale", "bn.shift", "bn.variance", "conv.bias", "conv.weight"],
        "fc1.bias",
        "fc1.weight",
        ...last,
      ]);
    }
  });

  test("RTLL starts from a last layer drawn anew: what the old one held does not matter", async () => {
    const weightOf = (model: Model): readonly number[] => [
      ...((model.graph.initializers.get("fc2.weight") as FloatTensor).data ?? []),
    ];
    const crawling = { learningRate: 1e-9 };
    const kept = weightOf(await run("ftll", marked, crawling));
    const redrawn = weightOf(await run("rtll", marked, crawling));
    const distance = (a: readonly number[], b: readonly number[]): number =>
      Math.max(...a.map((value, i) => Math.abs(value - (b[i] ?? 0))));
    expect(distance(kept, weightOf(marked))).toBeLessThan(1e-6);
    expect(distance(redrawn, weightOf(marked))).toBeGreaterThan(0.05);
  });

  test("a model whose scores no layer makes has no last layer to fine-tune or to draw anew", async () => {
    const b = graphBuilder("two branches");
    const x = b.op("Flatten", [b.input("image", "float32", ["batch", 1, 8, 8])], { axis: 1 });
    const branch = (name: string): string =>
      b.op("MatMul", [x, b.initializer(name, float32([64, 4], new Float32Array(256).fill(0.01)))]);
    b.output(b.op("Mul", [branch("a"), branch("b")]), "float32", ["batch", 4]);
    const model = decodeModel(encodeGraph(b.build()), "two branches");
    for (const variant of ["ftll", "rtll", "rtal"]) {
      await expect(
        run(variant, model).then(() => variant),
        variant,
      ).rejects.toMatchObject({ code: "bad-model" });
    }
    expect(changed(model, await run("ftal", model))).toEqual(["a", "b"]);
  });
});

test("from scratch keeps nothing of the marked weights and statistics", async () => {
  const method = findMethod("scratch").choose(small);
  const other = tinyModel({ batchNorm: true, seed: 99 });
  expect(storedTensors(other.graph).get("fc1.weight")?.data).not.toEqual(
    storedTensors(markedWithBatchNorm.graph).get("fc1.weight")?.data,
  );
  const [fromMarked, fromOther] = [await attack(method, markedWithBatchNorm, 1), await attack(method, other, 1)];
  expect(encodeModel(fromMarked.model)).toEqual(encodeModel(fromOther.model));
});

describe("WILD beside Random Erasing alone", () => {
  test("λ = μ = 0 is Random Erasing: where nothing is erased, both follow the same course", async () => {
    const still = { ...small, eraseProbability: 0, momentum: 0.9 };
    const wild = await attack(findMethod("wild").choose({ ...still, lambda: 0, mu: 0 }), marked, 1);
    const erasing = await attack(findMethod("random-erasing").choose(still), marked, 1);
    // The same sums over batches of two sizes: ONNX Runtime may add in another order.
    wild.records.forEach(({ loss }, i) => {
      expect(loss).toBeCloseTo(erasing.records[i]?.loss ?? Number.NaN, 5);
    });
  });

  test("with λ > 0 it takes another course, and another one for each metric", async () => {
    const losses: number[] = [];
    for (const options of [{ lambda: 0 }, { metric: "js" }, { metric: "ce" }]) {
      const { records } = await attack(findMethod("wild").choose({ ...small, ...options }), marked, 1);
      losses.push(records.at(-1)?.loss ?? Number.NaN);
    }
    expect(new Set(losses).size).toBe(3);
  });

  test("takes any value of the model as its features, and refuses what is none", async () => {
    const onConvolution = findMethod("wild").choose({ ...small, layer: "conv" });
    expect((await attack(onConvolution, marked, 1)).records.length).toBe(EPOCHS);
    const nowhere = findMethod("wild").choose({ ...small, layer: "nowhere" });
    await expect(attack(nowhere, marked, 1)).rejects.toMatchObject({ code: "usage" });
  });
});
