/**
 * @file How a model's answers are read, said on the command line: which output, layer and classes; and suspects that
 * only run.
 */

import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { float32, int64 } from "../../src/core/tensor.js";
import { graphBuilder } from "../../src/onnx/builder.js";
import { encodeGraph } from "../../src/onnx/encode.js";
import { decodeModel } from "../../src/onnx/model.js";
import { wildmark, workFolder } from "./command-line.js";
import { modelBytes } from "./fixtures.js";

const work = await workFolder();
const { folder } = work;
afterAll(work.remove);

const grey = { channels: 1, height: 28, width: 28 };
const DATA = "--dataset digits --limit 200 --test-limit 100";

/** LeNet-5 of twelve classes, and the same with its answers in other forms. */
beforeAll(async () => {
  const plain = decodeModel(modelBytes(grey, 12), "twelve").graph;
  const [scores] = plain.outputs;
  if (scores === undefined) throw new Error("no output");
  const b = () => graphBuilder("m", { from: plain, keepOutputs: true });
  const two = b();
  two.output(two.op("Softmax", [scores.name], { axis: -1 }, { name: "shares" }), "float32", ["N", 12]);
  const labels = graphBuilder("m", { from: plain });
  labels.output(labels.op("ArgMax", [scores.name], { axis: 1, keepdims: 0 }), "int64", ["N"]);
  const chosen = graphBuilder("m", { from: plain });
  const ten = chosen.initializer("ten", int64([10], [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]));
  chosen.output(chosen.op("Gather", [scores.name, ten], { axis: 1 }), "float32", ["N", 10]);
  const one = graphBuilder("m", { from: plain });
  const column = one.op("MatMul", [
    scores.name,
    one.initializer("column", float32([12, 1], new Float32Array(12).fill(1))),
  ]);
  one.output(one.op("Sigmoid", [column]), "float32", ["N", 1]);
  const files = { twelve: plain, two: two.build(), labels: labels.build(), ten: chosen.build(), one: one.build() };
  for (const [name, graph] of Object.entries(files)) {
    await writeFile(join(folder, `${name}.onnx`), encodeGraph(graph));
  }
});

test("--classes: more classes than the data has are refused without it, and read by it", async () => {
  const refused = await wildmark(folder, `evaluate twelve.onnx ${DATA}`);
  expect(refused).toMatchObject({ status: 2, stderr: expect.stringMatching(/tells 12 classes apart.*\n.*--classes/) });
  const accuracyOf = async (line: string): Promise<unknown> => {
    const { status, stdout, stderr } = await wildmark(folder, `${line} ${DATA} --json`);
    expect(status, stderr).toBe(0);
    return JSON.parse(stdout).correct;
  };
  expect(await accuracyOf("evaluate twelve.onnx --classes 9,8,7,6,5,4,3,2,1,0")).toBe(
    await accuracyOf("evaluate ten.onnx"),
  );
  expect(await accuracyOf("evaluate two.onnx --output shares --classes 0-9")).toBe(
    await accuracyOf("evaluate twelve.onnx --classes 0-9"),
  );
});

test.each([
  ["3", /--classes 3: .*2/],
  ["3,3", /a class is named twice/],
  ["cat,dog", /"cat" is no class of the model.\n.*give their numbers/],
  ["9-3", /"9-3" is no class/],
  ["0-8,12", /names class 12/],
])("--classes %s is refused", async (list, message) => {
  const { status, stderr } = await wildmark(folder, `evaluate twelve.onnx --classes ${list} ${DATA}`);
  expect(stderr).toMatch(message);
  expect(status).toBe(2);
});

test("info shows what is said, and what can only be asked", async () => {
  const said = await wildmark(folder, "info two.onnx --output shares --classes 3,5");
  expect(said.stdout).toMatch(/How its answers are read:\n {2}output {3}shares\n {2}classes {2}3, 5/);
  expect(said.stdout).toMatch(/last layer {2}\S/);
  const labels = await wildmark(folder, "info labels.onnx");
  expect(labels.stdout).toMatch(/no classifier .*int64; expected float32 scores/);
  expect(labels.stdout).toMatch(/verify and evaluate can ask it/);
  const one = JSON.parse((await wildmark(folder, "info one.onnx --binary --json")).stdout);
  expect(one).toMatchObject({ head: { binary: true }, classifier: { classes: 2 }, askable: true });
});

test("evaluate asks what cannot train", async () => {
  const { status, stdout, stderr } = await wildmark(folder, `evaluate labels.onnx ${DATA} --classes 0-9 --json`);
  expect(status, stderr).toBe(0);
  const plain = await wildmark(folder, `evaluate twelve.onnx ${DATA} --classes 0-9 --json`);
  // A label beyond the ten is wrong; the plain file answers the best of the ten.
  expect(JSON.parse(stdout).correct).toBeLessThanOrEqual(JSON.parse(plain.stdout).correct);
});

test("embed trains the classes that are asked for, and what is written is read in the same way", async () => {
  const marked = await wildmark(
    folder,
    `embed two.onnx --output shares --classes 0-9 --scheme noise ${DATA} --triggers 10 --held-out 5 --epochs 2 ` +
      "--out marked.onnx --key marked.key --json",
  );
  expect(marked.status, marked.stderr).toBe(0);
  const sidecar = JSON.parse(await readFile(join(folder, "marked.wildmark.json"), "utf8"));
  expect(sidecar).toEqual({ output: "shares", classes: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9] });
  const accuracy = JSON.parse(marked.stdout).measured.accuracy;
  const after = await wildmark(folder, `evaluate marked.onnx ${DATA} --json`);
  expect(JSON.parse(after.stdout).accuracy, after.stderr).toBe(accuracy);
  const without = await wildmark(folder, `embed --binary ${DATA} --out x.onnx --key x.key`);
  expect(without).toMatchObject({ status: 2, stderr: expect.stringMatching(/--binary speak of a given model/) });
});

const WORDS = "zero one two three four five six seven eight nine ten eleven".split(" ");

test("names of the file's own are taken as classes", async () => {
  const proto = decodeModel(modelBytes(grey, 12), "twelve").graph;
  const names = `{${Array.from({ length: 12 }, (_, i) => `${i}: '${WORDS[i]}'`).join(", ")}}`;
  await writeFile(join(folder, "named.onnx"), encodeGraph(proto, { properties: { names } }));
  const { stdout, stderr } = await wildmark(folder, "info named.onnx --classes Nine,eleven --json");
  expect(JSON.parse(stdout).head, stderr).toEqual({ classes: [9, 11] });
});
