/**
 * @file Whether a model and images belong together, checked before anything long is begun.
 *
 * ONNX Runtime would refuse most misfits too, but late, and in its own words; a class count that differs it would not even
 * notice.
 */

import { type ErrorCode, WildmarkError } from "../core/errors.js";
import type { ImageShape } from "../data/dataset.js";
import { takesImages } from "../data/input.js";
import { describeDims, findClassifier } from "../onnx/classifier.js";
import type { ValueInfo } from "../onnx/graph.js";
import type { Model } from "../onnx/model.js";

/** What a model is to be run on. */
export interface Fitting {
  /** What the images are, for the message: "the images of mnist", "the key mark.safetensors". */
  readonly what: string;
  readonly shape: ImageShape;
  readonly classes: number;
  /** `bad-data` for data sets (the default), `bad-key` for keys. */
  readonly code?: ErrorCode;
}

/**
 * @param where names the model in messages: its path.
 * @throws WildmarkError `bad-model` when the model is no classifier that Wildmark can run on images of a known size;
 *   `bad-data` or `bad-key` when it is one for other images or another number of classes.
 */
export function requireFit(model: Model, where: string, fitting: Fitting): void {
  const { input, classes } = classifierOf(model, where);
  const { what, shape, code = "bad-data" } = fitting;
  requireFixedImage(input, where);
  const found = `${where} takes ${describeDims(input.dims)}`;
  const expected = `${what} ${verbFor(what)} ${shape.channels}×${shape.height}×${shape.width} (channels × height × width)`;
  if (!takesImages(input, shape)) {
    throw new WildmarkError(code, `${found}, but ${expected}.`, {
      hint: "Choose the model and the data that belong together.",
    });
  }
  if (classes !== undefined && classes !== fitting.classes) {
    throw new WildmarkError(
      code,
      `${where} tells ${classes} classes apart, but ${what} ${what.startsWith("the key") ? "was made for" : "have"} ${fitting.classes}.`,
      { hint: "Choose the model and the data that belong together." },
    );
  }
}

function verbFor(what: string): string {
  return what.startsWith("the key") ? "holds images of" : "are";
}

function classifierOf(model: Model, where: string) {
  try {
    return findClassifier(model.graph);
  } catch (error) {
    if (!(error instanceof WildmarkError)) throw error;
    const { code, message, hint } = error;
    throw new WildmarkError(code, `${where}: ${message}`, { ...(hint === undefined ? {} : { hint }), cause: error });
  }
}

/** The batch must be free, all other dimensions fixed. */
function requireFixedImage({ name, dims }: ValueInfo, where: string): void {
  const [batch, ...image] = dims ?? [];
  if (image.length === 0 || image.some((dim) => typeof dim !== "number")) {
    throw new WildmarkError(
      "bad-model",
      `${where}: input "${name}" is ${describeDims(dims)}; its image size is not fixed.`,
      {
        hint: "Export the model for one image size; only the batch may be dynamic.",
      },
    );
  }
  if (typeof batch === "number") {
    throw new WildmarkError(
      "bad-model",
      `${where}: input "${name}" is ${describeDims(dims)}; it takes exactly ${batch} images at once.`,
      { hint: "Export the model with a dynamic batch (PyTorch: dynamic_axes or dynamic_shapes for axis 0)." },
    );
  }
}
