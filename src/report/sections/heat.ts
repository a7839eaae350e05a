/** @file What is left of each mark at one glance, and why some of it is missing. */

import { heatFigures } from "../figure-data.js";
import { figureBlock } from "../figures/block.js";
import { type Findings, nameOf } from "../findings/findings.js";
import { exactPercent, plural, pointsWithUnit } from "../format.js";
import { type Content, html, type Markup } from "../html.js";
import { table } from "../table.js";

export function heat(findings: Findings): Markup {
  const { budgets, decision } = findings.document;
  const maps = budgets.length > 1 ? ", a map for each share of the training data" : "";
  const { acceptableDrop } = decision;
  const price = acceptableDrop !== null && ` and at most ${pointsWithUnit(acceptableDrop, 0)} of accuracy are lost`;
  const dear = acceptableDrop !== null && " △: not shown in any seed, but for more accuracy than that in some.";
  return html`<section><h2>What is left of each mark</h2>
${figureBlock(
  heatFigures(findings),
  html`<b>Mean retention in percent</b> after the last epoch${maps}. Dark: the mark stands. Framed: in every seed
the key's verdict is “not shown” at α = ${decision.alpha}${price}.${dear} –: nothing to show; the reasons stand below.`,
  "own size",
)}</section>
`;
}

/** The same if there are several budgets; one budget's numbers stand in the table of verdicts. */
export function heatByBudget(findings: Findings): Markup {
  return findings.document.budgets.length > 1 ? heat(findings) : html``;
}

/** Conditions with cells that do not count: missing, skipped, failed, or of a mark that was not shown before. */
export function lacking({ document: { subjects, removers }, conditions }: Findings): Markup {
  const rows = conditions.filter(({ reasons }) => reasons.length > 0);
  if (rows.length === 0) return html``;
  return html`<details><summary>${plural(rows.length, "combination")} with cells that are missing, were skipped,
failed or do not count</summary>
${table<(typeof rows)[number]>({
  columns: [
    { heading: "Mark", cell: ({ subject }) => nameOf(subjects, subject) },
    { heading: "Remover", cell: ({ remover }): Content => nameOf(removers, remover) },
    { heading: "Data", align: "number", cell: ({ fraction }) => exactPercent(fraction) },
    { heading: "Why", cell: ({ reasons }) => reasons.join("; ") },
  ],
  rows,
})}</details>
`;
}
