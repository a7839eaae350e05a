/** @file What a model answers: the class with the largest score for every image. */

import { WildmarkError } from "../core/errors.js";
import { elementCount, type FloatTensor, float32 } from "../core/tensor.js";
import { findClassifier } from "../onnx/classifier.js";
import { encodeModel, type Model } from "../onnx/model.js";
import { createSession, type RuntimeOptions, type Session } from "../runtime/session.js";

/** Writes images `from` to `from + count` into `target`, in the model's input layout, values in [0, 1]. */
export type PackImages = (from: number, count: number, target: Float32Array) => void;

/** Images a run of the runtime sees at once: large enough to keep the cores busy, small enough to stay in cache. */
const CHUNK = 250;

/**
 * The model's answers on `count` images.
 *
 * @returns one class index an image; the first of equal scores wins.
 */
export async function predict(
  model: Model,
  pack: PackImages,
  count: number,
  options: RuntimeOptions = {},
): Promise<Uint16Array> {
  const { input, output } = findClassifier(model.graph);
  const imageDims = (input.dims ?? []).slice(1).map((dim) => (typeof dim === "number" ? dim : 1));
  const pixels = elementCount(imageDims);
  const session = await createSession(encodeModel(model), options);
  const buffer = new Float32Array(Math.min(CHUNK, count) * pixels);
  const answers = new Uint16Array(count);
  try {
    for (let from = 0; from < count; from += CHUNK) {
      const size = Math.min(CHUNK, count - from);
      const data = buffer.subarray(0, size * pixels);
      pack(from, size, data);
      const scores = await run(session, input.name, float32([size, ...imageDims], data), output);
      answers.set(largestPerRow(scores, size), from);
    }
  } finally {
    await session.release();
  }
  return answers;
}

/** Share of equal entries. */
export function agreement(answers: ArrayLike<number>, labels: ArrayLike<number>): number {
  let equal = 0;
  for (let i = 0; i < labels.length; i++) if (answers[i] === labels[i]) equal++;
  return equal / labels.length;
}

async function run(session: Session, name: string, images: FloatTensor, output: string): Promise<FloatTensor> {
  const scores = (await session.run(new Map([[name, images]]))).get(output);
  if (scores?.type !== "float32") {
    throw new WildmarkError(
      "bad-model",
      `Output "${output}" holds ${scores?.type ?? "nothing"}; expected float32 scores.`,
    );
  }
  return scores;
}

function largestPerRow(scores: FloatTensor, rowCount: number): Uint16Array {
  const columns = scores.data.length / rowCount;
  if (columns > 65_536) {
    throw new WildmarkError("bad-model", `The model answers ${columns} classes; Wildmark takes up to 65536.`);
  }
  if (scores.data.some(Number.isNaN)) {
    throw new WildmarkError("numeric", "The model answers NaN: its weights are damaged, or its training diverged.");
  }
  return Uint16Array.from({ length: rowCount }, (_, row) => {
    let best = 0;
    for (let column = 1; column < columns; column++) {
      if ((scores.data[row * columns + column] ?? 0) > (scores.data[row * columns + best] ?? 0)) best = column;
    }
    return best;
  });
}
