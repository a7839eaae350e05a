/** @file wildmark weights, run as people run it: a model's weights into a state_dict and back. */

import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { decodeSafetensors, encodeSafetensors } from "../../src/core/safetensors.js";
import { float32, int64, type Tensor } from "../../src/core/tensor.js";
import { graphBuilder } from "../../src/onnx/builder.js";
import { encodeGraph } from "../../src/onnx/encode.js";
import { decodeModel, encodeModel, withWeights } from "../../src/onnx/model.js";
import { wildmark, workFolder } from "./command-line.js";

let folder = "";
let remove = async (): Promise<void> => {};
const at = (name: string): string => join(folder, name);

const dense = float32([2, 3], [1, 2, 3, 4, 5, 6]);
const asStored = float32([3, 2], [1, 4, 2, 5, 3, 6]);

beforeAll(async () => {
  ({ folder, remove } = await workFolder());
  const b = graphBuilder("net");
  const flat = b.op("Flatten", [b.input("x", "float32", ["n", 1, 1, 3])]);
  b.output(b.op("MatMul", [flat, b.initializer("onnx::MatMul_3", asStored)]));
  const model = decodeModel(encodeGraph(b.build()), "net.onnx");
  await writeFile(at("net.onnx"), encodeModel(model));
  const trained = new Map([["onnx::MatMul_3", float32([3, 2], [10, 40, 20, 50, 30, 60])]]);
  await writeFile(at("trained.onnx"), encodeModel(withWeights(model, trained)));
  const tensors = new Map<string, Tensor>([
    ["fc.weight", dense],
    ["steps", int64([], [3])],
  ]);
  await writeFile(at("net.safetensors"), encodeSafetensors({ metadata: new Map(), tensors }));
});

afterAll(() => remove());

test("into the state_dict that the model came from, and back", async () => {
  const there = await wildmark(
    folder,
    "weights trained.onnx --from net.onnx --like net.safetensors --out new.safetensors",
  );
  expect(there.status, there.stderr).toBe(0);
  expect(there.stdout).toContain("2 tensors; 1 stored tensors of the model had changed");
  expect(there.stdout).toContain("Left as they were: steps.");
  const { tensors, metadata } = decodeSafetensors(await readFile(at("new.safetensors")), "new");
  expect(tensors.get("fc.weight")).toEqual(float32([2, 3], [10, 20, 30, 40, 50, 60]));
  expect(tensors.get("steps")).toEqual(int64([], [3]));
  expect(metadata.get("format")).toBe("pt");

  const back = await wildmark(folder, "weights apply net.onnx new.safetensors --like net.safetensors --out again.onnx");
  expect(back.status, back.stderr).toBe(0);
  expect(await readFile(at("again.onnx"))).toEqual(await readFile(at("trained.onnx")));
});

test("under the model's own names", async () => {
  const there = await wildmark(folder, "weights trained.onnx --from net.onnx --out own.safetensors");
  expect(there.status, there.stderr).toBe(0);
  const back = await wildmark(folder, "weights apply net.onnx own.safetensors --out again2.onnx");
  expect(back.status, back.stderr).toBe(0);
  expect(await readFile(at("again2.onnx"))).toEqual(await readFile(at("trained.onnx")));
});

test("what does not belong together is refused", async () => {
  const b = graphBuilder("other");
  b.output(b.op("Flatten", [b.input("x", "float32", ["n", 3])]));
  await writeFile(at("other.onnx"), encodeModel(decodeModel(encodeGraph(b.build()), "other.onnx")));
  const other = await wildmark(folder, "weights trained.onnx --from other.onnx --out x.safetensors");
  expect(other.status).toBe(2);
  expect(other.stderr).toMatch(/is not other.onnx with other weights/);

  // The state_dict of the trained network is not what the original was exported from.
  const swapped = await wildmark(
    folder,
    "weights trained.onnx --from net.onnx --like new.safetensors --out x.safetensors",
  );
  expect(swapped.status).toBe(2);
  expect(swapped.stderr).toMatch(/nothing that these tensors/);
  expect(swapped.stderr).toMatch(/fc.weight \[2, 3\]/);

  const named = await wildmark(folder, "weights apply net.onnx net.safetensors --out x.onnx");
  expect(named.status).toBe(2);
  expect(named.stderr).toMatch(/fc.weight \[2, 3\]/);
});
