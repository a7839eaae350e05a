/** @file Findings as the rows that figures are drawn from: the one place that knows both. */

import { mean } from "../core/summary.js";
import type { DoneAttack } from "../experiments/document.js";
import { budgetPanels } from "./figures/budgets.js";
import { curvePanels, type Measure } from "./figures/curves.js";
import type { Figure } from "./figures/frame.js";
import { heatMaps } from "./figures/heat-map.js";
import { leavingLeast, type Looks, looksOf } from "./figures/palette.js";
import { type ReactivationRow, reactivationPanels } from "./figures/reactivation.js";
import type { ConditionRow, EpochRow, PriceRow, Rule, Subject } from "./figures/records.js";
import { scatterPanels } from "./figures/scatter.js";
import type { Condition } from "./findings/conditions.js";
import { type Findings, isBaseline, nameOf, reach } from "./findings/findings.js";
import { exactPercent, plural } from "./format.js";
import { ruleOf } from "./threshold.js";

export interface CurveChoice {
  /** All attacks, those under test, or the baselines: on axes and in colours that all share. */
  readonly which: "all" | "tested" | "baselines";
  /** Both by default. */
  readonly measures?: readonly Measure[];
}

/** A panel for each subject and budget; none if attacks were not measured after each epoch. */
export function curveFigures(findings: Findings, { which, ...measures }: CurveChoice): readonly Figure[] {
  const shown = ({ baseline }: EpochRow): boolean => which === "all" || baseline === (which === "baselines");
  return curvePanels(epochRows(findings), runLooks(findings), { ...measures, shown, rules: rulesOf(findings) });
}

export function epochRows(findings: Findings): readonly EpochRow[] {
  return drawnRuns(findings).flatMap(({ about, run: { curve = [] } }) =>
    curve.flatMap(({ epoch, measured }) => (measured === undefined ? [] : [{ ...about, epoch, ...measured }])),
  );
}

/** A panel for each subject and budget, a shape for each run. */
export function priceFigures(findings: Findings): readonly Figure[] {
  const starts = panelsOf(findings).map(([panel, { before }]) => [panel, before?.mean ?? 1] as const);
  const options = { rules: rulesOf(findings), starts: new Map(starts) };
  return scatterPanels(runPrices(findings), runLooks(findings), options);
}

export function runPrices(findings: Findings): readonly PriceRow[] {
  return drawnRuns(findings).map(({ about, run }) => {
    return { ...about, drop: run.accuracyDrop, retention: run.measured.retention };
  });
}

/** Looks by what is left after each run. */
function runLooks(findings: Findings): Looks {
  const prices = runPrices(findings);
  return looksOf(prices, leavingLeast(prices));
}

/** A panel for each subject, means over seeds, with the budget of pictures that show one. */
export function meanPriceFigures(findings: Findings): readonly Figure[] {
  const { acceptableDrop } = findings.document.decision;
  return scatterPanels(meanPrices(findings), meanLooks(findings), {
    ...(acceptableDrop !== null && { acceptableDrop }),
  });
}

export function meanPrices(findings: Findings): readonly PriceRow[] {
  return findings.conditions.flatMap((condition) => {
    const { fraction, runs, drop, retention } = condition;
    if (fraction !== findings.focus || runs.length === 0 || drop === undefined || retention === undefined) return [];
    return [{ ...aboutCondition(findings, condition), drop: drop.mean, retention: retention.mean }];
  });
}

/** Looks by what removes most with all budgets together. */
function meanLooks(findings: Findings): Looks {
  const removers = findings.document.removers.map((each) => ({ remover: each.name, baseline: isBaseline(each) }));
  return looksOf(removers, bestFirst(findings));
}

/** A map for each budget. */
export function heatFigures(findings: Findings): readonly Figure[] {
  return heatMaps(conditionRows(findings), bestFirst(findings));
}

/** A panel for each subject; none with one budget. */
export function budgetFigures(findings: Findings): readonly Figure[] {
  return budgetPanels(conditionRows(findings), meanLooks(findings));
}

/** A panel for each subject, with the budget of pictures that show one. */
export function reactivationFigures(findings: Findings): readonly Figure[] {
  return reactivationPanels(reactivationRows(findings));
}

export function reactivationRows(findings: Findings): readonly ReactivationRow[] {
  return findings.conditions.flatMap((condition) => {
    const runs = condition.runs.flatMap(({ measured, reactivated }) =>
      reactivated === undefined ? [] : [{ from: measured.retention, to: reactivated.measured.retention }],
    );
    if (condition.fraction !== findings.focus || runs.length === 0) return [];
    const [removed, reactivated] = [mean(runs.map(({ from }) => from)), mean(runs.map(({ to }) => to))];
    return [{ ...aboutCondition(findings, condition), removed, reactivated }];
  });
}

export function conditionRows(findings: Findings): readonly ConditionRow[] {
  return findings.conditions.map((condition) => {
    const { fraction, retention, removed, gone, runs } = condition;
    const all = (n: number): boolean => runs.length > 0 && n === runs.length;
    const outcome = all(removed) ? "removed" : all(gone) ? "dear" : "other";
    return {
      ...aboutCondition(findings, condition),
      budget: fraction,
      outcome,
      ...(runs.length > 0 && retention && { retention }),
    };
  });
}

function aboutCondition({ document }: Findings, { subject, remover }: Condition): Subject {
  const found = document.removers[remover];
  return {
    mark: nameOf(document.subjects, subject),
    remover: nameOf(document.removers, remover),
    baseline: found !== undefined && isBaseline(found),
  };
}

function bestFirst(findings: Findings): readonly string[] {
  return reach(findings).map(({ name }) => name);
}

/** Every finished run with the panel that it stands in. */
function drawnRuns(findings: Findings): readonly { readonly about: Subject; readonly run: DoneAttack }[] {
  return findings.subjects.flatMap(({ conditions }) =>
    findings.document.budgets.flatMap((fraction) =>
      conditions
        .filter((condition) => condition.fraction === fraction)
        .flatMap((condition) => {
          const about = { ...aboutCondition(findings, condition), mark: panelOf(findings, condition) };
          return condition.done.map((run) => ({ about, run }));
        }),
    ),
  );
}

/** What a panel is about: its subject, its budget, or both if there are several of both. */
function panelOf({ document, conditions }: Findings, { subject, fraction }: Condition): string {
  const { subjects, budgets } = document;
  if (budgets.length === 1 && document.statement !== "audit") return nameOf(subjects, subject);
  const share = `${exactPercent(fraction)} of the data`;
  if (subjects.length > 1) return `${nameOf(subjects, subject)}, ${share}`;
  const [first] = conditions.flatMap((condition) => (condition.fraction === fraction ? condition.done : []));
  return first === undefined ? share : `${share}, ${plural(first.images.labelled + first.images.unlabelled, "image")}`;
}

function panelsOf(findings: Findings) {
  return findings.subjects.flatMap((subject) =>
    subject.conditions.map((condition) => [panelOf(findings, condition), subject] as const),
  );
}

/** The retention that the binomial test asks of each panel's key. */
function rulesOf(findings: Findings): ReadonlyMap<string, Rule> {
  const chance = 1 / findings.document.data.classes;
  return new Map(
    panelsOf(findings).flatMap(([panel, { done }]): readonly (readonly [string, Rule])[] => {
      const rule = done[0] && ruleOf(done[0].verdict, chance);
      return rule === undefined ? [] : [[panel, rule]];
    }),
  );
}
