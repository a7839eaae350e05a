/** @file The layer that makes the scores, for methods that treat it apart. */

import { WildmarkError } from "../core/errors.js";
import type { FloatTensor } from "../core/tensor.js";
import { findClassifier } from "../onnx/classifier.js";
import type { Model } from "../onnx/model.js";
import { storedTensors } from "../onnx/traverse.js";

export interface LastLayer {
  /** Names of its stored tensors: weight and bias. */
  readonly names: readonly string[];
  /** Name of the weight matrix W. */
  readonly weight: string;
  /** What W holds. */
  readonly initial: FloatTensor;
}

/**
 * @param who what wants it, for the message: "RTLL".
 * @param hint what to do where there is none.
 * @throws WildmarkError `bad-model` where no layer makes the scores.
 */
export function lastLayerOf(model: Model, who: string, hint: string): LastLayer {
  const { lastLayer: names, note } = findClassifier(model.graph, model.head);
  const stored = storedTensors(model.graph);
  const found = names
    .flatMap((name) => {
      const tensor = stored.get(name);
      return tensor?.type === "float32" ? [{ name, tensor }] : [];
    })
    // The bias holds one number a class, whatever its dimensions; the matrix holds as many a feature.
    .toSorted((a, b) => b.tensor.data.length - a.tensor.data.length)[0];
  if (found === undefined) {
    const why = note === undefined ? "" : ` ${note}`;
    throw new WildmarkError("bad-model", `${who} needs a last layer; the model has none.${why}`, { hint });
  }
  return { names, weight: found.name, initial: found.tensor };
}
