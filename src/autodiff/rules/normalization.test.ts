import { expect, test } from "vitest";
import { checkGradient } from "../testing/check-gradient.js";

const shapes = [[[4, 3, 5, 2]], [[6, 2]], [[3, 2, 7]], [[2, 1, 3, 2, 2]]];

const parameters = (channels: number) => ({
  scale: { dims: [channels] },
  bias: { dims: [channels] },
  mean: { dims: [channels], checked: false },
  variance: { dims: [channels], between: [0.5, 2] as const, checked: false },
});

test.each(shapes)("BatchNormalization with the batch's statistics, [%s]", async (dims) => {
  await checkGradient({
    build: (b, { x, scale, bias, mean, variance }) =>
      b.ops("BatchNormalization", [x, scale, bias, mean, variance], 3, { training_mode: 1 })[0] ?? "",
    inputs: { x: { dims, between: [1, 4] }, ...parameters(dims[1] ?? 1) },
  });
});

test.each(shapes)("BatchNormalization, frozen, [%s]", async (dims) => {
  await checkGradient({
    build: (b, { x, scale, bias, mean, variance }) =>
      b.op("BatchNormalization", [x, scale, bias, mean, variance], { epsilon: { kind: "float", value: 0.1 } }),
    inputs: { x: { dims }, ...parameters(dims[1] ?? 1) },
  });
});

test.each([
  ["scale", 1],
  ["bias", 1],
  ["x", 1],
  ["x", 0],
] as const)("BatchNormalization by %s alone, training mode %d", async (wanted, training_mode) => {
  const { scale, bias, mean, variance } = parameters(2);
  const { gradients } = await checkGradient({
    build: (b, names) =>
      b.ops(
        "BatchNormalization",
        [names.x, names.scale, names.bias, names.mean, names.variance],
        training_mode === 1 ? 3 : 1,
        { training_mode },
      )[0] ?? "",
    inputs: {
      x: { dims: [3, 2, 4], checked: wanted === "x" },
      scale: { ...scale, checked: wanted === "scale" },
      bias: { ...bias, checked: wanted === "bias" },
      mean,
      variance,
    },
  });
  expect([...gradients.keys()]).toEqual([wanted]);
});

test("BatchNormalization keeps 3 digits where the mean is 30 standard deviations", async () => {
  const { scale, bias, mean, variance } = parameters(2);
  await checkGradient({
    build: (b, names) =>
      b.ops("BatchNormalization", [names.x, names.scale, names.bias, names.mean, names.variance], 3, {
        training_mode: 1,
      })[0] ?? "",
    inputs: { x: { dims: [8, 2, 4], between: [-31.7, -28.3] }, scale, bias, mean, variance },
    tolerance: 1e-3,
  });
});
