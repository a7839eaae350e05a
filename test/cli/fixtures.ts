/** @file Models and keys that fit, and that do not, written without any training. */

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ImageShape } from "../../src/data/dataset.js";
import { findArchitecture, newModel } from "../../src/models/registry.js";
import { encodeModel } from "../../src/onnx/model.js";
import type { Key } from "../../src/ownership/key.js";
import { encodeKey } from "../../src/ownership/key-file.js";

const grey: ImageShape = { channels: 1, height: 28, width: 28 };
const colour: ImageShape = { channels: 3, height: 32, width: 32 };

/**
 * Writes model.onnx, colour.onnx and five.onnx (classes), each with a key beside it: model.key, colour.key, five.key.
 */
export async function writeFixtures(folder: string): Promise<void> {
  for (const [name, shape, classes] of [
    ["model", grey, 10],
    ["colour", colour, 10],
    ["five", grey, 5],
  ] as const) {
    await writeFile(join(folder, `${name}.onnx`), modelBytes(shape, classes));
    await writeFile(join(folder, `${name}.key`), encodeKey(keyFor(shape, classes)));
  }
}

/** A freshly drawn model. */
export function modelBytes(shape: ImageShape, classes: number): Uint8Array {
  return encodeModel(newModel(findArchitecture("lenet5"), { ...shape, classes }, 0));
}

function keyFor(shape: ImageShape, classes: number): Key {
  const count = 4;
  const images = new Uint8Array(count * shape.channels * shape.height * shape.width).fill(7);
  return {
    scheme: "content",
    seed: 0,
    classes,
    shape,
    triggers: { images, count, labels: new Uint16Array(count).fill(1) },
    heldOut: undefined,
    placebos: undefined,
    sourceLabels: undefined,
    options: {},
    modelSha256: "0".repeat(64),
    createdBy: "wildmark test",
  };
}
