/** @file The first screen: the answer in a sentence, the matrix of attacks and budgets, what to do next. */

import type { AuditResult } from "../../experiments/audit-result.js";
import { exactPercent, minute, percent, plural, points } from "../format.js";
import { type Content, html, type Markup } from "../html.js";
import { type AuditSummary, type Line, type Square, type State, stateWords } from "./summary.js";

const SIGNS: Readonly<Record<State, string>> = {
  removed: "✕",
  sometimes: "◐",
  costly: "△",
  pointless: "▽",
  survives: "●",
  untried: "–",
};

export function firstScreen(audit: AuditResult, summary: AuditSummary): Markup {
  const { before, key, data } = audit;
  return html`<header>
<p class="kicker">Watermark audit · ${minute(audit.finished)}</p>
<h1>${audit.title}</h1>
<p class="headline">${summary.headline}</p>
</header>
<p>Before any attack: accuracy ${percent(before.measured.accuracy, 2)} on ${plural(data.testCount, "test image")} of ${data.title}, retention
${percent(before.measured.retention)} (${before.verdict.matches} of ${key.triggers} triggers), mark ${before.verdict.owned ? "shown" : "not shown"}.</p>
${matrix(audit, summary)}
${summary.warnings.length > 0 && html`<ul class="remarks">${summary.warnings.map((text) => html`<li class="warning">${text}</li>`)}</ul>`}
<p class="sure">${summary.sureness}</p>
<section class="next"><h2>What to do next</h2>
<ul>
${summary.next.map((text) => html`<li>${text}</li>\n`)}</ul></section>
`;
}

function matrix(audit: AuditResult, { lines }: AuditSummary): Markup {
  const attacks = lines.filter((line) => !line.control);
  const controls = lines.filter((line) => line.control);
  const states = new Set(attacks.flatMap((line) => line.squares.map((square) => square.state)));
  return html`<div class="scroll"><table class="matrix">
<thead><tr><th scope="col">Attack</th>${audit.budgets.map((fraction) => budgetHead(fraction, lines))}</tr></thead>
<tbody>${attacks.map((line) => row(line, audit))}</tbody>
${controls.length > 0 && html`<tbody class="controls">${controls.map((line) => row(line, audit))}</tbody>`}
</table></div>
<ul class="legend">${(Object.keys(SIGNS) as State[]).filter((state) => states.has(state)).map((state) => legend(state, audit))}</ul>
`;
}

function budgetHead(fraction: number, lines: readonly Line[]): Markup {
  const squares = lines.flatMap((line) => line.squares.filter((square) => square.fraction === fraction));
  const images = squares.find((square) => square.found !== undefined)?.found?.images;
  return html`<th scope="col">${exactPercent(fraction)} of the data${images !== undefined && html`<small>${plural(images, "image")}</small>`}</th>`;
}

function row(line: Line, audit: AuditResult): Markup {
  return html`
<tr><th scope="row">${line.title}${line.control && html`<small>control: ignores the marked weights</small>`}</th>${line.squares.map(
    (square) => (line.control ? controlCell(square) : cell(square, audit)),
  )}</tr>`;
}

function cell(square: Square, audit: AuditResult): Markup {
  const { found, state } = square;
  const verdict = html`<b><span class="sign" aria-hidden="true">${SIGNS[state]}</span>${stateWords(square)}</b>`;
  if (found === undefined) return html`<td class="untried">${verdict}${reasonsBelow(square)}</td>`;
  const behind = found.behindScratch !== undefined && found.behindScratch > 0 && state !== "pointless";
  return html`<td class="${state}">${verdict}<span>keeps ${found.retention === 0 ? percent(0, 0) : percent(found.retention, audit.seeds.length > 1 ? 1 : 0)} of triggers</span><br>
<span>costs ${points(found.drop)} points</span>${behind && html`<br><span>(less accurate than from scratch)</span>`}${
    (square.back ?? 0) > 0 &&
    html`<br><span>comes back when tuned on${square.runs.length > 1 && ` (${square.back} of ${square.gone})`}</span>`
  }${square.missing.length > 0 && html`<br>${reasonsBelow(square)}`}</td>`;
}

/** Whether runs were skipped or failed; why stands with the evidence. */
function reasonsBelow({ missing }: Pick<Square, "missing">): string {
  const kinds = [...new Set(missing.map((reason) => reason.split(":")[0] ?? ""))];
  return kinds.length === 0 ? "" : `${kinds.join(" or ")}, see below`;
}

function controlCell({ found, missing, runs, gone }: Square): Markup {
  if (found === undefined) return html`<td class="control">– ${reasonsBelow({ missing })}</td>`;
  const shown = runs.length - gone;
  return html`<td class="control"><span>accuracy ${percent(found.accuracy, 2)}</span><br><span>${points(found.drop)} points below marked</span>${
    shown > 0 && html`<br><b>key shown in ${shown} of ${runs.length}</b>`
  }</td>`;
}

function legend(state: State, audit: AuditResult): Content {
  const limit = `${points(audit.acceptableDrop, 0)} points`;
  const all = audit.seeds.length > 1 ? " in every seed" : "";
  const meaning: Readonly<Record<State, string>> = {
    removed: `mark no longer shown${all}, at most ${limit} of accuracy lost`,
    sometimes: `the same, in some of the seeds`,
    costly: `mark no longer shown, but more than ${limit} lost`,
    pointless: "mark no longer shown, but training from scratch on the same data is more accurate: no attack",
    survives: "mark still shown",
    untried: "could not be tried, or failed",
  };
  return html`<li>${SIGNS[state]} ${meaning[state]}</li>`;
}
