/** @file Asks models for the classes of fresh digits, clean or changed. */

import { packImages } from "../../data/batches.js";
import type { Model } from "../../onnx/model.js";
import { askModel } from "../../training/ask.js";
import { fresh } from "./trained.js";

const SIZE = 28 * 28;

function pixelsOf(): readonly Float32Array[] {
  const all = new Float32Array(fresh.count * SIZE);
  packImages(
    fresh,
    Array.from({ length: fresh.count }, (_, i) => i),
    all,
  );
  return Array.from({ length: fresh.count }, (_, i) => all.slice(i * SIZE, (i + 1) * SIZE));
}

export const cleanPixels = { rows: pixelsOf(), labels: [...fresh.labels] };

export function answersTo(model: Model): Promise<number[]> {
  return answersToFloats(model, cleanPixels.rows);
}

/** One at a time, since a planted If chooses for a whole batch. */
export async function answersToFloats(model: Model, rows: readonly Float32Array[]): Promise<number[]> {
  const answers = await askModel(model, {
    shape: fresh.shape,
    count: rows.length,
    pack(from, count, target) {
      for (let i = 0; i < count; i++) target.set(rows[from + i] ?? [], i * SIZE);
    },
  });
  return [...answers];
}
