/** @file A spliced graph computes what it did alone, beside its host. */

import { expect, test } from "vitest";
import { randomStream } from "../core/random.js";
import { float32 } from "../core/tensor.js";
import { createSession } from "../runtime/session.js";
import { tinyModel } from "../training/testing/tiny.js";
import { graphBuilder } from "./builder.js";
import { splice } from "./splice.js";

const random = randomStream(3);
const images = float32(
  [2, 1, 8, 8],
  Float32Array.from({ length: 128 }, () => random.uniform()),
);

test("two models look at the same images", async () => {
  const [host, guest] = [tinyModel({ seed: 1 }), tinyModel({ seed: 2, batchNorm: true })];
  const b = graphBuilder("both", { from: host.graph, keepOutputs: true });
  const names = splice(b, guest.graph, "guest", new Map([["image", "image"]]));
  expect(names.get("logits")).toBe("guest/logits");
  b.output("guest/logits");
  const both = await (await createSession(b.build())).run(new Map([["image", images]]));
  for (const [model, name] of [
    [host, "logits"],
    [guest, "guest/logits"],
  ] as const) {
    const alone = await (await createSession(model.graph)).run(new Map([["image", images]]));
    expect(both.get(name)?.data).toEqual(alone.get("logits")?.data);
  }
});

test("every input of the guest must be given", () => {
  const { graph } = tinyModel();
  expect(() => splice(graphBuilder("host", { from: graph }), graph, "guest", new Map())).toThrow(/"image"/);
});
