/** @file A stack is its parts run by hand, one after another. */

import { expect, test } from "vitest";
import { randomStream } from "../core/random.js";
import { encodeModel, type Model } from "../onnx/model.js";
import { tinyImages, tinyModel } from "../training/testing/tiny.js";
import type { Attack } from "./method.js";
import { type ChosenMethod, findMethod } from "./registry.js";

const subset = tinyImages(24, { seed: 3 });
const stack = findMethod("stack");

async function last(method: ChosenMethod, attack: Attack): Promise<{ model: Model; epochs: number[] }> {
  let model = attack.model;
  const epochs: number[] = [];
  for await (const stage of method.run(attack)) {
    model = stage.model();
    epochs.push(stage.epoch);
  }
  return { model, epochs };
}

test("the parts run by hand give the same bytes; records are numbered through", async () => {
  const model = tinyModel({ batchNorm: true });
  const random = randomStream(7);
  const methods = "fine-pruning?epochs=2&batch=8,wild?epochs=2&batch=8&metric=ce&nesterov=true";
  const whole = await last(stack.choose({ methods }), { model, subset, random });
  expect(whole.epochs).toEqual([1, 2, 3, 4, 5]);

  const small = { epochs: 2, batch: 8 };
  const parts = [
    findMethod("fine-pruning").choose(small),
    findMethod("wild").choose({ ...small, metric: "ce", nesterov: true }),
  ];
  let byHand = model;
  for (const [i, part] of parts.entries()) {
    byHand = (await last(part, { model: byHand, subset, random: random.stream("part").stream(i) })).model;
  }
  expect(encodeModel(whole.model)).toEqual(encodeModel(byHand));
});

test("says what it is made of, and how long it takes", () => {
  const chosen = stack.choose({ methods: "quantisation?bits=4, wild?metric=ce&schedule=step:2:0.1&layer=%2Ffc1%2Cx" });
  const data = { images: 128, classes: 4 };
  expect(chosen.label).toBe("Quantisation (4 bits), then WILD-CE");
  expect(chosen.steps(data)).toBe(findMethod("wild").choose().steps(data));
});

test.each([
  ["", /No removal method ""/],
  ["nonsense", /No removal method "nonsense"/],
  ["wild,,fine-tune", /No removal method ""/],
  ["wild,stack", /cannot hold a stack/],
  ["wild?epochs=0", /epochs/],
  ["wild?epochs=many", /epochs/],
  ["wild?lambada=1", /lambada/],
])('"%s" is refused as usage', (methods, message) => {
  expect(() => stack.choose({ methods })).toThrow(
    expect.objectContaining({ code: "usage", message: expect.stringMatching(message) }),
  );
});
