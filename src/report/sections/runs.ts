/**
 * @file Every run by itself, with every test and every hash: the part for those who check.
 */

import type { Result, Verdict } from "../../experiments/result.js";
import type { Measurement } from "../../tasks/records.js";
import { duration, percentNumber, pValueRelation } from "../format.js";
import { markGroups } from "../groups.js";
import { html, type Markup } from "../html.js";

/** A folded table of all models of the document. */
export function runs(result: Result): Markup {
  const rows = markGroups(result).flatMap((mark) => [
    ...mark.marked.flatMap((m) => [
      row(mark.id, m.seed, "marked model", m.measured, m.verdict, undefined, [m.modelSha256, `key ${m.keySha256}`]),
      row(
        mark.id,
        m.seed,
        "unmarked model",
        m.innocent.measured,
        m.innocent.verdict,
        undefined,
        unmarkedHash(result, m.seed),
      ),
    ]),
    ...mark.methods.flatMap((method) =>
      method.runs.map(({ removal: r }) =>
        row(mark.id, r.seed, r.title, r.measured, r.verdict, r.seconds, [r.modelSha256]),
      ),
    ),
  ]);
  return html`<section><h2>Every run</h2>
<details><summary>All ${rows.length} models: counts, each test, hashes</summary>
<div class="scroll"><table class="data runs">
<thead><tr><th scope="col">Mark</th><th scope="col" class="number">Seed</th><th scope="col">Model</th><th scope="col" class="number">Accuracy, %</th>
<th scope="col" class="number">Matches</th><th scope="col" class="number">Held-out, %</th><th scope="col">Tests</th><th scope="col">Verdict</th><th scope="col" class="number">Time</th><th scope="col">SHA-256</th></tr></thead>
<tbody>
${rows}</tbody></table></div></details>
</section>
`;
}

function unmarkedHash(result: Result, seed: number): readonly string[] {
  return result.unmarked.filter((model) => model.seed === seed).map((model) => model.modelSha256);
}

function row(
  mark: string,
  seed: number,
  model: string,
  measured: Measurement,
  verdict: Verdict,
  seconds: number | undefined,
  hashes: readonly string[],
): Markup {
  const heldOut = measured.heldOutRetention;
  return html`<tr><td>${mark}</td><td class="number">${seed}</td><th scope="row">${model}</th>
<td class="number">${percentNumber(measured.accuracy, 2)}</td><td class="number">${verdict.matches} of ${verdict.n}</td>
<td class="number">${heldOut === undefined ? "–" : percentNumber(heldOut)}</td>
<td>${verdict.tests.map((test) => html`<div>${test.title}: p ${pValueRelation(test.pValue)} <small>${test.detail}</small></div>`)}</td>
<td>${verdict.owned ? "shown" : "not shown"}</td><td class="number">${seconds === undefined ? "–" : duration(seconds)}</td>
<td>${hashes.map((hash) => html`<div><code class="hash">${hash}</code></div>`)}</td></tr>
`;
}
