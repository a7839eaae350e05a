/**
 * @file Times the lowerings of one node against each other, and checks that they compute the same.
 *
 * All are loaded at once and run in turns, so that whatever slows the machine for a while slows all of them. A turn is
 * a burst of runs: ONNX Runtime's threads go on looking for work for a moment after a run, and would take the cores
 * from the first run of the next lowering.
 */

import { WildmarkError } from "../../core/errors.js";
import type { FloatTensor } from "../../core/tensor.js";
import type { Node } from "../../onnx/graph.js";
import { lowerPrimitives } from "../lowering/index.js";
import { createSession, type Session } from "../session.js";
import type { Target } from "./identity.js";
import { type LoneNode, loneNode } from "./lone-node.js";
import type { Measured } from "./rule.js";

/**
 * Of the largest absolute value of the static choice's result. With 128 images the lowerings of LeNet-5 and ResNet-18
 * agreed to 4e-6 (float32 sums of up to 131,072 products); one that takes a wrong cell is off by about the largest
 * value.
 */
export const TOLERANCE = 1e-4;

const TURNS = { least: 6, most: 40 } as const;
const BURST = { leastRuns: 2, milliseconds: 5 } as const;

/** A lowering is timed for at most about so long, beyond the fewest turns. */
const PATIENCE_MS = 400;

/** One that takes so many times as long as the quickest after the first turns gets no other. */
const HOPELESS = { turns: 3, times: 3 } as const;

interface Contender {
  readonly lowering: string;
  readonly session: Session;
  readonly result: FloatTensor;
  /** Milliseconds of the shortest run in each turn. */
  readonly turns: number[];
}

/**
 * Measures `lowerings` of a primitive's node by itself, on numbers from a normal distribution.
 *
 * @param lowerings names of candidates, the static choice first.
 * @returns one entry for each, in their order; the first is never refused.
 * @throws WildmarkError `runtime` where ONNX Runtime refuses the static choice.
 */
export async function measureLowerings(node: Node, lowerings: readonly string[], target: Target): Promise<Measured[]> {
  const lone = loneNode(node);
  const contenders: Contender[] = [];
  const refused = new Map<string, string>();
  try {
    for (const lowering of lowerings) {
      const [reference] = contenders;
      const contender = await load(lone, lowering, target).catch((error) => {
        if (reference === undefined || !(error instanceof WildmarkError)) throw error;
        refused.set(lowering, error.message);
      });
      if (contender === undefined) continue;
      contenders.push(contender);
      const difference = reference === undefined ? 0 : largestDifference(contender.result, reference.result);
      if (difference > TOLERANCE) {
        refused.set(lowering, `its result differs by ${difference.toPrecision(2)} of the largest value`);
      }
    }
    const sound = contenders.filter(({ lowering }) => !refused.has(lowering));
    await race(sound, lone);
    return lowerings.map((lowering) => {
      const turns = sound.find((contender) => contender.lowering === lowering)?.turns;
      return turns === undefined
        ? { lowering, refused: refused.get(lowering) ?? "it was not run" }
        : { lowering, turns };
    });
  } finally {
    for (const { session } of contenders) await session.release();
  }
}

/** Loads one lowering and runs it once, which also lets ONNX Runtime reserve its memory. */
async function load({ graph, feeds, output }: LoneNode, lowering: string, target: Target): Promise<Contender> {
  const session = await createSession(lowerPrimitives(graph, { ...target, choose: () => lowering }), target);
  try {
    const result = (await session.run(feeds)).get(output);
    if (result?.type !== "float32") throw new Error(`"${lowering}" gave no float32 tensor`);
    return { lowering, session, result, turns: [] };
  } catch (error) {
    await session.release();
    throw error;
  }
}

/** Runs the contenders in turns and notes their times, in milliseconds. */
async function race(contenders: readonly Contender[], lone: LoneNode): Promise<void> {
  const best = (): number => Math.min(...contenders.flatMap(({ turns }) => turns));
  const start = performance.now();
  const outOfTime = (): boolean => performance.now() - start > PATIENCE_MS * contenders.length;
  for (let turn = 0; turn < TURNS.most && (turn < TURNS.least || !outOfTime()); turn++) {
    for (const [place, contender] of contenders.entries()) {
      // The static choice stays: all others are judged by it.
      const hopeless = turn >= HOPELESS.turns && place > 0 && Math.min(...contender.turns) > HOPELESS.times * best();
      if (!hopeless) contender.turns.push(await burst(contender, lone));
    }
  }
}

/** The shortest of some runs, in milliseconds. */
async function burst({ session, result }: Contender, { feeds, output }: LoneNode): Promise<number> {
  // The result is not needed any more: its memory takes those of the timed runs.
  const into = new Map([[output, result]]);
  const start = performance.now();
  let shortest = Number.POSITIVE_INFINITY;
  for (let run = 0; run < BURST.leastRuns || performance.now() - start < BURST.milliseconds; run++) {
    const before = performance.now();
    await session.run(feeds, into);
    shortest = Math.min(shortest, performance.now() - before);
  }
  return shortest;
}

/** The largest difference of two results, as a share of the largest absolute value of `expected`. */
export function largestDifference(found: FloatTensor, expected: FloatTensor): number {
  if (found.data.length !== expected.data.length) return Number.POSITIVE_INFINITY;
  let difference = 0;
  let largest = 0;
  for (const [i, value] of expected.data.entries()) {
    const apart = Math.abs(value - (found.data[i] ?? Number.NaN));
    if (Number.isNaN(apart)) return Number.POSITIVE_INFINITY;
    difference = Math.max(difference, apart);
    largest = Math.max(largest, Math.abs(value));
  }
  return largest === 0 ? (difference === 0 ? 0 : Number.POSITIVE_INFINITY) : difference / largest;
}
