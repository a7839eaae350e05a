/** @file The evidence behind the matrix: counts, intervals and p-values of every attack, budget and seed. */

import type { DoneAttack, Judgement } from "../../experiments/document.js";
import type { Measurement } from "../../tasks/records.js";
import type { Condition } from "../findings/conditions.js";
import { attacksFirst, type Findings, isBaseline } from "../findings/findings.js";
import type { SubjectFindings } from "../findings/subjects.js";
import { duration, exactPercent, points, pointsWithUnit, pValue } from "../format.js";
import { percentNumber } from "../../core/percent.js";
import { type Content, html, type Markup } from "../html.js";
import { testTitle } from "../models.js";
import { type Column, type Group, table } from "../table.js";

type Remover = ReturnType<typeof attacksFirst>[number];

/** The marked model, a finished run, or why there is none. */
interface Row {
  readonly name: string;
  readonly found: SubjectFindings;
  readonly measured?: Measurement;
  readonly judgement?: Judgement;
  readonly remover?: Remover;
  readonly condition?: Condition;
  readonly run?: DoneAttack;
  readonly reason?: string;
}

export function evidence(findings: Findings): Markup {
  const { decision, observe } = findings.document;
  const { acceptableDrop, alpha } = decision;
  const limit = acceptableDrop === null ? undefined : points(acceptableDrop, 0);
  const [first] = findings.subjects.flatMap(({ done }) => done);
  const confidence = first === undefined ? "" : `${percentNumber(first.verdict.confidence, 0)} % `;
  return html`<section><h2>How sure that is</h2>
<p>Each row is one cleaned model, asked all triggers of the key. The mark is shown where the p-value is at most
α = ${alpha}. Brackets hold the
${confidence}Clopper-Pearson interval of the retention.${
    limit !== undefined &&
    acceptableDrop !== null &&
    ` “Within ${limit}”: no longer shown, for at most ${pointsWithUnit(acceptableDrop, 0)} of accuracy; “at any ` +
      "cost”: no longer shown at all."
  } p-values are not corrected for the number of attacks: with many survivals near α, expect some by chance.${
    observe.reactivation !== null &&
    ` “Tuned on”: what the key finds after ${observe.reactivation.steps} more steps on clean training images ` +
      "(re-activation)."
  }</p>
${table<Row>({
  kind: "data evidence",
  columns: columnsOf(limit, observe.reactivation !== null),
  groups: findings.subjects.flatMap((found) => groupsOf(findings, found)),
  rowKind: ({ remover, run }) =>
    run === undefined || remover === undefined ? "yardstick" : isBaseline(remover) ? "control" : "tested",
  instead: { from: 3, text: ({ reason }) => reason },
})}</section>
`;
}

function groupsOf({ document, subjects }: Findings, found: SubjectFindings): readonly Group<Row>[] {
  const [first] = found.done;
  const heading = subjects.length > 1 ? { heading: found.subject.name } : {};
  const marked = first && { name: "marked model", found, measured: first.measured, judgement: first.verdict };
  const lines = attacksFirst(document).map((remover) => {
    const conditions = found.conditions.filter((condition) => condition.remover === remover.at);
    return {
      rows: conditions.flatMap((condition): readonly Row[] => {
        const common = { name: remover.name, found, remover, condition };
        const reasons = condition.outcome === "never-shown" ? [] : condition.reasons;
        return [
          ...condition.done.map((run) => ({ ...common, run, measured: run.measured, judgement: run.judgement })),
          ...reasons.map((reason) => ({ ...common, reason })),
        ];
      }),
    };
  });
  return [{ ...heading, rows: marked === undefined ? [] : [marked] }, ...lines];
}

function columnsOf(limit: string | undefined, followed: boolean): readonly Column<Row>[] {
  return [
    { heading: "Attack", cell: ({ name }) => name },
    { heading: "Data", align: "number", cell: ({ condition }) => (condition ? exactPercent(condition.fraction) : "–") },
    { heading: "Seed", align: "number", cell: ({ run, reason }) => run?.seed ?? (reason === undefined ? "–" : "") },
    {
      heading: "Matches",
      align: "number",
      cell: ({ judgement }) => judgement && `${judgement.matches} of ${judgement.n}`,
    },
    { heading: "Retention, %", align: "number", cell: retention },
    { heading: "Held-out, %", align: "number", cell: ({ measured }) => optionalPercent(measured?.heldOutRetention) },
    {
      heading: "Accuracy, %",
      align: "number",
      cell: ({ measured }) => measured && percentNumber(measured.accuracy, 2),
    },
    {
      heading: "Drop, points",
      align: "number",
      cell: ({ run }) => (run === undefined ? "–" : points(run.accuracyDrop)),
    },
    { heading: "p-value", align: "number", cell: ({ judgement }) => judgement && pValue(judgement.pValue) },
    { heading: "Decided by", cell: ({ judgement, found }) => judgement && testTitle(found, judgement.decidedBy) },
    ...(limit === undefined ? [] : [{ heading: `Within ${limit}`, cell: within }]),
    { heading: "At any cost", cell: atAnyCost },
    ...(followed ? [{ heading: "Tuned on", cell: tunedOn }] : []),
    { heading: "Training", align: "number", cell: ({ run }) => (run === undefined ? "–" : duration(run.seconds)) },
  ];
}

function retention({ measured, judgement }: Row): Content {
  if (measured === undefined || judgement === undefined) return undefined;
  const [low, high] = judgement.interval;
  return html`${percentNumber(measured.retention)} <small>[${percentNumber(low)}, ${percentNumber(high)}]</small>`;
}

function optionalPercent(share: number | undefined): string {
  return share === undefined ? "–" : percentNumber(share);
}

/** Whether the mark went for what an attacker would pay. */
function within({ run, remover, condition }: Row): string {
  if (run === undefined || remover?.ignoresModel === true) return "–";
  const behind = condition?.behindScratch ?? 0;
  switch (run.outcome) {
    case "never-shown":
      return "–";
    case "shown":
      return "no";
    case "costly":
    case "removed":
      if (behind > 0) return `no: from scratch is ${points(behind)} points better`;
      return run.outcome === "removed" ? "yes" : "no: too dear";
  }
}

function atAnyCost({ run, remover, judgement }: Row): string {
  const shown = judgement?.owned === true;
  if (run === undefined) return shown ? "shown" : "not shown";
  if (remover?.ignoresModel === true) return shown ? "shown: unsound" : "not shown, as it must be";
  if (run.outcome === "never-shown") return shown ? "shown, not before" : "not shown, nor before";
  return shown ? "no" : "yes";
}

/** What the key finds after re-activation. */
function tunedOn({ run }: Row): string {
  if (run?.reactivated === undefined) return "–";
  const { judgement, measured } = run.reactivated;
  return `${percentNumber(measured.retention)} %, ${judgement.owned ? "shown" : "not shown"}`;
}
