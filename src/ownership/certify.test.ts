/** @file A certificate of a small model: what is counted, refused and told. */

import { beforeAll, describe, expect, test } from "vitest";
import { randomStream } from "../core/random.js";
import { float32 } from "../core/tensor.js";
import { type Model, withWeights } from "../onnx/model.js";
import { learnt, tinyImages, tinyModel } from "../training/testing/tiny.js";
import { findMark } from "../watermarks/registry.js";
import { type CertifyOptions, certifyModel, describeCertificate, weightDistance } from "./certify.js";
import type { Key } from "./key.js";
import { triggersOf } from "./key-images.js";
import { makeKey } from "./make-key.js";

const options = (changes: Partial<CertifyOptions> = {}): CertifyOptions => ({
  sigma: 0.02,
  draws: 100,
  confidence: 0.99,
  least: 0.5,
  random: randomStream(1),
  ...changes,
});

let key: Key;
let model: Model;
beforeAll(async () => {
  const mark = findMark("content").choose({ triggers: 8, heldOut: 4, ...findMark("content").published });
  const set = await mark.make({ train: tinyImages(240, { side: 20, classes: 8 }), random: randomStream(3) });
  key = makeKey({ mark, set, seed: 3, modelSha256: "ab".repeat(32) });
  // A model that answers nothing but the key.
  model = await learnt(tinyModel({ side: 20, classes: 8 }), triggersOf(key), 40);
});

test("counts under noise, and the same seed gives the same certificate", async () => {
  const found = await certifyModel(model, key, options());
  expect(found.retention).toBe(1);
  expect(found.median).toBeGreaterThan(0.9);
  expect(found.radius).toBeGreaterThan(0);
  expect(found.bounds[0]).toEqual({ radius: 0, retention: expect.any(Number) });
  expect(found.bounds.map(({ retention }) => retention)).toEqual(
    found.bounds.map(({ retention }) => retention).toSorted((a, b) => b - a),
  );
  expect(found.weights).toBe(4 * 9 + 4 + 12 * 4 * 25 + 12 + 8 * 12 + 8);
  expect(await certifyModel(model, key, options())).toEqual(found);
  const other = await certifyModel(model, key, options({ random: randomStream(2), sigma: 0.3 }));
  expect(other).not.toEqual({ ...found, sigma: 0.3 });
});

test("where noise leaves nothing, nothing is certified", async () => {
  const found = await certifyModel(model, key, options({ sigma: 100 }));
  expect(found.radius).toBeNull();
  expect(describeCertificate(found, (share) => `${100 * share} %`)[0]).toContain("Nothing is certified");
});

test("a model that answers one class to everything is seen to: its placebos are answered alike", async () => {
  const bias = model.graph.initializers.get("fc2.bias");
  if (bias?.type !== "float32") throw new Error("no bias");
  const label = key.triggers.labels[0] ?? 0;
  const constant = withWeights(
    model,
    new Map([
      [
        "fc2.bias",
        float32(
          bias.dims,
          bias.data.map((value, i) => (i === label ? 1000 : value)),
        ),
      ],
    ]),
  );
  const found = await certifyModel(constant, key, options());
  expect(found).toMatchObject({ retention: 1, median: 1, placebos: 1 });
  expect(describeCertificate(found, String).join()).toContain("little proof of the mark");
  const without = await certifyModel(model, { ...key, placebos: undefined }, options({ draws: 3 }));
  expect(without.placebos).toBeNull();
});

describe("the distance between two models", () => {
  test("is the length of the difference of their weights", () => {
    const [name, start] = ["fc2.bias", model.graph.initializers.get("fc2.bias")];
    if (start?.type !== "float32") throw new Error("no bias");
    const moved = float32(
      start.dims,
      start.data.map((value, i) => value + (i === 0 ? 3 : i === 1 ? 4 : 0)),
    );
    expect(weightDistance(model, withWeights(model, new Map([[name, moved]])), key)).toBeCloseTo(5, 5);
    expect(weightDistance(model, model, key)).toBe(0);
  });

  test("there is none between models of different weights", () => {
    expect(() => weightDistance(model, tinyModel({ side: 20, classes: 8, batchNorm: true }), key)).toThrow(
      expect.objectContaining({ code: "bad-model" }),
    );
  });
});

test.each([{ sigma: 0 }, { sigma: Number.NaN }, { draws: 0 }, { draws: 1.5 }, { confidence: 0.5 }, { least: 0 }])(
  "%j is refused as usage",
  async (wrong) => {
    await expect(certifyModel(model, key, options(wrong))).rejects.toMatchObject({ code: "usage" });
  },
);

test("a model of other images is refused", async () => {
  await expect(certifyModel(tinyModel(), key, options())).rejects.toMatchObject({ code: "bad-key" });
});
