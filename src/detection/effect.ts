/** @file What a region does to the answers: images are asked with its exits held asleep, and held awake. */

import type { Tensor } from "../core/tensor.js";
import type { Head } from "../onnx/head.js";
import { classOf, readAnswer } from "../onnx/own-answer.js";
import type { Whole } from "../onnx/whole.js";
import type { RuntimeOptions } from "../runtime/session.js";
import type { Flow } from "./flow.js";
import { openValues } from "./running.js";

export interface Effect {
  /** Share of the images whose answer is another one. */
  readonly changed: number;
  /** The answer that at least nine in ten of them get, where they did not all have it before. */
  readonly target?: number;
  /** How many classes the images are of, asleep. */
  readonly diverse: number;
  readonly images: number;
}

/** Shares of changed answers from which on a region is said to override them: all to one class, or to any. */
const TO_ONE = 0.5;
const TO_ANY = 0.8;

export function overrides({ changed, target }: Effect): boolean {
  return changed >= (target === undefined ? TO_ANY : TO_ONE);
}

export interface EffectOptions {
  readonly whole: Whole;
  readonly flow: Flow;
  readonly head: Head;
  readonly threshold: number;
  readonly feeds: readonly Tensor[];
  readonly runtime?: RuntimeOptions;
}

/** @throws WildmarkError `runtime` where the values do not fit where they are held. */
export async function effectOf(
  asleep: ReadonlyMap<string, Tensor>,
  awake: ReadonlyMap<string, Tensor>,
  options: EffectOptions,
): Promise<Effect> {
  const [before, after] = [await answersHeld(asleep, options), await answersHeld(awake, options)];
  const changed = after.filter((answer, i) => answer !== before[i]).length / Math.max(1, after.length);
  const counts = new Map<number, number>();
  for (const answer of after) counts.set(answer, (counts.get(answer) ?? 0) + 1);
  const [most] = [...counts].toSorted((a, b) => b[1] - a[1]);
  const isTarget = most !== undefined && most[1] >= 0.9 * after.length && changed > 0;
  return {
    changed,
    ...(isTarget ? { target: most[0] } : {}),
    diverse: new Set(before).size,
    images: after.length,
  };
}

/** The class of each image, with some values held. */
export async function answersHeld(
  held: ReadonlyMap<string, Tensor>,
  { whole, flow, head, threshold, feeds, runtime }: EffectOptions,
): Promise<readonly number[]> {
  const opened = await openValues(whole.proto, flow.input, [flow.output], held, runtime);
  try {
    const answers: number[] = [];
    for (const fed of feeds) {
      const answer = readAnswer((await opened.run(fed, held)).get(flow.output), fed.dims[0] ?? 1, head);
      answers.push(classOf(answer, 0, head, threshold));
    }
    return answers;
  } finally {
    await opened.release();
  }
}
