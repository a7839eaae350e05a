/** @file The report of a bench, section by section: what was found, the pictures, the rankings, then how to redo it. */

import type { BenchResult } from "../../experiments/bench-result.js";
import { figureBlock } from "../figures/block.js";
import { budgetPanels } from "../figures/budgets.js";
import type { Figure } from "../figures/frame.js";
import { heatMaps } from "../figures/heat-map.js";
import { type Looks, looksOf, standOutNote } from "../figures/palette.js";
import { reactivationPanels } from "../figures/reactivation.js";
import { scatterPanels } from "../figures/scatter.js";
import {
  count,
  duration,
  exactPercent,
  list,
  minute,
  percentNumber,
  plural,
  points,
  pointsWithUnit,
  pValue,
  wholeNumber,
} from "../format.js";
import { type Content, html, type Markup } from "../html.js";
import { conditionRows, priceRows, reach, reactivationRows } from "./rows.js";
import { type BenchSummary, costsOf, type Estimate, type Ranking, type Standing, summariseBench } from "./summary.js";
import { benchCsv, benchLatex } from "./tables.js";

export function benchSections(bench: BenchResult): Content {
  const summary = summariseBench(bench);
  return [opening, glance, data, price, rankings, comeback, models, definitions, tables, redo].map((section) =>
    section(bench, summary),
  );
}

function opening(bench: BenchResult, { headline, warnings }: BenchSummary): Markup {
  const { title, finished, data: set, architecture, marks, removers, budgets, seeds } = bench;
  return html`<header>
<p class="kicker">Watermark bench · ${minute(finished)}</p>
<h1>${title}</h1>
<div class="headline">${headline.map((text) => html`<p>${text}</p>`)}</div>
</header>
<p>${plural(marks.length, "mark")} in ${architecture.title}, trained on ${set.title} (${count(set.trainCount)} images), against ${plural(removers.length, "remover")} with
${list(budgets.map(exactPercent))} of the training data, ${plural(seeds.length, "seed")}. Accuracy is measured on ${count(set.testCount)} test images that no method sees.</p>
${warnings.length > 0 && html`<ul class="remarks">${warnings.map((text) => html`<li class="warning">${text}</li>`)}</ul>`}
`;
}

function glance(bench: BenchResult, summary: BenchSummary): Markup {
  const budgets = bench.budgets.length > 1 ? ", a map for each share of the training data" : "";
  return html`<section><h2>What is left of each mark</h2>
${figureBlock(
  heatMaps(conditionRows(bench, summary), bestFirst(bench, summary)),
  html`<b>Mean retention in percent</b> after the last epoch${budgets}. Dark: the mark stands. Framed: in every seed the key's verdict is
“not shown” at α = ${bench.alpha} and at most ${pointsWithUnit(bench.acceptableDrop, 0)} of accuracy are lost. △: not shown in any seed, but for more
accuracy than that in some. –: nothing to show; the reasons stand below.`,
  "own size",
)}
${notRun(bench, summary)}</section>
`;
}

function notRun(bench: BenchResult, { squares }: BenchSummary): Content {
  const lacking = squares.filter(({ reasons }) => reasons.length > 0);
  if (lacking.length === 0) return undefined;
  const rows = lacking.map(
    ({ mark, remover, fraction, reasons }) =>
      html`<tr><th scope="row">${bench.marks[mark]?.name}</th><td>${bench.removers[remover]?.name}</td><td class="number">${exactPercent(fraction)}</td><td>${reasons.join("; ")}</td></tr>\n`,
  );
  return html`<details><summary>${plural(lacking.length, "combination")} with cells that are missing, were skipped or failed</summary>
<div class="scroll"><table class="data"><thead><tr><th>Mark</th><th>Remover</th><th class="number">Data</th><th>Why</th></tr></thead><tbody>
${rows}</tbody></table></div></details>`;
}

function data(bench: BenchResult, summary: BenchSummary): Markup {
  return panels(
    "How much data it takes",
    budgetPanels(conditionRows(bench, summary), looks(bench, summary)),
    reachTable(bench, summary),
    html`<b>Retention against the attacker's share of the training data.</b> Lines are means over seeds, bands 95 % bootstrap intervals of the mean; dashed
lines are controls.${standOutNote(bench.removers.length, "that stand first in the table")}`,
  );
}

function bestFirst(bench: BenchResult, summary: BenchSummary): readonly string[] {
  return reach(bench, summary).map(({ name }) => name);
}

function looks(bench: BenchResult, summary: BenchSummary): Looks {
  return looksOf(
    bench.removers.map(({ name, control }) => ({ remover: name, baseline: control })),
    bestFirst(bench, summary),
  );
}

