/** @file WILD's objective as a whole: its terms, their weights, and where its gradient goes. */

import { describe, expect, test } from "vitest";
import { checkGradient } from "../autodiff/testing/check-gradient.js";
import { randomStream } from "../core/random.js";
import { float32 } from "../core/tensor.js";
import { graphBuilder } from "../onnx/builder.js";
import { createSession } from "../runtime/session.js";
import { meanCrossEntropy, rows } from "../training/objective.js";
import { appendDivergence } from "./divergence.js";
import { wildObjective, wildOptions } from "./wild.js";

const BATCH = 3;
const CLASSES = 4;
/** Features may be a map, [rows, 2, 1, 3], as where a convolution makes the scores. */
const FEATURES = [2 * BATCH, 2, 1, 3] as const;

const defaults = wildOptions.parse({});
const targets = [1, 0, 0, 0, 0, 0.5, 0.5, 0, 0, 0, 0, 1];

/** The objective beside its three terms, on drawn features and logits. */
async function terms(options: Parameters<typeof wildObjective>[0]) {
  const random = randomStream(5, "wild");
  const draw = (count: number): Float32Array => Float32Array.from({ length: count }, () => 2 * random.normal());
  const b = graphBuilder("terms");
  b.input("logits", "float32", [2 * BATCH, CLASSES]);
  b.input("features", "float32", FEATURES);
  b.initializer("targets", float32([BATCH, CLASSES], targets));
  const context = { batch: BATCH, images: "image", logits: "logits", features: "features", targets: "targets" };
  const { loss } = wildObjective(options).build({ b, ...context });
  const flat = b.op("Flatten", ["features"], { axis: 1 });
  const distance = appendDivergence(
    ...([b, options.metric, rows(b, flat, 0, BATCH), rows(b, flat, BATCH, 2 * BATCH), options.temperature] as const),
  );
  const onErased = meanCrossEntropy(b, rows(b, "logits", BATCH, 2 * BATCH), "targets");
  const onClean = meanCrossEntropy(b, rows(b, "logits", 0, BATCH), "targets");
  const names = { loss, distance, onErased, onClean };
  for (const name of Object.values(names)) b.output(name);
  const session = await createSession(b.build());
  const results = await session.run(
    new Map([
      ["logits", float32([2 * BATCH, CLASSES], draw(2 * BATCH * CLASSES))],
      ["features", float32(FEATURES, draw(36))],
    ]),
  );
  await session.release();
  const value = (name: string): number => Number(results.get(name)?.data[0]);
  return {
    loss: value(loss),
    distance: value(distance),
    onErased: value(onErased),
    onClean: value(onClean),
  };
}

describe.each(["ce", "js"] as const)("with %s", (metric) => {
  test.each([
    [1, 0],
    [0.5, 2],
    [0, 0],
    [0, 1],
    [30, 0],
  ])(
    "λ = %d, μ = %d: CE of the erased view, λ times the distance, μ times CE of the clean view",
    async (lambda, mu) => {
      const { loss, distance, onErased, onClean } = await terms({ ...defaults, metric, lambda, mu, temperature: 2 });
      expect(distance).toBeGreaterThan(0.01);
      expect(Math.abs(onErased - onClean)).toBeGreaterThan(0.1);
      const expected = onErased + lambda * distance + mu * onClean;
      expect(Math.abs(loss - expected)).toBeLessThan(1e-6 * Math.max(1, expected));
    },
  );

  test.each([false, true])("stop-gradient %s: its gradient agrees with central differences", async (stopGradient) => {
    let stopped: readonly string[] = [];
    const { gradients } = await checkGradient({
      inputs: {
        features: { dims: FEATURES },
        weight: { dims: [6, CLASSES], initializer: true },
        targets: { dims: [BATCH, CLASSES], values: targets, checked: false },
      },
      build(b, { features, weight, targets: wanted }) {
        const logits = b.op("MatMul", [b.op("Flatten", [features], { axis: 1 }), weight]);
        const context = { batch: BATCH, images: "image", logits, features, targets: wanted };
        const built = wildObjective({ ...defaults, metric, lambda: 2, mu: 0, stopGradient }).build({ b, ...context });
        stopped = built.stopAt ?? [];
        return built.loss;
      },
      stopAt: () => stopped,
    });
    // With μ = 0 the clean view's features count through the distance alone.
    const byFeatures = [...(gradients.get("features")?.data ?? [])].map(Number);
    const ofClean = Math.max(...byFeatures.slice(0, byFeatures.length / 2).map(Math.abs));
    if (stopGradient) expect(ofClean).toBe(0);
    else expect(ofClean).toBeGreaterThan(1e-3);
    expect(stopped.length).toBe(stopGradient ? 1 : 0);
  });
});

test("λ = μ = 0 does not compute the distance at all", () => {
  const nodesOf = (lambda: number): string[] => {
    const b = graphBuilder("objective");
    const context = { batch: BATCH, images: "image", logits: "logits", features: "features", targets: "targets" };
    wildObjective({ ...defaults, lambda }).build({ b, ...context });
    return b.build().nodes.map((node) => node.opType);
  };
  expect(nodesOf(1)).toContain("Softplus");
  expect(nodesOf(0)).not.toContain("Softplus");
});
