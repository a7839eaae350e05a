/** @file Commands that change weights say what is planted in the graph, and that it stays there. */

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { scanGraph } from "../../src/detection/scan.js";
import { plantedModels } from "../../src/detection/testing/planting.js";
import { digits, subjectOf } from "../../src/detection/testing/trained.js";
import { findArchitecture, newModel } from "../../src/models/registry.js";
import { encodeModel } from "../../src/onnx/model.js";
import { readModelFile } from "../../src/onnx/model-file.js";
import { wildmark, workFolder } from "./command-line.js";

const work = await workFolder();
const { folder } = work;
afterAll(work.remove);

beforeAll(async () => {
  const clean = newModel(findArchitecture("cnn-2"), { ...digits.shape, classes: digits.classes }, 1);
  const planted = plantedModels(clean).find(({ name }) => name === "ShadowLogic");
  await writeFile(join(folder, "planted.onnx"), encodeModel(planted?.model ?? clean));
  await writeFile(join(folder, "clean.onnx"), encodeModel(clean));
});

const DATA = "--dataset digits --limit 400 --test-limit 50";
const REMOVE = `${DATA} --method fine-tune --fraction 0.5 --epochs 1`;

const documentSchema = z.object({
  graph: z.object({
    before: z.array(z.object({ level: z.string() })),
    cut: z.array(z.object({ removed: z.array(z.string()) })),
    after: z.array(z.object({ level: z.string() })),
    gateStands: z.boolean(),
  }),
});

test("remove tells that a gate stands, before and after", async () => {
  const { status, stdout, stderr } = await wildmark(folder, `remove planted.onnx ${REMOVE} --out a.onnx --as-read`);
  expect(status, stderr).toBe(0);
  expect(stderr).toMatch(/warning: the model: something is planted in its graph\. 9 nodes/);
  expect(stdout).toMatch(/The model is not clean: something is still planted in its graph\. --cut cuts it out first\./);
});

test.each(["fine-tune", "scratch"])("remove --cut with %s leaves none", async (method) => {
  const line = `remove planted.onnx ${REMOVE} --method ${method} --cut --out ${method}.onnx --as-read`;
  const { status, stdout, stderr } = await wildmark(folder, `${line.replace("--method fine-tune ", "")} --json`);
  expect(status, stderr).toBe(0);
  const { graph } = documentSchema.parse(JSON.parse(stdout));
  expect(graph).toMatchObject({ gateStands: false });
  expect(graph.before[0]?.level).toBe("planted");
  expect(graph.cut[0]?.removed.length).toBeGreaterThan(8);
  const out = await readModelFile(join(folder, `${method}.onnx`));
  expect((await scanGraph(subjectOf(out))).filter(({ level }) => level !== "note")).toEqual([]);
});

test("of a clean graph nothing is said", async () => {
  const line = `remove clean.onnx ${REMOVE} --cut --out clean-out.onnx --as-read`;
  const { status, stdout, stderr } = await wildmark(folder, line);
  expect(status, stderr).toBe(0);
  expect(`${stdout}${stderr}`).not.toMatch(/planted|graph/);
});

test("embed tells it of the model that it goes on with", async () => {
  const line = `embed planted.onnx ${DATA} --triggers 10 --held-out 5 --epochs 1 --as-read --out m.onnx --key m.key --json`;
  const { status, stdout, stderr } = await wildmark(folder, line);
  expect(status, stderr).toBe(0);
  expect(stderr).toMatch(/warning: planted\.onnx: something is planted in its graph/);
  const { graph } = z.object({ graph: z.array(z.object({ level: z.string() })) }).parse(JSON.parse(stdout));
  expect(graph[0]?.level).toBe("planted");
});
