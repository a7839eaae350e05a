/** @file What removal costs: accuracy drop against retention, against data, and whether marks come back. */

import { budgetFigures, meanPriceFigures, priceFigures, reactivationFigures } from "../figure-data.js";
import { figureBlock } from "../figures/block.js";
import { standOutNote } from "../figures/palette.js";
import { type costsAt, type Findings, reach } from "../findings/findings.js";
import { count, exactPercent, points, pointsWithUnit } from "../format.js";
import { type Content, html, type Markup } from "../html.js";
import { type Column, table } from "../table.js";

type Costs = ReturnType<typeof costsAt>;

/** Every run as a shape. */
export function tradeoff(findings: Findings): Markup {
  const panels = priceFigures(findings);
  if (panels.length === 0)
    return html`<section><h2>What removal costs</h2><p>No removal was run, so there is nothing to draw.</p></section>`;
  const { seeds, removers } = findings.document;
  const names = seeds.length > 1 && " Names stand beside the mean of a method's runs.";
  return html`<section><h2>What removal costs</h2>
${figureBlock(
  panels,
  html`<b>Accuracy drop against retention,</b> after the last epoch: a shape for every run, filled for methods under
test, hollow for
baselines; the cross is the marked model. Below the dotted rule the exact binomial test no longer shows the
mark. The attacker
wants the lower left corner, the mark gone and the accuracy
kept.${names}${standOutNote(removers.length, "that leave least")}`,
)}</section>
`;
}

/** Means over seeds, with one budget: the front of what none beats. */
export function front(findings: Findings): Markup {
  const { focus, document } = findings;
  const limit =
    document.decision.acceptableDrop !== null &&
    " Right of the dotted line a removal costs more than is acceptable; an arrow says how much, where that is far " +
      "beyond the picture.";
  return section(
    "What it costs",
    meanPriceFigures(findings),
    html`<b>Accuracy drop against retention</b> with ${exactPercent(focus)} of the data, means over seeds. The
attacker wants the lower left corner. The grey
steps are the front: no other remover is better in both.${limit} Hollow shapes are
baselines.${standOutNote(document.removers.length, "that remove most with all budgets together")}`,
  );
}

/** Retention against the attacker's share, and the same as a table; empty with one budget. */
export function budgets(findings: Findings): Markup {
  const { budgets: shares, removers } = findings.document;
  if (shares.length < 2) return html``;
  return section(
    "How much data it takes",
    budgetFigures(findings),
    html`<b>Retention against the attacker's share of the training data.</b> Lines are means over seeds, bands 95 %
bootstrap intervals of the mean; dashed
lines are baselines.${standOutNote(removers.length, "that stand first in the table")}`,
    reachTable(findings),
  );
}

/** Removers that remove most first, over all budgets; the cheaper of equals. */
function reachTable(findings: Findings): Markup {
  const { budgets: shares, decision } = findings.document;
  type Row = ReturnType<typeof reach>[number];
  const price =
    decision.acceptableDrop === null ? "" : ` for at most ${pointsWithUnit(decision.acceptableDrop, 0)} of accuracy`;
  return table<Row>({
    kind: "data reach",
    caption:
      `From how many marked models each remover took the mark${price}, of how many it was tried on; beside that, its ` +
      "mean drop in points.",
    columns: [
      { heading: "Remover", cell: ({ name }) => name },
      ...shares.flatMap((fraction, b): readonly Column<Row>[] => [
        { heading: exactPercent(fraction), align: "number", cell: ({ cells }) => took(cells[b]) },
        { align: "number", kind: () => "price", cell: ({ cells }) => drop(cells[b]) },
      ]),
    ],
    rows: reach(findings),
  });
}

function took(costs: Costs): Content {
  return costs?.found === undefined ? "–" : `${costs.removed} of ${costs.tried}`;
}

function drop(costs: Costs): Content {
  return costs?.found && points(costs.found.drop);
}

/** Whether removed marks come back; empty if nobody asked. */
export function comeback(findings: Findings): Markup {
  const { reactivation } = findings.document.observe;
  if (reactivation === null) return html``;
  return section(
    "Whether marks come back",
    reactivationFigures(findings),
    html`<b>Re-activation</b> with ${exactPercent(findings.focus)} of the data: from the dot (after removal) to the
arrow's head (after ${count(reactivation.steps)} steps of tuning on
clean training images, batches of ${reactivation.batch}, rate ${reactivation.learningRate}; after Ngo et al.,
arXiv:2501.02704), means over seeds.`,
  );
}

/** @param before stands above the figures. */
function section(title: string, panels: Parameters<typeof figureBlock>[0], caption: Content, before?: Content): Markup {
  if (panels.length === 0) return html``;
  return html`<section><h2>${title}</h2>
${before}${figureBlock(panels, caption)}</section>
`;
}
