/** @file One case from start to finish: both sides checked against each other, raced, and their times summarised. */

import { median } from "../src/core/summary.js";
import type { Agreement, Prepared } from "./cases.js";
import { type Contestant, race, type Turns } from "./contest.js";
import type { Peak } from "./peak.js";
import type { Torch } from "./torch-side.js";

/** The times of one side, milliseconds a unit. */
export interface Times {
  readonly min: number;
  readonly median: number;
  /** 10⁹ floating-point operations a second, at the median. */
  readonly gflops: number;
  /** In the order they were measured. */
  readonly milliseconds: readonly number[];
}

export interface MatchResult {
  readonly unit: string;
  /** Floating-point operations of a unit. */
  readonly flops: number;
  readonly wildmark: Times;
  /** Products of large matrices in turns with the others. */
  readonly sgemm: Times;
  /** Share of the SGEMM peak: both at their medians. */
  readonly share: number;
  readonly torch?: Times & { readonly share: number };
  /** PyTorch's median over Wildmark's. */
  readonly ratio?: number;
  readonly agreement?: AgreementResult;
}

export interface AgreementResult {
  readonly text: string;
  /** Whether the sides did the same work. */
  readonly sound: boolean;
}

/** @param torch absent where there is none: then Wildmark runs in turns with the matrix product alone. */
export async function runMatch(
  prepared: Prepared,
  torch: Torch | undefined,
  peak: Peak,
  turns: Turns,
): Promise<MatchResult> {
  const { unit, flops } = prepared;
  const wildmark = await prepared.wildmark();
  const other = await torch?.load(prepared.torch);
  try {
    const found = await wildmark.check();
    const agreement = other === undefined ? undefined : compare(prepared.agreement, found, await other.check());
    const sides = new Map<"wildmark" | "torch" | "sgemm", Contestant>([["wildmark", wildmark]]);
    if (other !== undefined) sides.set("torch", other);
    sides.set("sgemm", peak);
    const times = await race(sides, turns);
    const ours = summarise(times.get("wildmark") ?? [], flops);
    const sgemm = summarise(times.get("sgemm") ?? [], peak.flops);
    const result = { unit, flops, wildmark: ours, sgemm, share: ours.gflops / sgemm.gflops };
    if (other === undefined || agreement === undefined) return result;
    const theirs = summarise(times.get("torch") ?? [], flops);
    return {
      ...result,
      torch: { ...theirs, share: theirs.gflops / sgemm.gflops },
      ratio: theirs.median / ours.median,
      agreement,
    };
  } finally {
    await wildmark.release();
    await other?.release();
  }
}

export function summarise(milliseconds: readonly number[], flops: number): Times {
  const middle = median(milliseconds);
  return { min: Math.min(...milliseconds), median: middle, gflops: flops / middle / 1e6, milliseconds };
}

/**
 * Rounding differs between the sides, and some steps of training let that grow; a gradient that was wrong or missing
 * would show as a difference a hundred times larger.
 */
const LOSS_TOLERANCE = 1e-3;

/** Images whose two largest scores differ by a rounding error may be answered either way. */
const LEAST_EQUAL = 0.999;

/** Sides shuffle and erase by random numbers of their own, so an epoch of both ends in about the same place only. */
const EPOCH_TOLERANCE = { loss: 0.1, accuracy: 0.05 };

function compare(agreement: Agreement, ours: readonly number[], theirs: readonly number[]): AgreementResult {
  if (ours.length !== theirs.length) throw new Error(`sides check ${ours.length} and ${theirs.length} values`);
  const other = (i: number): number => theirs[i] ?? Number.NaN;
  switch (agreement) {
    case "losses": {
      const worst = Math.max(...ours.map((loss, i) => Math.abs(loss - other(i)) / Math.abs(other(i))));
      const text = `losses of the first ${ours.length} steps agree to ${worst.toExponential(1)}`;
      return { text, sound: worst <= LOSS_TOLERANCE };
    }
    case "epoch": {
      const [loss = Number.NaN, accuracy = Number.NaN] = ours;
      const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
      const text =
        `first epoch: loss ${loss.toFixed(3)} and ${other(0).toFixed(3)}, ` +
        `accuracy ${percent(accuracy)} and ${percent(other(1))}`;
      const near = Math.abs(loss - other(0)) <= EPOCH_TOLERANCE.loss * other(0);
      return { text, sound: near && Math.abs(accuracy - other(1)) <= EPOCH_TOLERANCE.accuracy };
    }
    case "answers": {
      const equal = ours.filter((answer, i) => answer === other(i)).length;
      return { text: `${equal} of ${ours.length} answers are the same`, sound: equal >= LEAST_EQUAL * ours.length };
    }
  }
}
