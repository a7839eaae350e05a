/**
 * @file What central differences cannot check: kinks and ties, where the derivative is a convention, and random masks.
 */

import { describe, expect, test } from "vitest";
import { type FloatTensor, float32, type Tensor, toNumbers } from "../../core/tensor.js";
import { type GraphBuilder, graphBuilder } from "../../onnx/builder.js";
import { lowerPrimitives } from "../../runtime/lowering/index.js";
import { createSession } from "../../runtime/session.js";
import { traceGraph } from "../../runtime/trace.js";
import { appendGradients } from "../differentiate.js";

/** Sums what `build` gives, differentiates it by the stored value "v", and runs once; the outputs named come along. */
async function gradientAt(
  v: FloatTensor,
  build: (b: GraphBuilder) => string,
  also: readonly string[] = [],
): Promise<{ readonly dv: readonly number[]; readonly results: ReadonlyMap<string, Tensor> }> {
  const b = graphBuilder("g");
  b.initializer("v", v);
  const loss = b.op("ReduceSum", [build(b)], { keepdims: 0 });
  const trace = await traceGraph({ ...b.build(), nodes: [...b.build().nodes] }, new Map());
  const dv = appendGradients(b, { trace, loss, by: ["v"] }).get("v");
  if (dv === undefined) throw new Error("no gradient arrived");
  for (const name of new Set([...also, dv])) b.output(name);
  const session = await createSession(lowerPrimitives(b.build()));
  const results = await session.run(new Map());
  await session.release();
  return { dv: numbers(results, dv), results };
}

function numbers(results: ReadonlyMap<string, Tensor>, name: string): number[] {
  const tensor = results.get(name);
  if (tensor === undefined) throw new Error(`no output "${name}"`);
  return toNumbers(tensor);
}

describe("conventions at kinks and ties", () => {
  const at = async (operator: string, x: readonly number[], more: (b: GraphBuilder) => readonly string[] = () => []) =>
    (await gradientAt(float32([x.length], x), (b) => b.op(operator, ["v", ...more(b)]))).dv;

  test("Relu is flat at 0", async () => expect(await at("Relu", [-1, 0, 1])).toEqual([0, 0, 1]));
  test("Clip passes at its bounds", async () => {
    expect(await at("Clip", [-2, -1, 0, 1, 2], (b) => [b.scalar(-1), b.scalar(1)])).toEqual([0, 1, 1, 1, 0]);
  });
  test("HardSigmoid is flat at its bounds", async () => {
    expect(await at("HardSigmoid", [-2.5, 0, 2.5])).toEqual([0, Math.fround(0.2), 0]);
  });
  test("HardSwish is 0 at −3 and 1 at 3", async () => expect(await at("HardSwish", [-3, 0, 3])).toEqual([0, 0.5, 1]));
  test("Abs is flat at 0", async () => expect(await at("Abs", [-1, 0, 1])).toEqual([-1, 0, 1]));
  test("Elu has alpha at 0, Selu alpha · gamma", async () => {
    expect(await at("Elu", [0])).toEqual([1]);
    expect((await at("Selu", [0]))[0]).toBeCloseTo(1.0507009873554805 * 1.6732632423543772, 6);
  });
  test("Celu is 1 at 0", async () => expect(await at("Celu", [0, 1])).toEqual([1, 1]));
  test("ThresholdedRelu is flat at its threshold", async () => {
    expect(await at("ThresholdedRelu", [0.5, 1, 1.5])).toEqual([0, 0, 1]);
  });
  test("LpNormalization of zeros has no gradient", async () => {
    expect(await at("LpNormalization", [0, 0, 0])).toEqual([0, 0, 0]);
  });
  test("Max of equal values counts once", async () => {
    expect(await at("Max", [1, 2], (b) => [b.initializer("same", float32([2], [1, 2]))])).toEqual([1, 1]);
    expect(await at("Max", [1, 2], () => ["v"])).toEqual([1, 1]);
  });
  test("ReduceMax shares among equals", async () => expect(await at("ReduceMax", [3, 1, 3])).toEqual([0.5, 0, 0.5]));
  test("ReduceL2 of zeros has no gradient", async () => expect(await at("ReduceL2", [0, 0])).toEqual([0, 0]));
  test("a power of 0 to the 0th has none either", async () => {
    expect(await at("Pow", [0, 2], (b) => [b.initializer("e", float32([2], [0, 3]))])).toEqual([0, 12]);
  });
});

describe("Dropout in training", () => {
  /** 50 copies of v, a quarter of their elements dropped. */
  const dropout = (outputs: number) => (b: GraphBuilder) => {
    const on = b.initializer("on", { type: "bool", dims: [], data: Uint8Array.of(1) });
    const copies = b.op("Expand", ["v", b.ints([50, 3])]);
    const [y = ""] = b.ops("Dropout", [copies, b.scalar(0.25), on], outputs, { seed: 7 }, { name: "y" });
    return y;
  };
  const v = float32([3], [4, 5, 6]);

  test("passes what was kept, scaled by 1 / (1 − ratio), by the mask of the same run", async () => {
    const { dv, results } = await gradientAt(v, dropout(2), ["y"]);
    const y = numbers(results, "y");
    const kept = [0, 1, 2].map((column) => y.filter((value, i) => i % 3 === column && value !== 0).length);
    expect(Math.min(...kept)).toBeGreaterThan(20);
    expect(Math.max(...kept)).toBeLessThan(50);
    // Sums of up to 50 equal float32 numbers.
    dv.forEach((value, column) => {
      expect(value).toBeCloseTo((kept[column] ?? 0) / 0.75, 4);
    });
  });

  test("is refused without its mask", async () => {
    await expect(gradientAt(v, dropout(1))).rejects.toThrow(/Dropout node "y" is in training mode but does not give/);
  });
});
