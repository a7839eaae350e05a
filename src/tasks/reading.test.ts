/**
 * @file That nothing is trained on a reading that another clearly beats, nor written where a rival reading was ruined.
 */

import { beforeAll, expect, test } from "vitest";
import { embed, evaluate, remove } from "../api.js";
import { bestReading } from "../data/best-reading.js";
import type { Dataset } from "../data/dataset.js";
import { makeDataset } from "../data/dataset.js";
import { wrapped } from "../data/testing/wrapped.js";
import { type Model, withPreprocessing, withWeights } from "../onnx/model.js";
import { storedTensors } from "../onnx/traverse.js";
import { learnt, tinyImages, tinyModel } from "../training/testing/tiny.js";
import { requireUnharmed, settleReading } from "./reading.js";

const dataset: Dataset = makeDataset({
  id: "tiny",
  title: "Tiny images",
  train: tinyImages(200, { seed: 1 }),
  test: tinyImages(200, { seed: 2 }),
});
const { shape } = dataset.test;
const bytes = { layout: "NCHW", range: [0, 255], mean: [0], std: [1], channelOrder: "RGB" } as const;
let right: Model;
/** The same network for pixels of 0 to 255. */
let wrong: Model;

beforeAll(async () => {
  right = await learnt(tinyModel(), dataset.train, 25);
  wrong = wrapped(right, shape, bytes);
});

const settling = (notes: string[] = [], asRead = false) => ({
  where: "m.onnx",
  asRead,
  words: "flags" as const,
  progress: { update: () => {}, note: (line: string) => notes.push(line) },
});

test("the right reading is settled without a word", async () => {
  const notes: string[] = [];
  const { best, used } = await settleReading(right, dataset.test, settling(notes));
  expect(used.accuracy).toBeGreaterThan(0.6);
  expect(best.reading.range).toEqual([0, 1]);
  expect(notes).toEqual([]);
});

test("an assumed reading that another clearly beats is refused, with the flags that mend it", async () => {
  await expect(settleReading(wrong, dataset.test, settling())).rejects.toMatchObject({
    code: "usage",
    message: expect.stringMatching(
      /^m\.onnx is read otherwise than it was trained: read as 0 to 255 it answers .* read as assumed/,
    ),
    hint: "--range 0,255 says so; --as-read goes on all the same.",
  });
});

test("so is what the file alone says; what the user says is warned of, and so is --as-read", async () => {
  const says = { range: [1, 0] as const };
  const byFile = withPreprocessing(right, { from: "metadata", says });
  await expect(settleReading(byFile, dataset.test, settling())).rejects.toMatchObject({ hint: /--range 0,1/ });
  for (const from of ["--range", "m.wildmark.json"]) {
    const notes: string[] = [];
    await settleReading(withPreprocessing(right, { from, says }), dataset.test, settling(notes));
    expect(notes).toEqual([
      expect.stringMatching(/^warning: m\.onnx is read as you say, but read as 0 to 1 it answers/),
    ]);
  }
  const notes: string[] = [];
  await settleReading(wrong, dataset.test, settling(notes, true));
  expect(notes).toEqual([expect.stringMatching(/^warning: m\.onnx is read as it is, but read as 0 to 255/)]);
});

test("a model that guesses however it is read is said to", async () => {
  const weights = [...storedTensors(right.graph)].flatMap(([name, tensor]) =>
    tensor.type === "float32" ? [[name, { ...tensor, data: new Float32Array(tensor.data.length) }] as const] : [],
  );
  const notes: string[] = [];
  await settleReading(withWeights(right, new Map(weights)), dataset.test, settling(notes));
  expect(notes).toEqual([
    expect.stringMatching(/^warning: m\.onnx only guesses on these data, however it is read: \d+ readings/),
  ]);
});

test("what was learnt must not ruin a reading that fitted as well", async () => {
  const before = await bestReading(right, dataset.test);
  await expect(requireUnharmed(right, dataset.test, before, settling())).resolves.toBeUndefined();
  // Suppose that black on white had fitted as well before.
  const rival = before.scores.find(({ reading }) => reading.name === "1 to 0");
  if (rival === undefined) throw new Error("black on white is always tried");
  const twin = { ...rival, accuracy: before.used.accuracy, plausible: true, finished: true };
  const scores = [before.used, twin];
  // The one that it learnt under fits best: most likely it was trained so, and a warning is enough.
  const notes: string[] = [];
  await requireUnharmed(right, dataset.test, { ...before, best: before.used, scores }, settling(notes));
  expect(notes).toEqual([
    expect.stringMatching(/^warning: m\.onnx may have been trained otherwise .*; --range 1,0 says so/),
  ]);
  // The other one does.
  await expect(
    requireUnharmed(right, dataset.test, { ...before, best: twin, scores }, settling()),
  ).rejects.toMatchObject({
    code: "usage",
    message: expect.stringMatching(
      /^m\.onnx may have been trained otherwise than it is read: read as 1 to 0 it fitted as well/,
    ),
    hint: "Say how it is run: --range 1,0, or --as-read where it is run as it is read now.",
  });
});

test("calls behave alike: evaluate tells, embed and remove refuse unless told", async () => {
  const found = await evaluate({ model: wrong, dataset });
  expect(found.better).toMatchObject({ preprocessing: { range: [0, 255] }, flags: "--range 0,255", images: 200 });
  expect(found.better?.accuracy).toBeGreaterThan(0.6);
  expect((await evaluate({ model: right, dataset })).better).toBeUndefined();
  const marking = { model: wrong, dataset, scheme: "noise", options: { triggers: 20, heldOut: 4 } } as const;
  await expect(embed(marking)).rejects.toMatchObject({
    code: "usage",
    hint: '{ preprocessing: {"range":[0,255]} } says so; asRead: true goes on all the same.',
  });
  const attack = { model: wrong, dataset, method: "fine-tune", options: { epochs: 1 }, fraction: 0.5 } as const;
  await expect(remove(attack)).rejects.toMatchObject({ code: "usage" });
  const said = withPreprocessing(wrong, { from: "preprocessing", says: { range: [0, 255] } });
  expect((await remove({ ...attack, model: said })).accuracyBefore).toBeGreaterThan(0.6);
  expect((await remove({ ...attack, asRead: true })).accuracyBefore).toBeLessThan(0.6);
});