function reachTable(bench: BenchResult, summary: BenchSummary): Markup {
  const { budgets, acceptableDrop } = bench;
  return html`<div class="scroll"><table class="data reach">
<caption>From how many marked models each remover took the mark for at most ${pointsWithUnit(acceptableDrop, 0)} of accuracy, of how many it was tried on; beside that, its mean drop in points.</caption>
<thead><tr><th>Remover</th>${budgets.map((fraction) => html`<th class="number" colspan="2">${exactPercent(fraction)}</th>`)}</tr></thead><tbody>
${reach(bench, summary).map(({ name, cells }) => html`<tr><th scope="row">${name}</th>${cells.map(reachCell)}</tr>\n`)}</tbody></table></div>
`;
}

function reachCell(costs: ReturnType<typeof costsOf>): Markup {
  if (costs === undefined) return html`<td class="number">–</td><td></td>`;
  return html`<td class="number">${costs.removed} of ${costs.tried}</td><td class="number price">${points(costs.drop)}</td>`;
}

function price(bench: BenchResult, summary: BenchSummary): Markup {
  return panels(
    "What it costs",
    scatterPanels(priceRows(bench, summary), looks(bench, summary), { acceptableDrop: bench.acceptableDrop }),
    undefined,
    html`<b>Accuracy drop against retention</b> with ${exactPercent(summary.focus)} of the data, means over seeds. The attacker wants the lower left corner. The grey
steps are the front: no other remover is better in both. Right of the dotted line a removal costs more than is acceptable; an arrow says how much, where that is far beyond the picture. Hollow shapes are
controls.${standOutNote(bench.removers.length, "that remove most marks")}`,
  );
}

function comeback(bench: BenchResult, summary: BenchSummary): Markup {
  const { reactivation } = bench;
  if (reactivation === null) return html``;
  return panels(
    "Whether marks come back",
    reactivationPanels(reactivationRows(bench, summary)),
    undefined,
    html`<b>Re-activation</b> with ${exactPercent(summary.focus)} of the data: from the dot (after removal) to the arrow's head (after ${count(reactivation.steps)} steps of tuning on
clean training images, batches of ${reactivation.batch}, rate ${reactivation.learningRate}; after Ngo et al., arXiv:2501.02704), means over seeds.`,
  );
}

/** @param before stands above the figures. */
function panels(title: string, figures: readonly Figure[], before: Content, caption: Content): Markup {
  if (figures.length === 0) return html``;
  return html`<section><h2>${title}</h2>
${before}${figureBlock(figures, caption)}</section>
`;
}

function rankings(bench: BenchResult, summary: BenchSummary): Markup {
  const some = summary.rankings.filter(({ standings }) => standings.length > 1);
  if (some.length === 0) return html``;
  const { acceptableDrop, alpha } = bench;
  return html`<section><h2>What beats what</h2>
<p>On each marked model removers are ranked by what they leave of the mark; one that costs more than ${pointsWithUnit(acceptableDrop, 0)} of accuracy has won nothing and
counts as if the mark stood as before (our own choice). Mean ranks carry 95 % intervals over resampled marked models. Each remover is then compared with
the best-ranked one over the same models by Wilcoxon's exact signed-rank test, p-values adjusted for all comparisons of the table (Holm): “=” marks those that
cannot be told from the best at α = ${alpha}. Models of one seed share their data, and the best one was found on the same cells, so take p-values near α with
care.</p>
${some.toReversed().map((ranking) => rankingTable(bench, summary, ranking))}</section>
`;
}

function rankingTable(bench: BenchResult, summary: BenchSummary, ranking: Ranking): Markup {
  const { fraction, blocks, standings, unranked } = ranking;
  const reactivated = bench.reactivation !== null;
  const table = html`<div class="scroll"><table class="data ranks">
<thead><tr><th>Remover</th><th class="number">Mean rank</th><th class="number">95 %</th><th class="number">Score, %</th><th class="number">p, adjusted</th>
<th class="number">Drop, points</th><th class="number">Images</th><th class="number">Time</th>${reactivated && html`<th class="number">Came back</th>`}</tr></thead><tbody>
${standings.map((standing, i) => standingRow(bench, summary, fraction, standing, i === 0))}</tbody></table></div>
${unranked.length > 0 && html`<p>Not ranked, because cells are missing: ${list(unranked.map(({ remover, lacking }) => `${bench.removers[remover]?.name} (${lacking} of ${blocks > 0 ? blocks : "all"})`))}.</p>`}`;
  const title = html`${exactPercent(fraction)} of the data, ${plural(blocks, "marked model")}`;
  return fraction === summary.focus
    ? html`<h3>${title}</h3>${table}`
    : html`<details><summary>${title}</summary>${table}</details>`;
}

