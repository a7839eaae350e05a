/**
 * @file A network from PyTorch into ONNX, marked, and back into its state_dict: with PyTorch itself on both ends. Wants a
 * Python that imports torch (WILDMARK_PYTHON, python3 or /usr/bin/python3).
 */

import { execFile } from "node:child_process";
import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { beforeAll, describe, expect, test } from "vitest";
import { findPython } from "../perf/torch-side.js";
import { randomStream } from "../src/core/random.js";
import { decodeSafetensors, encodeSafetensors } from "../src/core/safetensors.js";
import { float32 } from "../src/core/tensor.js";
import { decodeModel } from "../src/onnx/model.js";
import { createSession } from "../src/runtime/session.js";
import { wildmark } from "./cli/command-line.js";

const python = await findPython("cpu");
const script = fileURLToPath(new URL("pytorch_side.py", import.meta.url));
const IMAGES = 16;

const torch = (...words: readonly string[]) => promisify(execFile)(python ?? "", [script, ...words]);

if (python === undefined) test.skip("wants a Python that imports torch", () => {});

describe.skipIf(python === undefined)("a network of PyTorch", () => {
  let folder = "";

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "wildmark-pytorch-"));
    await torch("make", folder);
  });

  /** What the ONNX file answers to images that PyTorch is asked too. */
  async function keepAnswers(file: string): Promise<void> {
    const stream = randomStream(1, "images");
    const dims = [IMAGES, 1, 28, 28];
    const images = float32(
      dims,
      Float32Array.from({ length: IMAGES * 28 * 28 }, () => stream.uniform()),
    );
    const { graph } = decodeModel(await readFile(join(folder, file)), file);
    const session = await createSession(graph);
    const scores = (await session.run(new Map([["input", images]]))).get("scores");
    await session.release();
    if (scores === undefined) throw new Error("no scores");
    const tensors = new Map([
      ["images", images],
      ["scores", scores],
    ]);
    await writeFile(join(folder, "images.safetensors"), encodeSafetensors({ metadata: new Map(), tensors }));
  }

  const kinds = ["folded", "whole"].flatMap((kind) => [9, 11, 13, 17].map((opset) => `${kind}-${opset}`));

  test.each(kinds)("%s: marked, and back", async (kind) => {
    const marking = `embed ${kind}.onnx --scheme content --dataset digits --limit 300 --epochs 1 --as-read`;
    const marked = await wildmark(folder, `${marking} --out m-${kind}.onnx --key k-${kind}.safetensors`);
    expect(marked.status, marked.stderr).toBe(0);
    const back = `weights m-${kind}.onnx --from ${kind}.onnx --like net.safetensors --out m-${kind}.safetensors`;
    const written = await wildmark(folder, back);
    expect(written.status, written.stderr).toBe(0);
    await keepAnswers(`m-${kind}.onnx`);
    const { stdout } = await torch("compare", folder, join(folder, `m-${kind}.safetensors`));
    expect(Number(stdout)).toBeLessThan(1e-4);

    // And the other way: the same model again, but for rounding.
    const there = `weights apply ${kind}.onnx m-${kind}.safetensors --like net.safetensors --out again-${kind}.onnx`;
    const applied = await wildmark(folder, there);
    expect(applied.status, applied.stderr).toBe(0);
    await keepAnswers(`again-${kind}.onnx`);
    expect(Number((await torch("compare", folder, join(folder, `m-${kind}.safetensors`))).stdout)).toBeLessThan(1e-4);
    const tensors = decodeSafetensors(await readFile(join(folder, `m-${kind}.safetensors`)), kind).tensors;
    expect([...tensors.keys()].filter((name) => name.endsWith("num_batches_tracked"))).toHaveLength(8);
  });
});
