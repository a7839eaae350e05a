/** @file The first screen: the sentence, what it rests on, and the counts. */

import type { VerdictDocument } from "../../experiments/verdict-result.js";
import { figureBlock } from "../figures/block.js";
import { matchesFigure } from "../figures/matches.js";
import { minute, percent, plural, typeset } from "../format.js";
import { exactNumber } from "../../core/percent.js";
import { type Content, html, type Markup } from "../html.js";
import type { GroundSummary, VerdictSummary } from "./summary.js";

export function opening(document: VerdictDocument, summary: VerdictSummary): Markup {
  const { outcome, headline, meaning, warnings } = summary;
  return html`<header>
<p class="kicker">Verdict on ownership · ${minute(document.finished)}</p>
<h1>${document.title}</h1>
<p class="headline ${outcome}">${typeset(headline)}</p>
</header>
${meaning.map((text) => html`<p>${text}</p>\n`)}${
  warnings.length > 0 &&
  html`<ul class="remarks">${warnings.map((text) => html`<li class="warning">${text}</li>`)}</ul>\n`
}`;
}

const CLASSES: Readonly<Record<GroundSummary["answer"], string>> = {
  "ruled out": "survives",
  "not ruled out": "falls",
  "not tested": "untested",
};

const SIGNS: Readonly<Record<GroundSummary["answer"], string>> = {
  "ruled out": "✓",
  "not ruled out": "✕",
  "not tested": "–",
};

export function restsOn({ verdict }: VerdictDocument, { grounds }: VerdictSummary): Content {
  if (grounds.length === 0) return undefined;
  return html`<section><h2>What this rests on</h2>
<p>A claim of ownership can be false in three ways. For each: what was asked, and whether the answers
rule it out at the level ${verdict.alpha}.</p>
<div class="cards grounds">
${grounds.map(
  ({ title, question, answer, text }) => html`<div class="card ${CLASSES[answer]}"><h3>${title}</h3>
<p class="question">${question}</p>
<p class="answer"><span aria-hidden="true">${SIGNS[answer]} </span>${answer}</p>
<p>${typeset(text)}</p></div>
`,
)}</div>
</section>
`;
}

export function counts(document: VerdictDocument): Markup {
  const { verdict, heldOut, compared } = document;
  const { matches, n, retention, interval, confidence } = verdict;
  const figure = matchesFigure(document);
  return html`<section><h2>What was counted</h2>
<dl class="facts">
<div><dt>Matches</dt><dd>${matches} of ${n}</dd></div>
<div><dt>Retention</dt><dd>${percent(retention)}</dd></div>
<div><dt>${exactNumber(confidence)} % Clopper-Pearson interval</dt><dd>${percent(interval[0])} to
${percent(interval[1])}</dd></div>
<div><dt>By luck, at most</dt><dd>${compared.luck === undefined ? "not known" : percent(compared.luck)}</dd></div>
<div><dt>Triggers never trained on</dt><dd>${
    heldOut === undefined ? "–" : `${heldOut.matches} of ` + `${heldOut.n}`
  }</dd></div>
</dl>
${figure !== undefined && figureBlock([figure], caption(document))}</section>
`;
}

function caption({ verdict, compared, heldOut }: VerdictDocument): string {
  const { placebos, nullModels, strangers } = compared;
  return [
    `Images answered with the key's label. Diamond: the suspect on this key's triggers, with the interval ` +
      `above. Circles: what that is held against.`,
    ...(heldOut === undefined
      ? []
      : [
          `Held-out triggers were never trained on: where the labels were drawn for each trigger, a marked ` +
            `model matches them by luck only.`,
        ]),
    ...(placebos === undefined ? [] : ["Placebos are images of the same kind without the mark."]),
    ...(strangers === undefined ? [] : [`Strangers' keys are fresh keys of the same scheme, one circle each.`]),
    ...(nullModels === undefined
      ? []
      : [
          `Null models were trained without the mark, one circle each, asked the same ${plural(verdict.n, "trigger")}.`,
        ]),
    ...(compared.luck === undefined ? [] : ["Dotted: the most that luck gives on average."]),
  ].join(" ");
}