function standingRow(
  bench: BenchResult,
  summary: BenchSummary,
  fraction: number,
  { remover, rank, score, versusBest, tied }: Standing,
  best: boolean,
): Markup {
  const costs = costsOf(summary, remover, fraction);
  const images = costs && `${count(costs.labelled)}${costs.unlabelled > 0 ? ` + ${count(costs.unlabelled)}` : ""}`;
  const back = costs && (costs.of === 0 ? "–" : `${costs.returned} of ${costs.of}`);
  const control = bench.removers[remover]?.control === true;
  return html`<tr class="${best ? "best" : tied ? "tied" : "behind"}"><th scope="row">${bench.removers[remover]?.name}${control && " (control)"}</th>
<td class="number${!best && tied && " tied"}">${rank.mean.toFixed(2)}</td><td class="number">${interval(rank)}</td><td class="number">${percentNumber(score)}</td>
<td class="number">${versusBest === undefined ? "–" : pValue(versusBest.adjusted)}</td><td class="number">${costs && points(costs.drop)}</td>
<td class="number">${images}</td><td class="number">${costs && duration(costs.seconds)}</td>${bench.reactivation !== null && html`<td class="number">${back}</td>`}</tr>
`;
}

function interval({ low, high }: Estimate): string {
  return `${low.toFixed(1)}–${high.toFixed(1)}`;
}

function models({ marks, owners }: BenchResult): Markup {
  const rows = owners.map((owner) => {
    const name = html`<th scope="row">${marks[owner.mark]?.name}</th><td class="number">${owner.seed}</td>`;
    if (owner.status !== "done") {
      return html`<tr>${name}<td colspan="6">${owner.status === "failed" ? owner.reason : "not computed yet"}</td></tr>\n`;
    }
    const { measured, verdict, triggers, innocents } = owner;
    const innocent = innocents.map(({ retention }) => retention);
    const range =
      innocent.length === 0 ? "–" : `${wholeNumber(Math.min(...innocent))}–${wholeNumber(Math.max(...innocent))}`;
    return html`<tr>${name}<td class="number">${percentNumber(measured.accuracy, 2)}</td><td class="number">${verdict.matches} of ${triggers}</td>
<td class="number">${measured.heldOutRetention === undefined ? "–" : percentNumber(measured.heldOutRetention)}</td><td class="number">${range}</td>
<td class="number">${pValue(verdict.pValue)}</td><td>${verdict.owned ? "shown" : "not shown"}</td></tr>\n`;
  });
  return html`<section><h2>The marked models</h2>
<p>Before any attack. “Innocent” is what models that never saw the mark answer of the key.</p>
<div class="scroll"><table class="data"><thead><tr><th>Mark</th><th class="number">Seed</th><th class="number">Accuracy, %</th><th class="number">Matches</th>
<th class="number">Held-out, %</th><th class="number">Innocent, %</th><th class="number">p-value</th><th>Mark</th></tr></thead><tbody>
${rows}</tbody></table></div></section>
`;
}

function definitions({ marks, removers }: BenchResult): Markup {
  const optionsOf = (options: Readonly<Record<string, string | number | boolean | null>>): string =>
    Object.entries(options)
      .map(([name, value]) => `${name} ${value}`)
      .join(", ");
  return html`<section><h2>What was run</h2>
<div class="scroll"><table class="data"><thead><tr><th>Mark</th><th>What it is</th><th>Source</th><th>Options</th></tr></thead><tbody>
${marks.map(({ name, summary, paper, options }) => html`<tr><th scope="row">${name}</th><td>${summary}</td><td>${paper}</td><td>${optionsOf(options)}</td></tr>\n`)}</tbody></table></div>
<div class="scroll"><table class="data"><thead><tr><th>Remover</th><th>What it does</th><th>Needs</th><th>Source</th><th>Options</th></tr></thead><tbody>
${removers.map(({ name, summary, needs, paper, options }) => html`<tr><th scope="row">${name}</th><td>${summary}</td><td>${list(needs)} images</td><td>${paper}</td><td>${optionsOf(options)}</td></tr>\n`)}</tbody></table></div>
</section>
`;
}

function tables(bench: BenchResult, summary: BenchSummary): Markup {
  return html`<section><h2>For other programs</h2>
<details><summary>Every cell as CSV</summary><pre>${benchCsv(bench)}</pre></details>
<details><summary>Means as a LaTeX table (${exactPercent(summary.focus)} of the data)</summary><pre>${benchLatex(bench, summary)}</pre></details>
</section>
`;
}

function redo({
  command,
  software,
  machine,
  data: set,
  training,
  empiricalNull,
  unmarked,
  seconds,
}: BenchResult): Markup {
  const innocents = unmarked.filter(({ status }) => status === "done").length;
  return html`<section><h2>Do it again</h2>
<pre>${command}</pre>
<p>Wildmark ${software.wildmark}, ONNX Runtime ${software.onnxruntime}, Node ${software.node}; ${machine.cpu} (${machine.platform}), device ${machine.device}. Data ${set.id}, SHA-256
<code>${set.sha256}</code>. Models are trained with ${Object.entries(training)
    .map(([name, value]) => `${name} ${value}`)
    .join(
      ", ",
    )}. ${plural(innocents, "unmarked model")}; verdicts ${empiricalNull ? "rank the suspect among them" : "compare with placebos"}. The last run took ${duration(seconds)}; cells that it
found finished took none of it.</p></section>
`;
}
