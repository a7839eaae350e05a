/** @file The figures of an audit: those of an experiment, with a panel for each budget in place of each mark. */

import type { AuditResult } from "../../experiments/audit-result.js";
import { curvePanels } from "../figures/curves.js";
import type { Figure } from "../figures/plot.js";
import { tradeoffPanels } from "../figures/tradeoff.js";
import { plural, shortPercent } from "../format.js";
import type { Charted } from "../groups.js";
import { type Content, html, type Markup, raw } from "../html.js";

export function auditCharts(audit: AuditResult): Markup {
  const charted = asCharted(audit);
  if (charted.removals.length === 0) return html``;
  const seeds = audit.seeds.length;
  const bands = seeds > 1 ? ` Lines are means over ${seeds} seeds, bands reach from the lowest to the highest.` : "";
  return html`<section><h2>What each attack costs and leaves</h2>
${figure(
  1,
  tradeoffPanels(charted, "page"),
  html`<b>Accuracy drop against retention,</b> after the last epoch; a panel for each budget. Filled shapes are attacks, the hollow
one is training from scratch, the cross is the marked model. Below the dotted rule the exact binomial test no longer shows the mark. The attacker
wants the lower left corner.`,
)}
</section>
<section><h2>Epoch by epoch</h2>
${figure(2, curvePanels(charted, "all", "page", ["retention"]), html`<b>Retention</b> on the owner's key, which no attack knows. Epoch 0 is the marked model.${bands}`)}
${figure(3, curvePanels(charted, "all", "page", ["accuracy"]), html`<b>Accuracy</b> on the untouched test set, in the same runs.${bands}`)}
</section>
`;
}

function figure(number: number, panels: readonly Figure[], caption: Content): Markup {
  return html`<figure>
<div class="panels${panels.length < 3 && " few"}">
${panels.map((panel) => html`${raw(panel.svg)}\n`)}</div>
<figcaption><b>Figure ${number}.</b> ${caption}</figcaption>
</figure>
`;
}

/** The audit in the terms of the figures: budgets take the place of marks. Budgets without a finished cell are left out. */
function asCharted({ data, before, attacks, cells, budgets, seeds }: AuditResult): Charted {
  const done = cells.flatMap((cell) => (cell.status === "done" ? [cell] : []));
  const shown = budgets.filter((fraction) => done.some((cell) => cell.fraction === fraction));
  return {
    data,
    marks: shown.map(String),
    marked: shown.flatMap((fraction) => {
      const images = done.find((cell) => cell.fraction === fraction)?.images ?? 0;
      const title = `${shortPercent(fraction)} of the data, ${plural(images, "image")}`;
      return seeds.map((seed) => ({ mark: String(fraction), title, seed, ...before }));
    }),
    removals: done.flatMap(({ attack, fraction, status: _, images: __, ...cell }) => {
      const run = attacks[attack];
      if (run === undefined) return [];
      const { method, title, control, options } = run;
      return [{ mark: String(fraction), method, title, control, options, ...cell }];
    }),
  };
}
