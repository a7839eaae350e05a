/**
 * @file The charts with their captions.
 */

import type { Result } from "../../experiments/result.js";
import { figureBlock } from "../figures/block.js";
import { curvePanels } from "../figures/curves.js";
import { leavingLeast, looksOf, standOutNote } from "../figures/palette.js";
import type { EpochRow, Rule } from "../figures/records.js";
import { scatterPanels } from "../figures/scatter.js";
import { pValue } from "../format.js";
import { distinct, epochRows, markGroups, priceRows } from "../groups.js";
import { html, type Markup, raw } from "../html.js";
import { spread } from "../spread.js";
import { matchesNeeded, ruleOf } from "../threshold.js";

/** The curves of what was tested, of the controls, and the trade-off; each is left out where it would be empty. */
export function charts(result: Result): Markup {
  const prices = priceRows(result);
  if (prices.length === 0) {
    return html`<section><h2>What removal does</h2><p>No removal was run, so there is nothing to draw.</p></section>`;
  }
  const marks = markGroups(result);
  const rules = new Map(
    marks.flatMap(({ title, marked: [first] }): readonly (readonly [string, Rule])[] => {
      const rule = first && ruleOf(first.verdict, 1 / result.data.classes);
      return rule === undefined ? [] : [[title, rule]];
    }),
  );
  const starts = new Map(
    marks.map(({ title, marked }) => [title, spread(marked.map((m) => m.measured.retention))?.mean ?? 1]),
  );
  const looks = looksOf(prices, leavingLeast(prices));
  const rows = epochRows(result);
  const curves = (shown: (row: EpochRow) => boolean) => curvePanels(rows, looks, { shown, rules });
  const blocks = [
    { panels: curves(({ baseline }) => !baseline), caption: html`<b>Methods under test.</b> ${curveCaption(result)}` },
    {
      panels: curves(({ baseline }) => baseline),
      caption: html`<b>Controls,</b> on the same axes: what happens to each mark without the method under test.`,
    },
    {
      panels: scatterPanels(prices, looks, { rules, starts }),
      caption: html`<b>Accuracy drop against retention,</b> after the last epoch: a shape for every run, filled for methods under test,
hollow for controls; the cross is the marked model. The attacker wants the lower left corner, the mark gone and the
accuracy kept.${result.seeds.length > 1 && " Names stand beside the mean of a method's runs."}${standOutNote(looks.size, "that leave least")}`,
    },
  ].filter(({ panels }) => panels.length > 0);
  const figures = blocks.map(({ panels, caption }, i) => figureBlock(panels, html`<b>Figure ${i + 1}.</b> ${caption}`));
  return html`<section><h2>What removal does, epoch by epoch</h2>
<p>The attacker holds the marked model's weights and a share of the training data, and knows nothing of the key. Epoch 0 is
the marked model. Accuracy is measured on the untouched test set, retention on the owner's key: neither is known to the
attacker.</p>
${lineKey()}${figures.slice(0, -1)}
</section>
<section><h2>What removal costs</h2>
${figures.at(-1)}
</section>
`;
}

/** How to tell the two measures apart; the methods carry their names at the ends of their lines. */
function lineKey(): Markup {
  const sample = (attributes: string): Markup =>
    raw(
      `<svg width="34" height="10" aria-hidden="true"><line x1="1" x2="33" y1="5" y2="5" stroke="currentColor" ${attributes}/></svg>`,
    );
  return html`<div class="key"><span>${sample('stroke-width="2.4"')}retention (bold names)</span><span>${sample(
    'stroke-width="1.6" stroke-dasharray="5 3"',
  )}test accuracy</span><span>${sample(
    'stroke-width="1.4" stroke-dasharray="1 3" stroke-linecap="round"',
  )}least retention that can still show the mark</span></div>
`;
}

function curveCaption(result: Result): Markup {
  const seeds = result.seeds.length;
  const spreadText =
    seeds > 1
      ? `Lines are means over ${seeds} seeds, bands reach from the lowest to the highest.`
      : "One seed, so there is no band.";
  return html`${spreadText} Numbers at the right are those of the last epoch. ${thresholdCaption(result)}`;
}

/** Which retention is needed, and by which test; marks that share their numbers share the sentence. */
function thresholdCaption(result: Result): string {
  const chance = 1 / result.data.classes;
  const sentences = markGroups(result).flatMap((mark) => {
    const verdict = mark.marked[0]?.verdict;
    const matches = verdict && matchesNeeded(verdict.n, chance, verdict.alpha);
    if (verdict === undefined || matches === undefined) return [];
    return (
      `The dotted rule lies at ${matches} matches of ${verdict.n}, the fewest that the exact binomial test takes for more ` +
      `than chance at α = ${pValue(verdict.alpha)} (one in ${result.data.classes} for an innocent model).`
    );
  });
  if (sentences.length === 0) return "";
  return `${distinct(sentences).join(" ")} Other tests may ask for more: the verdicts below take the most conservative one.`;
}
