/**
 * @file Asks a model for the class of images, whatever it is made of: a suspect has to run, not to train.
 *
 * A model that could train is asked as training asks it (`evaluate.ts`). Others run as their file stands, in batches of
 * the size that it fixes: with control flow, of eight bits, with several outputs, fed bytes or doubles, answering
 * labels, with noise on their scores.
 */

import { WildmarkError } from "../core/errors.js";
import type { ImageShape } from "../core/image.js";
import { elementCount, type FloatTensor, float32, type Tensor } from "../core/tensor.js";
import type { Graph } from "../onnx/graph.js";
import { encodeModel, type Model } from "../onnx/model.js";
import { classOf, ownAnswer, type ReadAnswer, readAnswer } from "../onnx/own-answer.js";
import { ownInput } from "../onnx/own-input.js";
import { isOutOfMemory } from "../runtime/onnxruntime.js";
import { createSession, type RuntimeOptions, type Session } from "../runtime/session.js";
import { openPredictor, type Predictor, type Questions } from "./evaluate.js";
import { askedTogether } from "./rows.js";
import { inChunks, isLarge, measuringMemory, rowsThatFit } from "./rows-at-once.js";

/** Images at once, where the file leaves that open. */
const CHUNK = 250;

/**
 * The class of each image: of the largest score, of equal ones the first; or the label that the model gives. With
 * classes of the head's choosing (`Head.classes`) the place in that list, `NO_CLASS` for a label that is not in it.
 *
 * @throws WildmarkError `bad-model` where the model gives no answer, `numeric` where it answers NaN, `runtime` where
 *   ONNX Runtime refuses it.
 */
export async function askModel(model: Model, questions: Questions, options: RuntimeOptions = {}): Promise<Uint16Array> {
  const asking = openAsking(model, questions.shape, options);
  try {
    return await asking.ask(questions);
  } finally {
    await asking.release();
  }
}

/** A model that is asked again and again, as `askModel` asks it. */
export interface Asking {
  /** The questions are of the shape that it was opened for. */
  ask(questions: Questions): Promise<Uint16Array>;
  release(): Promise<void>;
}

/** Opens the model when it is first asked. */
export function openAsking(model: Model, shape: ImageShape, options: RuntimeOptions = {}): Asking {
  let predictor: Predictor | undefined;
  let trains = true;
  return {
    async ask(questions) {
      if (!trains) return askAsItStands(model, questions, options);
      try {
        predictor ??= await openPredictor(model, shape, options);
        return await predictor.answers(questions);
      } catch (error) {
        if (!(error instanceof WildmarkError) || !MAY_RUN_ALL_THE_SAME.has(error.code) || isOutOfMemory(error))
          throw error;
        const answers = await askAsItStands(model, questions, options);
        trains = false;
        return answers;
      }
    },
    release: async () => predictor?.release(),
  };
}

const MAY_RUN_ALL_THE_SAME: ReadonlySet<string> = new Set(["bad-model", "bad-data", "unsupported-operator", "runtime"]);

/** The same of a model that runs as its file stands. */
export async function askAsItStands(
  model: Model,
  { shape, count, pack, see }: Questions,
  options: RuntimeOptions = {},
): Promise<Uint16Array> {
  const { head, inFile } = model;
  const own = ownInput(model, shape);
  const { output, threshold } = ownAnswer(model);
  const [inputName, outputName] = [own.input.name, output.name].map((name) => inFile.get(name) ?? name);
  const imageDims = [shape.channels, shape.height, shape.width];
  const pixels = elementCount(imageDims);
  const answers = new Uint16Array(count);
  const sessions: Session[] = [];
  try {
    const front = await createSession(own.graph, { ...options, device: "cpu" });
    sessions.push(front);
    const session = await createSession(encodeModel(model), options);
    sessions.push(session);
    const answerTo = async (images: FloatTensor): Promise<ReadAnswer> => {
      const input = (await front.run(new Map([["wildmark/image", images]]))).get("wildmark/input");
      const fed = new Map<string, Tensor>(input === undefined ? [] : [[inputName ?? "", input]]);
      return readAnswer((await session.run(fed)).get(outputName ?? ""), images.dims[0] ?? 0, head);
    };
    const keep = (answer: ReadAnswer, from: number, size: number): void => {
      if (answer.scores.some(Number.isNaN)) {
        throw new WildmarkError("numeric", "The model answers NaN: its weights are damaged, or its training diverged.");
      }
      for (let row = 0; row < size; row++) answers[from + row] = classOf(answer, row, head, threshold);
      const { kind, scores, columns } = answer;
      if (kind === "scores") see?.(float32([size, columns], scores.slice(0, size * columns)), from);
    };
    /** `rows` images from `from` on; behind the last one it is repeated. */
    const packed = (from: number, rows: number): FloatTensor => {
      const data = new Float32Array(rows * pixels);
      const there = Math.min(rows, count - from);
      pack(from, there, data.subarray(0, there * pixels));
      for (let row = there; row < rows; row++) data.copyWithin(row * pixels, (there - 1) * pixels, there * pixels);
      return float32([rows, ...imageDims], data);
    };
    const fixed = own.input.dims?.[0];
    if (typeof fixed === "number") {
      for (let from = 0; from < count; from += fixed) {
        keep(await answerTo(packed(from, fixed)), from, Math.min(fixed, count - from));
      }
      return answers;
    }
    const most = count > 1 ? await rowsOf(answerTo, packed, count, isRandom(model.graph)) : 1;
    await inChunks(count, most, async (from, size) => keep(await answerTo(packed(from, size)), from, size));
    return answers;
  } finally {
    for (const session of sessions) await session.release();
  }
}

/** How many images may be asked at once: one where their answers depend on each other. */
async function rowsOf(
  answerTo: (images: FloatTensor) => Promise<ReadAnswer>,
  packed: (from: number, rows: number) => FloatTensor,
  count: number,
  random: boolean,
): Promise<number> {
  const ask = async (images: FloatTensor): Promise<FloatTensor> => {
    const { scores, columns } = await answerTo(images);
    return float32([scores.length / columns, columns], scores);
  };
  const { grown } = await measuringMemory(() => answerTo(packed(0, 1)));
  const chunk = Math.min(CHUNK, count);
  const most = isLarge(grown, chunk) ? rowsThatFit(grown, chunk) : chunk;
  if (random || most === 1) return most;
  try {
    await askedTogether(ask, packed(0, Math.min(most, FEW)));
    return most;
  } catch (error) {
    if (error instanceof WildmarkError && error.code === "bad-model") return 1;
    throw error;
  }
}

/** Enough to see whether images are answered apart. */
const FEW = 8;

/** Whether a model draws random numbers: then no two answers are the same, however many images are asked. */
function isRandom({ nodes }: Graph): boolean {
  return nodes.some(({ opType }) => opType.startsWith("Random") || opType === "Bernoulli" || opType === "Multinomial");
}
