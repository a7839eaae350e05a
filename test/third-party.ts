/** @file The models in the folder WILDMARK_MODELS with their reference outputs, and how each wants its images. */

import { existsSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { z } from "zod";
import { type Dataset, type LabelledImages, makeDataset } from "../src/data/dataset.js";
import { inMemory } from "../src/data/pixels.js";
import { loadDataset } from "../src/data/registry.js";
import { type Model, withPreprocessing } from "../src/onnx/model.js";
import { readModelFile } from "../src/onnx/model-file.js";
import type { PreprocessingSource } from "../src/onnx/preprocessing.js";

export interface ThirdParty {
  readonly file: string;
  readonly dataset: "mnist" | "cifar-10";
  readonly says: PreprocessingSource["says"];
  /** Of the first 16 test images. */
  readonly outputs: readonly (readonly number[])[];
}

/** The words for preprocessings in the reference file. */
const PREPROCESSINGS: Readonly<Record<string, PreprocessingSource["says"]>> = {
  "0..1": {},
  "0..1 NHWC": {},
  "raw0-255": { range: [0, 255] },
  "kw .225": { mean: [0.485, 0.456, 0.406], std: [0.225] },
  "cifar .2471": { mean: [0.4914, 0.4822, 0.4465], std: [0.2471, 0.2435, 0.2616] },
};

const referenceSchema = z.object({
  models: z.record(z.string(), z.object({ preprocess: z.string(), first16_outputs: z.array(z.array(z.number())) })),
});

const folder = process.env.WILDMARK_MODELS ?? "";
const CIFAR = "cifar-10-batches-bin";
const data = process.env.WILDMARK_DATA ?? "";

/** Empty where the folder or the data are not on this machine. */
export const thirdPartyModels: readonly ThirdParty[] =
  folder !== "" &&
  existsSync(join(folder, "reference_outputs.json")) &&
  existsSync(join(data, "mnist")) &&
  existsSync(join(data, CIFAR))
    ? read(readFileSync(join(folder, "reference_outputs.json"), "utf8"))
    : [];

function read(json: string): ThirdParty[] {
  const { models } = referenceSchema.parse(JSON.parse(json));
  return Object.entries(models).map(([name, { preprocess, first16_outputs }]) => {
    const says = PREPROCESSINGS[preprocess];
    if (says === undefined) throw new Error(`unknown preprocessing "${preprocess}"`);
    const dataset = name.startsWith("mnist/") ? "mnist" : "cifar-10";
    return { file: basename(name), dataset, says, outputs: first16_outputs };
  });
}

export async function loadThirdParty(
  { file, says, dataset: id }: ThirdParty,
  limits: { readonly train?: number; readonly test?: number } = {},
): Promise<{ readonly model: Model; readonly dataset: Dataset }> {
  const model = withPreprocessing(await readModelFile(join(folder, file)), { from: "the reference", says });
  return { model, dataset: id === "mnist" ? await loadDataset(id, { limits }) : cifar10(limits) };
}

/** The official binary files: a label and 3072 pixels an image. */
function cifar10({ train = 50_000, test = 10_000 }: { readonly train?: number; readonly test?: number }): Dataset {
  const read = (files: readonly string[], limit: number): LabelledImages => {
    const bytes = Buffer.concat(files.map((file) => readFileSync(join(data, CIFAR, file))));
    const count = Math.min(limit, bytes.length / 3073);
    const pixels = new Uint8Array(count * 3072);
    for (let i = 0; i < count; i++) pixels.set(bytes.subarray(i * 3073 + 1, (i + 1) * 3073), i * 3072);
    const labels = Uint16Array.from({ length: count }, (_, i) => bytes[i * 3073] ?? 0);
    return { shape: { channels: 3, height: 32, width: 32 }, classes: 10, count, pixels: inMemory(pixels), labels };
  };
  const batches = [1, 2, 3, 4, 5].map((i) => `data_batch_${i}.bin`);
  return makeDataset({
    id: "cifar-10",
    title: "CIFAR-10",
    train: read(batches, train),
    test: read(["test_batch.bin"], test),
  });
}
