/**
 * @file The table of verdicts: what each method did to each mark, with the evidence.
 *
 * Several seeds share a row: mean ± standard deviation, the hull of the seeds' intervals, the range of the p-values, and
 * how many of the verdicts say what.
 */

import type { Result, Verdict } from "../../experiments/result.js";
import type { Measurement } from "../../tasks/records.js";
import { percentNumber, points, pValue } from "../format.js";
import {
  accuracyDrop,
  allVerdicts,
  distinct,
  type Marked,
  type MarkGroup,
  type MethodGroup,
  markGroups,
  pick,
} from "../groups.js";
import { type Content, html, join, type Markup } from "../html.js";
import { spread } from "../spread.js";

/** The whole section. */
export function verdicts(result: Result): Markup {
  const seeds = result.seeds.length;
  const [first] = allVerdicts(result);
  const confidence = first === undefined ? "" : `${percentNumber(first.confidence, 0)} %`;
  return html`<section><h2>Verdicts</h2>
<p>A mark counts as shown when the most conservative of the tests that apply has p ≤ α${alphas(result)}. Accuracies and retentions
are in percent, drops in percentage points; brackets hold the ${confidence} Clopper-Pearson interval of the retention.${
    seeds > 1 &&
    ` Over ${seeds} seeds: mean ± standard deviation; brackets run from the lowest to the highest end of the seeds' intervals;
p-values from the smallest to the largest.`
  }</p>
<div class="scroll"><table class="data verdicts">
<thead><tr><th scope="col">Method</th><th scope="col" class="number">Accuracy before</th><th scope="col" class="number">Accuracy after</th>
<th scope="col" class="number">Drop, points</th><th scope="col" class="number">Retention before</th><th scope="col" class="number">Retention after</th>
<th scope="col" class="number">Held-out retention</th><th scope="col" class="number">p-value</th><th scope="col">Decided by</th><th scope="col">Verdict</th></tr></thead>
${markGroups(result).map(markRows)}</table></div>
<p>Held-out retention is measured on triggers of the same kind that no model was trained on. The unmarked model was trained
like the marked one, without any trigger; a key that is shown there would prove nothing.</p>
</section>
`;
}

function alphas(result: Result): string {
  const values = distinct(allVerdicts(result).map((verdict) => verdict.alpha));
  return values.length === 0 ? "" : ` = ${values.map(pValue).join(" or ")}`;
}

function markRows(mark: MarkGroup<Marked>): Markup {
  const methods = [...mark.methods.filter((m) => !m.control), ...mark.methods.filter((m) => m.control)];
  return html`<tbody>
<tr class="group"><th colspan="10" scope="rowgroup">${mark.title}</th></tr>
${modelRow("marked model", "before any removal", mark.marked, "mark shown", "mark not shown")}${methods.map(methodRow)}${modelRow(
  "unmarked model",
  "never saw the key",
  mark.marked.map((m) => m.innocent),
  "shown: key unsound",
  "not shown, as it must be",
  "gone",
)}</tbody>
`;
}

/** A model that nothing was removed from: the marked one, or an innocent one. */
function modelRow(
  name: string,
  remark: string,
  models: readonly { readonly measured: Measurement; readonly verdict: Verdict }[],
  shown: string,
  notShown: string,
  shownClass: "shown" | "gone" = "shown",
): Markup {
  const measured = models.map((m) => m.measured);
  const verdictsOf = models.map((m) => m.verdict);
  return row("yardstick", html`${name}<small>${remark}</small>`, [
    number(share(pick(measured, "accuracy"), 2)),
    number("–"),
    number("–"),
    number([share(pick(measured, "retention"), 0), interval(verdictsOf)]),
    number("–"),
    number(share(pick(measured, "heldOutRetention"), 0)),
    ...evidence(verdictsOf),
    verdictCell(verdictsOf, shown, notShown, shownClass),
  ]);
}

function methodRow(method: MethodGroup): Markup {
  const before = method.runs.map((run) => run.marked.measured);
  const after = method.runs.map((run) => run.removal.measured);
  const verdictsOf = method.runs.map((run) => run.removal.verdict);
  const hadMark = method.runs.some((run) => run.marked.verdict.owned);
  return row(
    method.control ? "control" : "tested",
    html`${method.title}${method.control && html`<small>control</small>`}`,
    [
      number(share(pick(before, "accuracy"), 2)),
      number(share(pick(after, "accuracy"), 2)),
      number(dropCell(method)),
      number(share(pick(before, "retention"), 0)),
      number([share(pick(after, "retention"), 0), interval(verdictsOf)]),
      number(share(pick(after, "heldOutRetention"), 0)),
      ...evidence(verdictsOf),
      verdictCell(verdictsOf, "mark still shown", hadMark ? "no longer shown" : "not shown, nor before"),
    ],
  );
}

function row(kind: string, name: Content, cells: readonly Markup[]): Markup {
  return html`<tr class="${kind}"><th scope="row">${name}</th>${cells}</tr>
`;
}

function number(content: Content): Markup {
  return html`<td class="number">${content}</td>`;
}

/** Mean, and ± where there is more than one value, in percent without the sign. */
function share(values: readonly number[], digits: number): Content {
  const s = spread(values);
  if (s === undefined) return "–";
  // Shares of a hundred triggers are whole percents; their means need a decimal.
  const whole = s.sd === 0 && Number.isInteger(Math.round(s.mean * 1e9) / 1e7);
  const shown = whole ? digits : Math.max(1, digits);
  const mean = percentNumber(s.mean, shown);
  return s.sd > 0 ? `${mean} ± ${points(s.sd, shown)}` : mean;
}

function dropCell(method: MethodGroup): Content {
  const s = spread(method.runs.map(accuracyDrop));
  if (s === undefined) return "–";
  return s.sd > 0 ? `${points(s.mean)} ± ${points(s.sd)}` : points(s.mean);
}

function interval(of: readonly Verdict[]): Content {
  const low = spread(of.map((v) => v.interval[0]));
  const high = spread(of.map((v) => v.interval[1]));
  if (low === undefined || high === undefined) return undefined;
  return html`<small>[${percentNumber(low.min)}, ${percentNumber(high.max)}]</small>`;
}

/** The deciding p-values and the tests they come from. */
function evidence(of: readonly Verdict[]): readonly Markup[] {
  const p = spread(of.map((v) => v.pValue));
  const same = p === undefined || pValue(p.min) === pValue(p.max);
  const text = p === undefined ? "–" : same ? pValue(p.min) : html`${pValue(p.min)}<small>to ${pValue(p.max)}</small>`;
  return [html`<td class="number">${text}</td>`, html`<td>${join(distinct(of.map(decidingTest)), ", ")}</td>`];
}

/** The title of the test that decided, or its id where the document does not list it. */
export function decidingTest(verdict: Verdict): string {
  return verdict.tests.find((test) => test.id === verdict.decidedBy)?.title ?? verdict.decidedBy;
}

function verdictCell(
  of: readonly Verdict[],
  shown: string,
  notShown: string,
  shownClass: "shown" | "gone" = "shown",
): Markup {
  const owned = of.filter((v) => v.owned).length;
  const goneClass = shownClass === "shown" ? "gone" : "shown";
  const total = of.length;
  if (owned === 0 || owned === total) {
    const count = total > 1 && html`<small>${total} of ${total}</small>`;
    return html`<td class="verdict ${owned === 0 ? goneClass : shownClass}">${owned === 0 ? notShown : shown}${count}</td>`;
  }
  return html`<td class="verdict ${shownClass}">${shown}<small>in ${owned} of ${total} runs</small></td>`;
}
