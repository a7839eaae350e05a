/** @file The evidence behind the matrix: counts, intervals and p-values of every attack, budget and seed. */

import type { AuditResult } from "../../experiments/audit-result.js";
import { duration, exactPercent, percentNumber, points, pValue } from "../format.js";
import { html, type Markup } from "../html.js";
import { decidingTest } from "../sections/verdicts.js";
import { type AuditSummary, type Done, dropOf, type Line, type Square } from "./summary.js";

export function evidence(audit: AuditResult, { lines }: AuditSummary): Markup {
  const { before, alpha, acceptableDrop } = audit;
  const limit = points(acceptableDrop, 0);
  const followed = audit.reactivation !== null;
  return html`<section><h2>How sure that is</h2>
<p>Each row is one cleaned model, asked all triggers of the key. The mark is shown where the p-value is at most α = ${alpha}. Brackets hold the
${percentNumber(before.verdict.confidence, 0)} % Clopper-Pearson interval of the retention. “Within ${limit}”: no longer shown, for at most ${limit} points of
accuracy; “at any cost”: no longer shown at all. p-values are not corrected for the number of attacks: with many survivals near α, expect some by chance.${
    audit.reactivation !== null &&
    html` “Tuned on”: what the key finds after ${audit.reactivation.steps} more steps on clean training images (re-activation).`
  }</p>
<div class="scroll"><table class="data evidence">
<thead><tr><th scope="col">Attack</th><th scope="col" class="number">Data</th><th scope="col" class="number">Seed</th><th scope="col" class="number">Matches</th>
<th scope="col" class="number">Retention, %</th><th scope="col" class="number">Held-out, %</th><th scope="col" class="number">Accuracy, %</th><th scope="col" class="number">Drop, points</th><th scope="col" class="number">p-value</th><th scope="col">Decided by</th>
<th scope="col">Within ${limit}</th><th scope="col">At any cost</th>${followed && html`<th scope="col">Tuned on</th>`}<th scope="col" class="number">Training</th></tr></thead>
<tbody>
<tr class="yardstick"><th scope="row">marked model</th><td class="number">–</td><td class="number">–</td>${measuredCells(before)}<td class="number">–</td>
${testCells(before)}<td colspan="2">${before.verdict.owned ? "shown" : "not shown"}</td>${followed && html`<td>–</td>`}<td class="number">–</td></tr>
</tbody>
${lines.map((line) => html`<tbody>${line.squares.map((square) => [...square.runs.map((run) => row(audit, line, square, run)), missing(audit, line, square)])}</tbody>`)}
</table></div>
</section>
`;
}

function row(audit: AuditResult, line: Line, square: Square, run: Done): Markup {
  const drop = dropOf(audit, run);
  const gone = !run.verdict.owned;
  const cheap = drop <= audit.acceptableDrop + 1e-9;
  const pointless = (square.found?.behindScratch ?? 0) > 0;
  const within = line.control
    ? "–"
    : !gone
      ? "no"
      : pointless
        ? `no: from scratch is ${points(square.found?.behindScratch ?? 0)} points better`
        : cheap
          ? "yes"
          : "no: too dear";
  return html`<tr class="${line.control ? "control" : "tested"}"><th scope="row">${line.title}</th><td class="number">${exactPercent(run.fraction)}</td><td class="number">${run.seed}</td>
${measuredCells(run)}<td class="number">${points(drop)}</td>${testCells(run)}<td>${within}</td><td>${line.control ? (gone ? "not shown, as it must be" : "shown: unsound") : gone ? "yes" : "no"}</td>
${audit.reactivation !== null && html`<td>${tunedOn(run)}</td>`}<td class="number">${duration(run.seconds)}</td></tr>
`;
}

/** What the key finds after re-activation. */
function tunedOn({ reactivated }: Done): string {
  if (reactivated === undefined) return "–";
  const { verdict, measured } = reactivated;
  return `${percentNumber(measured.retention)} %, ${verdict.owned ? "shown" : "not shown"}`;
}

function missing({ reactivation }: AuditResult, line: Line, { fraction, missing: reasons }: Square): Markup {
  return html`${reasons.map(
    (reason) =>
      html`<tr class="yardstick"><th scope="row">${line.title}</th><td class="number">${exactPercent(fraction)}</td><td colspan="${reactivation === null ? 11 : 12}">${reason}</td></tr>`,
  )}`;
}

type Measured = Pick<Done, "measured" | "verdict">;

function measuredCells({ measured, verdict }: Measured): Markup {
  const [low, high] = verdict.interval;
  const heldOut = measured.heldOutRetention;
  return html`<td class="number">${verdict.matches} of ${verdict.n}</td>
<td class="number">${percentNumber(measured.retention)} <small>[${percentNumber(low)}, ${percentNumber(high)}]</small></td>
<td class="number">${heldOut === undefined ? "–" : percentNumber(heldOut)}</td><td class="number">${percentNumber(measured.accuracy, 2)}</td>`;
}

function testCells({ verdict }: Measured): Markup {
  return html`<td class="number">${pValue(verdict.pValue)}</td><td>${decidingTest(verdict)}</td>`;
}
