/** @file Conditions: one remover against one subject with one budget, over all seeds. */

import type { AttackCell, DoneAttack, ExperimentDocument } from "../../experiments/document.js";
import { type Spread, spread } from "../spread.js";
import { type Estimate, estimate } from "./estimate.js";

/**
 * What became of the mark in one condition.
 *
 * - `removed`: not shown in any seed, at an acceptable price.
 * - `sometimes`: the same in some of the seeds.
 * - `costly`: not shown in some or all of the seeds, but for more accuracy than is acceptable.
 * - `pointless`: not shown, but training from scratch on the same data is more accurate: nothing was stolen.
 * - `survives`: shown in every seed.
 * - `untried`: no seed was run.
 * - `never-shown`: the marked models did not show it before either.
 */
export type ConditionOutcome =
  | "removed"
  | "sometimes"
  | "costly"
  | "pointless"
  | "survives"
  | "untried"
  | "never-shown";

export interface Condition {
  /** Positions in the document's lists. */
  readonly subject: number;
  readonly remover: number;
  /** The attacker's share of the training set. */
  readonly fraction: number;
  readonly outcome: ConditionOutcome;
  /** Every finished attack, and those of them on marked models that showed the mark: only these count. */
  readonly done: readonly DoneAttack[];
  readonly runs: readonly DoneAttack[];
  /** Over the runs that count, over all if none does; absent without any. */
  readonly accuracy?: Spread;
  readonly retention?: Estimate;
  /** Accuracy of the marked model minus that of the cleaned one. */
  readonly drop?: Estimate;
  /** In how many runs the mark is not shown any more: at an acceptable price, and at any. */
  readonly removed: number;
  readonly gone: number;
  /** Of the runs in which it is gone: how many were followed up by re-activation, and how many show it again. */
  readonly reactivated: number;
  readonly returned: number;
  /**
   * Mean accuracy of the best remover that ignores the model, on the same data, minus this one's: above 0 the attack
   * was pointless. Absent if none was run, and for those removers themselves.
   */
  readonly behindScratch?: number;
  /** Why runs do not count or are not there, each reason once. */
  readonly reasons: readonly string[];
}

/** Every condition, budgets within removers within subjects, in the order of the document. */
export function conditionsOf(document: ExperimentDocument): readonly Condition[] {
  const { subjects, removers, budgets } = document;
  const cells = groupedCells(document);
  return subjects.flatMap((_, subject) => {
    const own = removers.map((__, remover) => budgets.map((___, b) => cells(subject, remover, b)));
    const ignoring = own.filter((_, remover) => removers[remover]?.ignoresModel);
    const scratch = budgets.map((_, b) => best(ignoring.map((cells) => cells[b] ?? [])));
    return removers.flatMap(({ ignoresModel }, remover) =>
      budgets.map((fraction, b) => {
        const yardstick = ignoresModel ? undefined : scratch[b];
        return conditionOf({ subject, remover, fraction }, own[remover]?.[b] ?? [], yardstick);
      }),
    );
  });
}

function groupedCells({ removers, budgets, attacks }: ExperimentDocument) {
  const positions = new Map(budgets.map((fraction, b) => [fraction, b]));
  const groups = new Map<number, AttackCell[]>();
  const place = (subject: number, remover: number, b: number): number =>
    (subject * removers.length + remover) * budgets.length + b;
  for (const cell of attacks) {
    const b = positions.get(cell.fraction);
    if (b === undefined) continue;
    const at = place(cell.subject, cell.remover, b);
    const group = groups.get(at);
    if (group === undefined) groups.set(at, [cell]);
    else group.push(cell);
  }
  return (subject: number, remover: number, b: number): readonly AttackCell[] =>
    groups.get(place(subject, remover, b)) ?? [];
}

/** What the attacker's data are worth alone: the largest mean accuracy. */
function best(conditions: readonly (readonly AttackCell[])[]): number | undefined {
  const means = conditions.flatMap(
    (cells) => spread(doneOf(cells).map(({ measured }) => measured.accuracy))?.mean ?? [],
  );
  return means.length === 0 ? undefined : Math.max(...means);
}

function conditionOf(
  where: Pick<Condition, "subject" | "remover" | "fraction">,
  cells: readonly AttackCell[],
  yardstick: number | undefined,
): Condition {
  const done = doneOf(cells);
  const runs = done.filter(({ outcome }) => outcome !== "never-shown");
  const name = `${where.subject} ${where.remover} ${where.fraction}`;
  const told = runs.length > 0 ? runs : done;
  const of = (kind: string, value: (run: DoneAttack) => number) => estimate(told.map(value), `${kind} ${name}`);
  const accuracy = spread(told.map(({ measured }) => measured.accuracy));
  const retention = of("retention", ({ measured }) => measured.retention);
  const drop = of("drop", ({ accuracyDrop }) => accuracyDrop);
  const gone = runs.filter(({ outcome }) => outcome !== "shown");
  const followed = gone.flatMap(({ reactivated }) => reactivated ?? []);
  const removed = runs.filter(({ outcome }) => outcome === "removed").length;
  const behindScratch = yardstick === undefined || accuracy === undefined ? undefined : yardstick - accuracy.mean;
  const counts = { removed, gone: gone.length };
  return {
    ...where,
    outcome: outcomeOver(done.length, runs.length, counts, (behindScratch ?? 0) > 0),
    done,
    runs,
    ...(accuracy && { accuracy }),
    ...(retention && { retention }),
    ...(drop && { drop }),
    ...counts,
    reactivated: followed.length,
    returned: followed.filter(({ judgement }) => judgement.owned).length,
    ...(behindScratch !== undefined && { behindScratch }),
    reasons: [...new Set(cells.flatMap(reasonOf))],
  };
}

function outcomeOver(
  done: number,
  of: number,
  { removed, gone }: Pick<Condition, "removed" | "gone">,
  pointless: boolean,
): ConditionOutcome {
  if (done === 0) return "untried";
  if (of === 0) return "never-shown";
  if (gone === 0) return "survives";
  if (pointless) return "pointless";
  if (removed === of) return "removed";
  return removed > 0 ? "sometimes" : "costly";
}

function reasonOf(cell: AttackCell): readonly string[] {
  switch (cell.status) {
    case "done":
      return cell.outcome === "never-shown" ? ["the mark was not shown before any attack"] : [];
    case "missing":
      return ["not computed yet"];
    case "skipped":
    case "failed":
      return [`${cell.status}: ${cell.reason}`];
  }
}

function doneOf(cells: readonly AttackCell[]): readonly DoneAttack[] {
  return cells.flatMap((cell) => (cell.status === "done" ? [cell] : []));
}
