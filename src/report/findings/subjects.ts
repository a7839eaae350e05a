/** @file Subjects: their marked models before any attack, how models that never saw the mark answer, and their fate. */

import { binomialTail } from "../../core/statistics.js";
import type { DoneMarked, ExperimentDocument, MarkedCell, SubjectSummary } from "../../experiments/document.js";
import type { Condition } from "./conditions.js";
import { type Estimate, estimate } from "./estimate.js";

/**
 * What became of a mark under all attacks.
 *
 * - `falls`: some condition always removes it.
 * - `sometimes`: none always does, but some does in some seeds.
 * - `costly`: it goes only for more than the attack is worth, or where training from scratch does better.
 * - `survives`: every run still shows it.
 * - `untested`: no attack was run on it.
 * - `never-shown`: the marked models themselves did not show it, so nothing was there to remove.
 * - `unsound`: models that never saw it show it too, so showing it means nothing.
 */
export const fates = ["falls", "sometimes", "costly", "survives", "untested", "never-shown", "unsound"] as const;
export type Fate = (typeof fates)[number];

/** How often models that never saw the mark show it. */
export interface Shown {
  readonly shown: number;
  readonly of: number;
}

export interface SubjectFindings {
  readonly subject: SubjectSummary;
  readonly marked: readonly MarkedCell[];
  /** Those that are there. */
  readonly done: readonly DoneMarked[];
  /** Retention of the marked models; absent if there are none. */
  readonly before?: Estimate;
  /** The key on null models, as far as they were judged, and on models that were trained from scratch. */
  readonly onNullModels: Shown;
  readonly onScratch: Shown;
  /** Of its conditions in order, those that attack the marked weights, and those of them that are no baseline. */
  readonly conditions: readonly Condition[];
  readonly attacks: readonly Condition[];
  readonly underTest: readonly Condition[];
  /** Under all attacks, and under the methods that are under test alone. */
  readonly fate: Fate;
  readonly fateUnderTest: Fate;
  /** Of the methods under test; absent if none was run. */
  readonly strongest?: Condition;
}

export function subjectsOf(document: ExperimentDocument, conditions: readonly Condition[]): readonly SubjectFindings[] {
  const { subjects, removers, marked } = document;
  return subjects.map((subject, position) => {
    const own = conditions.filter((condition) => condition.subject === position);
    const attacks = own.filter(({ remover }) => removers[remover]?.ignoresModel !== true);
    const underTest = attacks.filter(({ remover }) => removers[remover]?.baseline !== true);
    const ownMarked = marked.filter((cell) => cell.subject === position);
    const done = ownMarked.flatMap((cell) => (cell.status === "done" ? [cell] : []));
    const onNullModels = shownBy(done.flatMap((cell) => cell.onNullModels.flatMap(({ judgement }) => judgement ?? [])));
    const scratch = own.filter((condition) => !attacks.includes(condition));
    const onScratch = shownBy(scratch.flatMap((condition) => condition.done.map(({ judgement }) => judgement)));
    const before = estimate(
      done.map(({ measured }) => measured.retention),
      `before ${position}`,
    );
    const unsound = isUnsound(onNullModels, document) || isUnsound(onScratch, document);
    const neverShown = done.length > 0 && !done.some(({ verdict }) => verdict.owned);
    const strongest = strongestOf(underTest);
    return {
      ...{ subject, marked: ownMarked, done, onNullModels, onScratch, conditions: own, attacks, underTest },
      ...(before && { before }),
      fate: unsound ? "unsound" : neverShown ? "never-shown" : fateOf(attacks),
      fateUnderTest: unsound ? "unsound" : neverShown ? "never-shown" : fateOf(underTest),
      ...(strongest && { strongest }),
    };
  });
}

function shownBy(judgements: readonly { readonly owned: boolean }[]): Shown {
  return { shown: judgements.filter(({ owned }) => owned).length, of: judgements.length };
}

/**
 * Whether so many models that never saw the mark show it that α does not explain it: a test at level α is wrong about
 * one of them with probability α at most.
 */
function isUnsound({ shown, of }: Shown, { decision }: Pick<ExperimentDocument, "decision">): boolean {
  // One of one is exactly as improbable as α.
  return shown > 0 && binomialTail(shown, of, decision.alpha) <= decision.alpha * (1 + 1e-9);
}

function fateOf(conditions: readonly Condition[]): Fate {
  const outcomes = new Set(conditions.map(({ outcome }) => outcome));
  if (outcomes.has("removed")) return "falls";
  if (outcomes.has("sometimes")) return "sometimes";
  if (outcomes.has("costly") || outcomes.has("pointless")) return "costly";
  return outcomes.has("survives") ? "survives" : "untested";
}

/** More marks removed at a price that is worth it beats all; then more at any price; then lower retention. */
function strongestOf(conditions: readonly Condition[]): Condition | undefined {
  const share = (n: number, { runs }: Condition): number => n / Math.max(1, runs.length);
  const worthwhile = (c: Condition): number => share(c.outcome === "pointless" ? 0 : c.removed, c);
  const gone = (c: Condition): number => share(c.gone, c);
  const left = ({ retention }: Condition): number => retention?.mean ?? 1;
  return conditions
    .filter(({ done }) => done.length > 0)
    .toSorted((a, b) => worthwhile(b) - worthwhile(a) || gone(b) - gone(a) || left(a) - left(b))[0];
}
