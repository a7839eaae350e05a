/** @file What was exported in training mode answers as at inference, in the file that is written too. */

import { expect, test } from "vitest";
import { float32, type Tensor } from "../core/tensor.js";
import { createSession } from "../runtime/session.js";
import { float, type GraphBuilder, graphBuilder } from "./builder.js";
import { encodeGraph } from "./encode.js";
import { decodeModel, encodeModel } from "./model.js";

/** Images of four pixels, normalised, then scored. */
function fileOf(opset: number, normalise: (b: GraphBuilder, x: string, of: readonly string[]) => string): Uint8Array {
  const b = graphBuilder("m", { opset });
  const x = b.input("x", "float32", ["N", 1, 2, 2]);
  const statistics = [2, -1, 3, 4].map((value, i) => b.initializer(`n${i}`, float32([1], [value])));
  const flat = b.op("Flatten", [normalise(b, x, statistics)]);
  b.output(
    b.op("MatMul", [flat, b.initializer("w", float32([4, 2], [1, 2, 3, 4, 5, 6, 7, 8]))], {}, { name: "y" }),
    "float32",
    ["N", 2],
  );
  return encodeGraph(b.build());
}

async function scores(bytes: Uint8Array): Promise<number[]> {
  const session = await createSession(bytes);
  const y = (await session.run(new Map([["x", float32([2, 1, 2, 2], [1, 2, 3, 4, 5, 6, 7, 9])]]))).get("y");
  await session.release();
  return Array.from(y?.data ?? [], Number);
}

const plain = (opset: number) =>
  fileOf(opset, (b, x, of) => b.op("BatchNormalization", [x, ...of], { epsilon: float(0) }));

test.each([9, 12, 13])("opset %i: a BatchNormalization with five outputs", async (opset) => {
  const training = fileOf(opset, (b, x, of) => {
    const [y = ""] = b.ops("BatchNormalization", [x, ...of], 5, { epsilon: float(0) });
    return y;
  });
  const model = decodeModel(training, "t.onnx");
  expect(model.notes).toEqual([
    expect.stringMatching(/t\.onnx was exported in training mode \(1 BatchNormalization\)/),
  ]);
  expect(await scores(encodeModel(model))).toEqual(await scores(plain(opset)));
  expect(model.graph.nodes.find(({ opType }) => opType === "BatchNormalization")?.outputs.length).toBe(1);
  expect(decodeModel(encodeModel(model), "again").notes).toEqual([]);
});

test("opset 21: training_mode", async () => {
  const training = fileOf(21, (b, x, of) => {
    const [y = ""] = b.ops("BatchNormalization", [x, ...of], 3, { epsilon: float(0), training_mode: 1 });
    return y;
  });
  expect(await scores(training)).not.toEqual(await scores(plain(21)));
  expect(await scores(encodeModel(decodeModel(training, "t.onnx")))).toEqual(await scores(plain(21)));
});

test("Dropout whose third input says that it trains", async () => {
  const dropping = fileOf(13, (b, x) => {
    const yes: Tensor = { type: "bool", dims: [], data: Uint8Array.of(1) };
    return b.op("Dropout", [x, b.scalar(0.5), b.op("Constant", [], { value: { kind: "tensor", value: yes } })]);
  });
  const model = decodeModel(dropping, "d.onnx");
  expect(model.notes).toEqual([expect.stringMatching(/training mode \(1 Dropout\)/)]);
  expect(await scores(encodeModel(model))).toEqual(await scores(fileOf(13, (b, x) => b.op("Identity", [x]))));
});

test("statistics that something reads are left, and then the model is refused", () => {
  const read = fileOf(13, (b, x, of) => {
    const [y = "", mean = ""] = b.ops("BatchNormalization", [x, ...of], 5);
    return b.op("Add", [y, mean]);
  });
  expect(decodeModel(read, "r.onnx").notes).toEqual([]);
});

test("what is for inference already is left byte for byte", () => {
  expect(encodeModel(decodeModel(plain(13), "p.onnx"))).toEqual(plain(13));
});
