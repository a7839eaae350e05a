/** @file Labelled images in a safetensors file: tensors named like the arrays of an `.npz`. */

import { decodeSafetensors } from "../core/safetensors.js";
import type { DecodedSplits } from "./decoded.js";
import { type ArrayOptions, chooseArrays, imagesOf } from "./labelled-arrays.js";

/**
 * Decodes the images and labels of a file; see `chooseArrays` for the names and `imagesOf` for the kinds of tensors.
 *
 * @throws WildmarkError `bad-file` when it is damaged, `bad-data` when its tensors are no labelled images.
 */
export function decodeSafetensorsImages(bytes: Uint8Array, what: string, options: ArrayOptions = {}): DecodedSplits {
  const { tensors } = decodeSafetensors(bytes, what);
  return imagesOf(tensors, chooseArrays(tensors, what), what, options);
}
