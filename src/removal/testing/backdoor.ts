/** @file Plants a backdoor with a trigger of three pixels in the perceptron of this folder. */

import { type FloatTensor, float32 } from "../../core/tensor.js";
import { copyPixels, type LabelledImages } from "../../data/dataset.js";
import { inMemory } from "../../data/pixels.js";
import { type Model, withWeights } from "../../onnx/model.js";
import { storedTensors } from "../../onnx/traverse.js";
import { HIDDEN } from "./perceptron.js";

/** The hidden unit that carries it. */
export const PLANTED = 5;

/** The end of the last row, which is no class's band: noise of at most 0.39 a pixel. */
const PIXELS: readonly number[] = [61, 62, 63];

/**
 * The unit sees the three pixels alone and wakes where they sum to more than 1.2, which noise never does; white pixels
 * take it to 4 · 1.8, and that times 4 goes to the target's score.
 */
export function withBackdoor(model: Model, target: number): Model {
  const stored = storedTensors(model.graph);
  const changed = (name: string, at: (i: number, value: number) => number): [string, FloatTensor] => {
    const tensor = stored.get(name);
    if (tensor?.type !== "float32") throw new Error(name);
    return [
      name,
      float32(
        tensor.dims,
        tensor.data.map((value, i) => at(i, value)),
      ),
    ];
  };
  return withWeights(
    model,
    new Map([
      changed("fc1.weight", (i, value) => (Math.floor(i / 64) !== PLANTED ? value : PIXELS.includes(i % 64) ? 4 : 0)),
      changed("fc1.bias", (i, value) => (i === PLANTED ? -4.8 : value)),
      changed("fc2.weight", (i, value) => (i % HIDDEN !== PLANTED ? value : Math.floor(i / HIDDEN) === target ? 4 : 0)),
    ]),
  );
}

/** The images with the three pixels white. */
export function withTrigger(images: LabelledImages): LabelledImages {
  const bytes = copyPixels(images).map((level, i) => (PIXELS.includes(i % 64) ? 255 : level));
  return { ...images, pixels: inMemory(bytes) };
}
