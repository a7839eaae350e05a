/**
 * @file What a document says: the one analysis that sentences, sections, figures and tables are made from.
 *
 * Nothing here judges a cell: outcomes stand in the document, prices are those of `experiments/judgement`. Who asked
 * (the document's statement) makes no difference here.
 */

import type { ExperimentDocument, RemoverSummary, SubjectSummary } from "../../experiments/document.js";
import { type Condition, conditionsOf } from "./conditions.js";
import { type Costs, costsOf } from "./costs.js";
import { type Ranking, rankingOf } from "./rankings.js";
import { type SubjectFindings, subjectsOf } from "./subjects.js";

export interface Findings {
  readonly document: ExperimentDocument;
  /** Every remover against every subject with every budget: budgets within removers within subjects. */
  readonly conditions: readonly Condition[];
  readonly subjects: readonly SubjectFindings[];
  /** Budgets within removers. */
  readonly costs: readonly Costs[];
  /** One for each budget. */
  readonly rankings: readonly Ranking[];
  /** The budget that pictures with one budget show: the largest of at most 10 %, else the smallest. */
  readonly focus: number;
}

export function findingsOf(document: ExperimentDocument): Findings {
  const { removers, budgets } = document;
  const conditions = conditionsOf(document);
  const having = (fraction: number): readonly Condition[] => conditions.filter((c) => c.fraction === fraction);
  const byBudget = budgets.map((fraction) => ({ fraction, conditions: having(fraction) }));
  return {
    document,
    conditions,
    subjects: subjectsOf(document, conditions),
    costs: removers.flatMap((_, remover) =>
      byBudget.map(({ fraction, conditions: all }) => {
        const own = all.filter((condition) => condition.remover === remover);
        return costsOf(own, remover, fraction);
      }),
    ),
    rankings: byBudget.map(({ fraction, conditions: own }) => rankingOf(document, own, fraction)),
    focus: budgets.filter((fraction) => fraction <= 0.1).at(-1) ?? budgets[0] ?? 0,
  };
}

/**
 * Removers with their positions: attacks first, those that ignore the model last, each in the order of the document.
 */
export function attacksFirst({ removers }: ExperimentDocument): readonly (RemoverSummary & { readonly at: number })[] {
  const placed = removers.map((remover, at) => ({ ...remover, at }));
  return [...placed.filter(({ ignoresModel }) => !ignoresModel), ...placed.filter(({ ignoresModel }) => ignoresModel)];
}

/** The same with baselines behind the methods under test. */
export function testedFirst(document: ExperimentDocument): ReturnType<typeof attacksFirst> {
  const placed = attacksFirst(document);
  return [...placed.filter(({ baseline }) => !baseline), ...placed.filter(({ baseline }) => baseline)];
}

/** What nobody proposes as a removal: a yardstick that figures draw hollow or dashed. */
export function isBaseline({ baseline, ignoresModel }: Pick<RemoverSummary, "baseline" | "ignoresModel">): boolean {
  return baseline || ignoresModel;
}

/** Names by position; "" for what a document does not list. */
export function nameOf(list: readonly Pick<SubjectSummary, "name">[], at: number): string {
  return list[at]?.name ?? "";
}

/** What a remover does with a budget, over all subjects. */
export function costsAt({ costs, document }: Findings, remover: number, fraction: number): Costs | undefined {
  return costs[remover * document.budgets.length + document.budgets.indexOf(fraction)];
}

/** Removers that remove most first, over all budgets; the cheaper of equals. With what they do with each budget. */
export function reach(findings: Findings) {
  const { removers, budgets } = findings.document;
  return removers
    .map(({ name }, remover) => {
      const cells = budgets.flatMap((fraction) => costsAt(findings, remover, fraction) ?? []);
      const removed = cells.reduce((sum, cell) => sum + cell.removed, 0);
      return { name, cells, removed, drop: cells.reduce((sum, cell) => sum + (cell.found?.drop ?? 0), 0) };
    })
    .toSorted((a, b) => b.removed - a.removed || a.drop - b.drop);
}
