/** @file The curves by epoch, of attacks that were measured after each. */

import { curveFigures } from "../figure-data.js";
import { figureBlock } from "../figures/block.js";
import type { Findings } from "../findings/findings.js";
import { pValue } from "../format.js";
import { html, type Markup, raw } from "../html.js";
import { matchesNeeded } from "../threshold.js";

/** Both measures in one picture: methods under test, then baselines. */
export function curves(findings: Findings): Markup {
  const tested = curveFigures(findings, { which: "tested" });
  const baselines = curveFigures(findings, { which: "baselines" });
  if (tested.length + baselines.length === 0) return html``;
  return html`<section><h2>What removal does, epoch by epoch</h2>
<p>The attacker holds the marked model's weights and a share of the training data, and knows nothing of the key.
Epoch 0 is
the marked model. Accuracy is measured on the untouched test set, retention on the owner's key: neither is known to the
attacker.</p>
${lineKey()}${
  tested.length > 0 &&
  figureBlock(
    tested,
    html`<b>Methods under test.</b> ${bands(findings)} Numbers at the right are those of the last epoch.
${thresholdCaption(findings)}`,
  )
}${
  baselines.length > 0 &&
  figureBlock(
    baselines,
    html`<b>Baselines,</b> on the same axes: what happens to each mark without the method under test.`,
  )
}</section>
`;
}

/** A picture for each measure: all attacks beside one another. */
export function curvesByMeasure(findings: Findings): Markup {
  const retention = curveFigures(findings, { which: "all", measures: ["retention"] });
  if (retention.length === 0) return html``;
  const seeds = findings.document.seeds.length > 1 && ` ${bands(findings)}`;
  return html`<section><h2>Epoch by epoch</h2>
${figureBlock(
  retention,
  html`<b>Retention</b> on the owner's key, which no attack knows. Epoch 0 is the marked model.${seeds}`,
)}${figureBlock(
  curveFigures(findings, { which: "all", measures: ["accuracy"] }),
  html`<b>Accuracy</b> on the untouched test set, in the same runs.${seeds}`,
)}</section>
`;
}

function bands({ document: { seeds } }: Findings): string {
  return seeds.length > 1
    ? `Lines are means over ${seeds.length} seeds, bands reach from the lowest to the highest.`
    : "One seed, so there is no band.";
}

/** How to tell the two measures apart; the methods carry their names at the ends of their lines. */
function lineKey(): Markup {
  const sample = (attributes: string): Markup =>
    raw(
      `<svg width="34" height="10" aria-hidden="true"><line x1="1" x2="33" y1="5" y2="5" ` +
        `stroke="currentColor" ${attributes}/></svg>`,
    );
  return html`<div class="key"><span>${sample('stroke-width="2.4"')}retention (bold names)</span><span>${sample(
    'stroke-width="1.6" stroke-dasharray="5 3"',
  )}test accuracy</span><span>${sample(
    'stroke-width="1.4" stroke-dasharray="1 3" stroke-linecap="round"',
  )}least retention that can still show the mark</span></div>
`;
}

/** Which retention is needed, and by which test; marks that share their numbers share the sentence. */
function thresholdCaption({ document: { data }, subjects }: Findings): string {
  const sentences = subjects.flatMap(({ done: [first] }) => {
    const matches = first && matchesNeeded(first.verdict.n, 1 / data.classes, first.verdict.alpha);
    if (first === undefined || matches === undefined) return [];
    return (
      `The dotted rule lies at ${matches} matches of ${first.verdict.n}, the fewest that the exact binomial test ` +
      `takes for more than chance at α = ${pValue(first.verdict.alpha)} (one in ${data.classes} for a null model).`
    );
  });
  if (sentences.length === 0) return "";
  const more = "Other tests may ask for more: the verdicts take the most conservative one.";
  return [...new Set(sentences), more].join(" ");
}
