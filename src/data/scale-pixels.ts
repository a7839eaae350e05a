/** @file Pixels as a reading gives them to a model, but for their layout, which the model's own graph does. */

import type { ImageShape } from "../core/image.js";
import type { Preprocessing } from "../onnx/preprocessing.js";
import { pixelScaling } from "../onnx/readings.js";

/** The rest of a reading where pixels are scaled beforehand: nothing is done to them. */
export const UNSCALED: Omit<Preprocessing, "layout"> = { range: [0, 1], mean: [0], std: [1], channelOrder: "RGB" };

/**
 * Writes one image [C, H, W] to `target` from `at` on, scaled and in the reading's order of channels.
 *
 * @param pixels from 0 to `white`.
 */
export type PixelScaler = (pixels: ArrayLike<number>, target: Float32Array, at: number) => void;

export function pixelScaler(
  reading: Preprocessing,
  { channels, height, width }: ImageShape,
  white: number,
): PixelScaler {
  const area = height * width;
  const scaling = pixelScaling(reading, channels);
  const planes = Array.from({ length: channels }, (_, channel) => ({
    source: area * (reading.channelOrder === "BGR" && channels === 3 ? 2 - channel : channel),
    factor: (scaling?.factors[channel] ?? 1) / white,
    shift: scaling?.shifts[channel] ?? 0,
  }));
  return (pixels, target, at) => {
    planes.forEach(({ source, factor, shift }, channel) => {
      const write = at + channel * area;
      for (let i = 0; i < area; i++) target[write + i] = (pixels[source + i] ?? 0) * factor + shift;
    });
  };
}
