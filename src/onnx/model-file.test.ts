import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { afterAll, beforeEach, expect, test } from "vitest";
import { WildmarkError } from "../core/errors.js";
import { float32, type Tensor } from "../core/tensor.js";
import { graphBuilder } from "./builder.js";
import { encodeGraph } from "./encode.js";
import { decodeModel, encodeModel, type Model, withWeights } from "./model.js";
import { readModelFile, writeModelFile } from "./model-file.js";
import { TensorProto_DataLocation as DataLocation, ModelProtoSchema } from "./onnx_pb.js";
import { storedTensors } from "./traverse.js";

const root = mkdtempSync(join(tmpdir(), "wildmark-model-file-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

let folder: string;
let path: string;
let count = 0;
beforeEach(() => {
  folder = join(root, `case${count++}`, "model");
  mkdirSync(folder, { recursive: true });
  path = join(folder, "m.onnx");
});

const WEIGHT = float32([2, 2], [1, 2, 3, 4]);
const HELD = float32([3], [5, 6, 7]);

/** A model whose two tensors lie outside: the initialiser "w" at offset 4, the `Constant` "held" at offset 20. */
function externalModel(entries: Readonly<Record<string, string>>): Uint8Array {
  const b = graphBuilder("external");
  const w = b.initializer("w", WEIGHT);
  const product = b.op("MatMul", [b.input("x", "float32", ["N", 2]), w]);
  const held = b.op("Constant", [], { value: { kind: "tensor", value: HELD } }, { name: "held" });
  b.output(b.op("Mul", [product, held], {}, { name: "y" }));
  const proto = fromBinary(ModelProtoSchema, encodeGraph(b.build()));
  const moveOut = (tensor: { rawData: Uint8Array } | undefined, offset: string, length: string): void => {
    if (tensor === undefined) throw new Error("no tensor to move");
    const all = Object.entries({ location: "m.data", offset, length, ...entries }).filter(([, value]) => value !== "");
    const externalData = all.map(([key, value]) => ({ $typeName: "onnx.StringStringEntryProto" as const, key, value }));
    Object.assign(tensor, { rawData: new Uint8Array(), externalData, dataLocation: DataLocation.EXTERNAL });
  };
  moveOut(proto.graph?.initializer[0], "4", "16");
  moveOut(proto.graph?.node[1]?.attribute[0]?.t, "20", "12");
  return toBinary(ModelProtoSchema, proto);
}

const DATA = new Uint8Array(Float32Array.of(99, ...WEIGHT.data, ...HELD.data).buffer);

async function errorOf(work: Promise<unknown>): Promise<WildmarkError> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof WildmarkError) return error;
  throw new Error(`expected a WildmarkError, got ${String(error)}`);
}

const tensors = (model: Model): ReadonlyMap<string, Tensor> => storedTensors(model.graph);

test("external data is drawn in: the model is whole, and takes new weights", async () => {
  writeFileSync(path, externalModel({}));
  writeFileSync(join(folder, "m.data"), DATA);
  const model = await readModelFile(path);
  expect([...tensors(model)]).toEqual([
    ["w", WEIGHT],
    ["held", HELD],
  ]);
  const alone = decodeModel(encodeModel(model), "alone");
  expect([...tensors(alone)]).toEqual([...tensors(model)]);
  const changed = withWeights(model, new Map([["w", float32([2, 2], [9, 8, 7, 6])]]));
  expect(tensors(changed).get("w")?.data).toEqual(Float32Array.of(9, 8, 7, 6));
  expect(tensors(changed).get("held")).toEqual(HELD);
});

test("a data file in a folder below, and a link that stays inside, are allowed", async () => {
  mkdirSync(join(folder, "below"));
  writeFileSync(join(folder, "below", "real.data"), DATA);
  symlinkSync(join("below", "real.data"), join(folder, "link.data"));
  for (const location of ["below/real.data", "./link.data"]) {
    writeFileSync(path, externalModel({ location }));
    expect(tensors(await readModelFile(path)).get("w")).toEqual(WEIGHT);
  }
});

test("paths that leave the model's folder are refused, however they are written", async () => {
  const outside = join(folder, "..", "outside.data");
  writeFileSync(outside, DATA);
  mkdirSync(join(folder, "below"));
  symlinkSync(outside, join(folder, "link.data"));
  symlinkSync(join(folder, ".."), join(folder, "up"));
  const locations = [
    ...["../outside.data", "below/../../outside.data", "..\\outside.data", outside, "C:\\outside.data", "c:outside"],
    ...["\\\\host\\share", "link.data", "up/outside.data", "..", "m\0.data"],
  ];
  for (const location of locations) {
    writeFileSync(path, externalModel({ location }));
    const error = await errorOf(readModelFile(path));
    expect([location, error.code]).toEqual([location, "bad-file"]);
    expect(error.message).toMatch(/outside its own folder/);
    expect(error.message).toContain("m.onnx: ");
  }
});

test("data that is missing, too short or described wrongly is refused, naming tensor or file", async () => {
  const cases: [Readonly<Record<string, string>>, RegExp][] = [
    [{ location: "other.data" }, /Cannot read other\.data: there is no such file/],
    [{ location: "" }, /"w" lies in another file, but does not say in which/],
    [{ location: "." }, /"\." is not a file/],
    [{ offset: "24" }, /has 32 bytes; the model wants 16 at offset 24/],
    [{ offset: "9007199254740000" }, /the model wants 16 at offset 9007199254740000/],
    [{ offset: "-4" }, /"w" is said to lie at offset -4/],
    [{ offset: "0x4" }, /at offset 0x4/],
    [{ length: "12" }, /with 12 bytes; its shape \[2,2\] needs 16/],
  ];
  writeFileSync(join(folder, "m.data"), DATA);
  for (const [entries, message] of cases) {
    writeFileSync(path, externalModel(entries));
    const error = await errorOf(readModelFile(path));
    expect(error.code).toBe("bad-file");
    expect(error.message).toMatch(message);
  }
  const alone = await errorOf(Promise.resolve().then(() => decodeModel(externalModel({}), "m.onnx")));
  expect(alone.message).toMatch(/keeps "w" in another file, "m\.data"/);
});

test("a model file that is missing or a folder is refused", async () => {
  const missing = await errorOf(readModelFile(join(folder, "none.onnx")));
  expect([missing.code, missing.message]).toEqual(["bad-file", expect.stringMatching(/none\.onnx: .* no such file/)]);
  expect((await errorOf(readModelFile(folder))).code).toBe("bad-file");
});

test("a written model reads back as the same bytes, and overwrites nothing unless forced", async () => {
  writeFileSync(path, externalModel({}));
  writeFileSync(join(folder, "m.data"), DATA);
  const model = await readModelFile(path);
  const copy = join(folder, "..", "copy.onnx");
  await writeModelFile(copy, model);
  expect(encodeModel(await readModelFile(copy))).toEqual(encodeModel(model));
  expect((await errorOf(writeModelFile(copy, model))).code).toBe("cannot-write");
  await writeModelFile(copy, model, { force: true });
});
