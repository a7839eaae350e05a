/**
 * @file The charts with their captions.
 */

import type { Result } from "../../experiments/result.js";
import { curvePanels } from "../figures/curves.js";
import type { Figure } from "../figures/plot.js";
import { tradeoffPanels } from "../figures/tradeoff.js";
import { pValue } from "../format.js";
import { distinct, markGroups } from "../groups.js";
import { type Content, html, type Markup, raw } from "../html.js";
import { matchesNeeded } from "../threshold.js";

/** The curves of what was tested, of the controls, and the trade-off; each is left out where it would be empty. */
export function charts(result: Result): Markup {
  const tested = curvePanels(result, "tested", "page");
  const controls = curvePanels(result, "controls", "page");
  const tradeoff = tradeoffPanels(result, "page");
  if (tradeoff.length === 0) {
    return html`<section><h2>What removal does</h2><p>No removal was run, so there is nothing to draw.</p></section>`;
  }
  const numbers = { next: 1 };
  return html`<section><h2>What removal does, epoch by epoch</h2>
<p>The attacker holds the marked model's weights and a share of the training data, and knows nothing of the key. Epoch 0 is
the marked model. Accuracy is measured on the untouched test set, retention on the owner's key: neither is known to the
attacker.</p>
${lineKey()}${tested.length > 0 && chart(numbers, tested, html`<b>Methods under test.</b> ${curveCaption(result)}`)}
${controls.length > 0 && chart(numbers, controls, html`<b>Controls,</b> on the same axes: what happens to each mark without the method under test.`)}
</section>
<section><h2>What removal costs</h2>
${chart(
  numbers,
  tradeoff,
  html`<b>Accuracy drop against retention,</b> after the last epoch: a shape for every run, filled for methods under test,
hollow for controls; the cross is the marked model. The attacker wants the lower left corner, the mark gone and the
accuracy kept.${result.seeds.length > 1 && " Names stand beside the mean of a method's runs."}`,
)}
</section>
`;
}

function chart(numbers: { next: number }, panels: readonly Figure[], caption: Content): Markup {
  const number = numbers.next;
  numbers.next += 1;
  return html`<figure>
<div class="panels${panels.length < 3 && " few"}">
${panels.map((panel) => html`${raw(panel.svg)}\n`)}</div>
<figcaption><b>Figure ${number}.</b> ${caption}</figcaption>
</figure>
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
