/** @file What a model answers: the class with the largest score for every image. */

import { WildmarkError } from "../core/errors.js";
import type { ImageShape } from "../core/image.js";
import { elementCount, type FloatTensor, float32 } from "../core/tensor.js";
import { imageGraph } from "../onnx/image-graph.js";
import type { Model } from "../onnx/model.js";
import { createSession, type RuntimeOptions, type Session } from "../runtime/session.js";
import { askedTogether, freeImageGraph } from "./rows.js";
import { inChunks, isLarge, liveBytes, measuringMemory, rowsThatFit } from "./rows-at-once.js";

/** Images to be asked. */
export interface Questions {
  readonly shape: ImageShape;
  readonly count: number;
  /** Writes images `from` to `from + count` into `target`, [count, C, H, W], values in [0, 1]. */
  pack(from: number, count: number, target: Float32Array): void;
  /** Gets the scores of images `from` and following, a row each, where more than the largest is wanted. */
  readonly see?: (scores: FloatTensor, from: number) => void;
}

/** Images a run of the runtime sees at once: large enough to keep the cores busy, small enough to stay in cache. */
const CHUNK = 250;

/**
 * Pixels that a GPU sees at once, where images are so small that there are more of them: a run costs milliseconds
 * whatever it does (LeNet-5 on an NVIDIA H100: 250 images 2.8 ms, 1000 images 5.1).
 */
const PIXELS_ON_GPU = 2 ** 20;

function chunkOf(pixels: number, { device = "cpu" }: RuntimeOptions): number {
  return device === "cpu" ? CHUNK : Math.max(CHUNK, Math.floor(PIXELS_ON_GPU / pixels));
}

/** A model that is asked again and again. */
export interface Predictor {
  /**
   * One class index an image; the first of equal scores wins. The questions are of the shape that it was opened for.
   */
  answers(questions: Questions): Promise<Uint16Array>;
  release(): Promise<void>;
}

/**
 * The model's answers on images, whatever form it wants them in (`imageGraph`).
 *
 * @returns one class index an image; the first of equal scores wins.
 * @throws WildmarkError `bad-data` where the model takes other images, `bad-model` where it cannot be asked.
 */
export async function predict(model: Model, questions: Questions, options: RuntimeOptions = {}): Promise<Uint16Array> {
  const predictor = await openPredictor(model, questions.shape, options);
  try {
    return await predictor.answers(questions);
  } finally {
    await predictor.release();
  }
}

/** The same, for several questions. Throws as `predict` does, now or when it is asked. */
export async function openPredictor(model: Model, shape: ImageShape, options: RuntimeOptions = {}): Promise<Predictor> {
  const { graph, classifier } = imageGraph(model, shape);
  const { input, output } = classifier;
  const imageDims = [shape.channels, shape.height, shape.width];
  const pixels = elementCount(imageDims);
  const session = await createSession(graph, options);
  const ask = (images: FloatTensor): Promise<FloatTensor> => run(session, input.name, images, output);
  /** What the first image of all took, before anything was kept for later runs, and what one takes by its shapes. */
  let grownByOne: number | undefined;
  let bytesOfOne: number | undefined;
  let areFree = false;
  return {
    async answers({ count, pack, see }) {
      const most = Math.min(chunkOf(pixels, options), count);
      let buffer = new Float32Array(pixels);
      const packed = (from: number, size: number): FloatTensor => {
        const data = buffer.subarray(0, size * pixels);
        pack(from, size, data);
        return float32([size, ...imageDims], data);
      };
      let first: FloatTensor | undefined;
      if (grownByOne === undefined && count > 0) {
        const { result, grown } = await measuringMemory(() => ask(packed(0, 1)));
        [first, grownByOne] = [result, grown];
      }
      let rows = most;
      if (most > 1 && isLarge(grownByOne ?? 0, most)) {
        bytesOfOne ??= await liveBytes(graph, new Map([[input.name, packed(0, 1)]]), options);
        rows = rowsThatFit(bytesOfOne, most);
      }
      buffer = new Float32Array(rows * pixels);
      const answers = new Uint16Array(count);
      await inChunks(count, rows, async (from, size) => {
        const known = from === 0 ? first : undefined;
        const scoresOf = (images: FloatTensor): Promise<FloatTensor> =>
          size > 1 && !areFree ? askedTogether(ask, images, known) : ask(images);
        const scores = size === 1 && known !== undefined ? known : await scoresOf(packed(from, size));
        areFree ||= size > 1;
        answers.set(largestPerRow(scores, size), from);
        see?.(scores, from);
      });
      return answers;
    },
    release: () => session.release(),
  };
}

export interface CompiledAnswers {
  /**
   * One class index an image, of the model with these weights.
   *
   * @param images [count, C, H, W], values in [0, 1]
   * @param weights all that may change
   */
  answers(images: Float32Array, weights: ReadonlyMap<string, FloatTensor>): Promise<Uint16Array>;
  release(): Promise<void>;
}

/**
 * A model that is asked the same number of images again and again, each time with other weights.
 *
 * @param of.variable names of initialisers (`imageGraph`) that are given with each question.
 * @throws WildmarkError as `predict` does.
 */
export async function compileAnswers(
  model: Model,
  of: { readonly shape: ImageShape; readonly count: number; readonly variable: readonly string[] },
  options: RuntimeOptions = {},
): Promise<CompiledAnswers> {
  const { shape, count, variable } = of;
  const { graph, classifier } = await freeImageGraph(model, shape, options);
  const { input, output } = classifier;
  const moved = new Set(variable);
  const fed = variable.map((name) => ({ name, type: "float32" as const, dims: graph.initializers.get(name)?.dims }));
  const session = await createSession(
    {
      ...graph,
      inputs: [...graph.inputs, ...fed],
      initializers: new Map([...graph.initializers].filter(([name]) => !moved.has(name))),
    },
    options,
  );
  const imageDims = [shape.channels, shape.height, shape.width];
  const pixels = elementCount(imageDims);
  return {
    async answers(images, weights) {
      const found = new Uint16Array(count);
      await inChunks(count, CHUNK, async (from, size) => {
        const data = images.subarray(from * pixels, (from + size) * pixels);
        const scores = await run(session, input.name, float32([size, ...imageDims], data), output, weights);
        found.set(largestPerRow(scores, size), from);
      });
      return found;
    },
    release: () => session.release(),
  };
}

/** Share of equal entries. */
export function agreement(answers: ArrayLike<number>, labels: ArrayLike<number>): number {
  let equal = 0;
  for (let i = 0; i < labels.length; i++) if (answers[i] === labels[i]) equal++;
  return equal / labels.length;
}

async function run(
  session: Session,
  name: string,
  images: FloatTensor,
  output: string,
  weights: ReadonlyMap<string, FloatTensor> = new Map(),
): Promise<FloatTensor> {
  const scores = (await session.run(new Map([...weights, [name, images]]))).get(output);
  if (scores?.type !== "float32") {
    throw new WildmarkError(
      "bad-model",
      `Output "${output}" holds ${scores?.type ?? "nothing"}; expected float32 scores.`,
    );
  }
  const rows = images.dims[0] ?? 0;
  if (scores.dims[0] !== rows || scores.dims.slice(2).some((dim) => dim !== 1) || scores.dims.length < 2) {
    throw new WildmarkError(
      "bad-model",
      `Output "${output}" is [${scores.dims}] for ${rows} images; expected one score a class, [${rows},K].`,
      { hint: "Wildmark takes image classifiers: no detectors, no segmenters." },
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
