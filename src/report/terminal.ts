/** @file The findings for a terminal: paragraphs of plain text, without colour. */

import { textTable } from "../core/text-table.js";
import type { Condition } from "./findings/conditions.js";
import { attacksFirst, type Findings, isBaseline } from "./findings/findings.js";
import type { SubjectFindings } from "./findings/subjects.js";
import { count, exactPercent, percent, points, pValue } from "./format.js";
import { nextSteps, sureness } from "./sentences/advice.js";
import { headline } from "./sentences/headline.js";
import { outcomeWords } from "./sentences/outcomes.js";
import { warnings } from "./sentences/remarks.js";

/**
 * What was found, a paragraph each: the headline, a table of conditions, warnings, how sure that is, what to do next.
 *
 * Of one subject each condition has a line with all its numbers; of several, a remover has a line and each budget a
 * column such as "removed 2/3, 4.0 %, −0.61": runs that removed the mark at an acceptable price, mean retention, mean
 * change of accuracy in points.
 */
export function terminalReport(findings: Findings): readonly string[] {
  const [only, ...others] = findings.subjects;
  const next = nextSteps(findings);
  return [
    headline(findings).join("\n"),
    only !== undefined && others.length === 0 ? conditionTable(findings, only) : budgetTable(findings),
    ...warnings(findings).map((text) => `Warning: ${text}`),
    sureness(findings),
    ...(next.length === 0 ? [] : [`Next:\n${next.map((text) => `  - ${text}`).join("\n")}`]),
  ].map(plain);
}

/** Spaces of one kind: terminals and programs that read them know no other. */
function plain(text: string): string {
  return text.replaceAll(/[\u00a0\u202f]/g, " ");
}

type Remover = ReturnType<typeof attacksFirst>[number];

function nameOf(remover: Remover): string {
  return isBaseline(remover) ? `${remover.name} (baseline)` : remover.name;
}

function conditionTable({ document }: Findings, { conditions }: SubjectFindings): string {
  const rows = document.budgets.flatMap((fraction) =>
    attacksFirst(document).flatMap((remover) =>
      conditions
        .filter((condition) => condition.remover === remover.at && condition.fraction === fraction)
        .map((condition) => [
          nameOf(remover),
          exactPercent(fraction),
          ...numbers(condition),
          words(remover, condition),
        ]),
    ),
  );
  return textTable(
    rows.map((row) => row.map(plain)),
    ["attack", "data", "images", "retention", "points", "p-value", ""],
  );
}

/** What is left of a key on a model that ignores the marked one is no outcome. */
function words({ ignoresModel }: Remover, condition: Condition): string {
  return ignoresModel ? "" : outcomeWords(condition);
}

function numbers({ done, retention, drop }: Condition): readonly string[] {
  const [first] = done;
  if (first === undefined || retention === undefined || drop === undefined) return ["", "", "", ""];
  const { labelled, unlabelled } = first.images;
  const p = done.map(({ judgement }) => judgement.pValue);
  const [low, high] = [pValue(Math.min(...p)), pValue(Math.max(...p))];
  return [
    count(labelled + unlabelled),
    percent(retention.mean),
    change(drop.mean),
    low === high ? low : `${low} to ${high}`,
  ];
}

function budgetTable({ document, subjects }: Findings): string {
  const rows = subjects.flatMap(({ subject, conditions }) =>
    attacksFirst(document).map((remover) => [
      subject.name,
      nameOf(remover),
      ...conditions.filter((condition) => condition.remover === remover.at).map(square),
    ]),
  );
  const header = ["mark", "remover", ...document.budgets.map(exactPercent)];
  return textTable(
    rows.map((row) => row.map(plain)),
    header.map(plain),
  );
}

function square({ done, runs, removed, retention, drop, reasons }: Condition): string {
  if (done.length === 0) return reasons[0]?.split(":")[0] ?? "";
  if (runs.length === 0 || retention === undefined || drop === undefined) return "never shown";
  return `removed ${removed}/${runs.length}, ${percent(retention.mean)}, ${change(drop.mean)}`;
}

/** A drop of accuracy as a change, in points with its sign: "−0.61", "+0.10". */
function change(drop: number): string {
  const text = points(-drop);
  return text.startsWith("−") ? text : `+${text}`;
}
