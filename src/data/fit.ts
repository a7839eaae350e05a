/**
 * @file Whether a model and images belong together, checked before anything long is begun.
 *
 * ONNX Runtime would refuse most misfits too, but late, and in its own words; a class count that differs it would not even
 * notice.
 */

import { type ErrorCode, WildmarkError } from "../core/errors.js";
import { describeShape, type ImageShape } from "../core/image.js";
import { describeDims } from "../onnx/classifier.js";
import { imageGraph } from "../onnx/image-graph.js";
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
 * @throws WildmarkError `bad-model` when the model is no classifier that Wildmark can run; `bad-data` or `bad-key` when it
 *   is one for other images or another number of classes.
 */
export function requireFit(model: Model, where: string, fitting: Fitting): void {
  const { what, shape, code = "bad-data" } = fitting;
  const [holds, knows] = what.startsWith("the key") ? ["holds images of", "was made for"] : ["are", "have"];
  const { classes } = fittingGraph(model, where, shape, () => {
    const takes = `${where} takes ${describeDims(model.graph.inputs[0]?.dims)}`;
    return new WildmarkError(
      code,
      `${takes}, but ${what} ${holds} ${describeShape(shape)} (channels × height × width).`,
      { hint: "Choose the model and the data that belong together; --layout says how the model lays images out." },
    );
  });
  if (classes !== undefined && classes !== fitting.classes) {
    throw new WildmarkError(code, `${where} tells ${classes} classes apart, but ${what} ${knows} ${fitting.classes}.`, {
      hint: "Choose the model and the data that belong together.",
    });
  }
}

function fittingGraph(model: Model, where: string, shape: ImageShape, misfit: () => WildmarkError) {
  try {
    return imageGraph(model, shape).classifier;
  } catch (error) {
    if (!(error instanceof WildmarkError)) throw error;
    const { code, message, hint } = error;
    if (code === "bad-data") throw misfit();
    throw new WildmarkError(code, `${where}: ${message}`, { ...(hint === undefined ? {} : { hint }), cause: error });
  }
}
