/** @file The figures of an audit: those of an experiment, with a panel for each budget in place of each mark. */

import type { AuditResult } from "../../experiments/audit-result.js";
import { figureBlock } from "../figures/block.js";
import { curvePanels } from "../figures/curves.js";
import { leavingLeast, looksOf, standOutNote } from "../figures/palette.js";
import type { Rule, Subject } from "../figures/records.js";
import { scatterPanels } from "../figures/scatter.js";
import { exactPercent, plural } from "../format.js";
import { html, type Markup } from "../html.js";
import { ruleOf } from "../threshold.js";
import { type Done, dropOf } from "./summary.js";

export function auditCharts(audit: AuditResult): Markup {
  const { before, seeds, data, attacks } = audit;
  const runs = drawnRuns(audit);
  if (runs.length === 0) return html``;
  const panels = [...new Set(runs.map(({ subject }) => subject.mark))];
  const rule = ruleOf(before.verdict, 1 / data.classes);
  const rules = new Map<string, Rule>(rule === undefined ? [] : panels.map((panel) => [panel, rule]));
  const starts = new Map(panels.map((panel) => [panel, before.measured.retention]));
  const prices = runs.map(({ subject, cell }) => ({
    ...subject,
    drop: dropOf(audit, cell),
    retention: cell.measured.retention,
  }));
  const epochs = runs.flatMap(({ subject, cell }) =>
    cell.epochs.flatMap(({ epoch, measured }) => (measured === undefined ? [] : [{ ...subject, epoch, ...measured }])),
  );
  const looks = looksOf(prices, leavingLeast(prices));
  const bands =
    seeds.length > 1 ? ` Lines are means over ${seeds.length} seeds, bands reach from the lowest to the highest.` : "";
  return html`<section><h2>What each attack costs and leaves</h2>
${figureBlock(
  scatterPanels(prices, looks, { rules, starts }),
  html`<b>Figure 1.</b> <b>Accuracy drop against retention,</b> after the last epoch; a panel for each budget. Filled shapes are attacks, the hollow
one is training from scratch, the cross is the marked model. Below the dotted rule the exact binomial test no longer shows the mark. The attacker
wants the lower left corner.${standOutNote(attacks.length, "that leave least")}`,
)}
</section>
<section><h2>Epoch by epoch</h2>
${figureBlock(
  curvePanels(epochs, looks, { measures: ["retention"], rules }),
  html`<b>Figure 2.</b> <b>Retention</b> on the owner's key, which no attack knows. Epoch 0 is the marked model.${bands}`,
)}
${figureBlock(
  curvePanels(epochs, looks, { measures: ["accuracy"] }),
  html`<b>Figure 3.</b> <b>Accuracy</b> on the untouched test set, in the same runs.${bands}`,
)}
</section>
`;
}

/** Finished cells, by budget: each budget has its panel. */
function drawnRuns({
  attacks,
  cells,
  budgets,
}: AuditResult): readonly { readonly subject: Subject; readonly cell: Done }[] {
  const done = cells.flatMap((cell) => (cell.status === "done" ? [cell] : []));
  return budgets.flatMap((budget) => {
    const here = done.filter(({ fraction }) => fraction === budget);
    const mark = `${exactPercent(budget)} of the data, ${plural(here[0]?.images ?? 0, "image")}`;
    return here.flatMap((cell) => {
      const attack = attacks[cell.attack];
      return attack === undefined ? [] : [{ subject: { mark, remover: attack.title, baseline: attack.control }, cell }];
    });
  });
}
