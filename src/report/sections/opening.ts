/**
 * @file The top of the report: what was asked, what was found, and the facts that place it.
 */

import type { Result } from "../../experiments/result.js";
import { minute, pointsWithUnit, shortPercent } from "../format.js";
import { html, type Markup } from "../html.js";
import { answer, finding, keyFacts, type MarkSummary, remarks, summarise } from "../summary.js";

/** Title, finding, a card for each mark, key facts, remarks. */
export function opening(result: Result): Markup {
  return html`<header>
<p class="kicker">Watermark audit · ${minute(result.finished)}</p>
<h1>${result.title}</h1>
<p class="finding">${finding(result)}</p>
</header>
<section class="cards" aria-label="Does the mark survive?">
${summarise(result).map(card)}</section>
<dl class="facts">
${keyFacts(result).map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>\n`)}</dl>
<ul class="remarks">
${remarks(result).map(({ kind, text }) => html`<li class="${kind}">${text}</li>\n`)}</ul>
`;
}

function card(mark: MarkSummary): Markup {
  return html`<div class="card ${mark.fate}"><h3>${mark.title}</h3>
<p>Does it survive?</p>
<p class="answer">${answer(mark.fate)}</p>
${mark.strongest === undefined ? html`<p>No method under test was run.</p>` : strongest(mark, mark.strongest)}</div>
`;
}

function strongest(mark: MarkSummary, attack: NonNullable<MarkSummary["strongest"]>): Markup {
  const runs = attack.of > 1 && html`<p>still shown in ${attack.shown} of ${attack.of} runs</p>`;
  return html`<p>strongest attack <strong>${attack.title}</strong></p>
<p>retention <strong>${shortPercent(mark.retentionBefore)} → ${shortPercent(attack.retention)}</strong></p>
<p>accuracy drop <strong>${pointsWithUnit(attack.drop)}</strong></p>
${runs}`;
}
