/** @file The tests one by one, what was not tested, and the pictures where they were asked for. */

import type { VerdictDocument } from "../../experiments/verdict-result.js";
import { decide, triesOf } from "../../ownership/decide.js";
import type { OwnershipTest, Verdict } from "../../ownership/verdict.js";
import { count, exactPValue, exactPValueRelation, list, plural, typeset } from "../format.js";
import { type Content, html, type Markup } from "../html.js";
import { isPng } from "../sections/pictures.js";
import { type Column, table } from "../table.js";

export function testsTable({ verdict }: VerdictDocument): Markup {
  const { tests, decidedBy, missing } = verdict;
  const price = priceOf(verdict);
  const decides = (test: OwnershipTest): boolean => test.id === decidedBy && missing === undefined;
  const columns: readonly Column<OwnershipTest>[] = [
    { heading: "Test", cell: (test) => html`${test.title}${decides(test) && html`<small>decides</small>`}` },
    { heading: "Against", cell: ({ against }) => against ?? "–" },
    { heading: "Null hypothesis", cell: ({ nullHypothesis }) => typeset(nullHypothesis) },
    { heading: "Seen", cell: ({ detail }) => typeset(detail) },
    { heading: "p", align: "number", cell: ({ pValue }) => exactPValue(pValue) },
  ];
  const paidColumn: Column<OwnershipTest> = {
    heading: "counts as",
    align: "number",
    cell: (test) => exactPValue(paid(test, verdict)),
  };
  return html`<section><h2>The tests</h2>
<p>Each asks how likely at least as many matches would be if its null hypothesis were true; one-sided.
${typeset(decision(verdict))}</p>
${table({
  kind: "data tests",
  labelled: true,
  columns: price === undefined ? columns : [...columns, paidColumn],
  rowKind: (test) => (decides(test) ? "decides" : "other"),
  rows: tests,
})}${price !== undefined && html`<p class="small">${price}</p>\n`}</section>
`;
}

function decision({ alpha, pValue, missing, owned }: Verdict): string {
  if (missing !== undefined) {
    return `None of them decides: without ${list(missing)} the p-value is 1 by rule.`;
  }
  return (
    `The largest p-value decides: p ${exactPValueRelation(pValue)}, ${owned ? "at most" : "above"} the level ` +
    `${alpha}. All tests see the same answers; they are not multiplied.`
  );
}

/** The p-value of a test with everything that was tried paid for. */
function paid(test: OwnershipTest, verdict: Verdict): number {
  return decide([test], triesOf(verdict)).pValue;
}

/** What the p-values are multiplied by; undefined for nothing. */
function priceOf({ tests, triesLog2 = 0, keysTried = 1, readings = 1, stops = 1 }: Verdict): string | undefined {
  const secrets = triesLog2 > 0 && tests.some((test) => test.paysTries === true);
  const parts = [
    ...(secrets
      ? [
          `by 2^${Number(triesLog2.toFixed(1))} in tests against which it helps to try many secrets until ` +
            `one fits the suspect by luck`,
        ]
      : []),
    ...(keysTried > 1 ? [`by ${count(keysTried)} in all tests, for the keys that were tried`] : []),
    ...(readings > 1 ? [`by ${count(readings)} in all tests, for the readings of the images that were tried`] : []),
    ...(stops > 1
      ? [`by ${count(stops)} in all tests, for the numbers of triggers after which asking could have stopped`]
      : []),
  ];
  return parts.length === 0 ? undefined : typeset(`“Counts as”: p multiplied ${list(parts)}.`);
}

export function notTested({ notTested: texts }: VerdictDocument): Content {
  if (texts.length === 0) return undefined;
  return html`<section class="untested-list"><h2>What was not tested</h2>
<ul>
${texts.map((text) => html`<li>${text}</li>\n`)}</ul>
</section>
`;
}

export function pictures({ pictures: shown, key }: VerdictDocument): Content {
  if (shown === undefined || shown.length === 0) return undefined;
  const nameOf = (label: number | null): string =>
    label === null ? "no answer" : (key.classNames?.[label] ?? String(label));
  return html`<section><h2>The triggers</h2>
<p>${shown.length === key.triggers ? "All" : `The first ${count(shown.length)}`} of
${plural(key.triggers, "trigger")}, each beside its placebo where it has one. Below: what the key says, and what the
suspect answered. Whoever has seen them can filter them out or claim them: pass this page on with care.</p>
<div class="triggers">
${shown.map(
  (
    { trigger, placebo, label, answer, placeboAnswer },
    i,
  ) => html`<figure class="${answer === label ? "hit" : "miss"}">${picture(trigger, `trigger ${i + 1}`)}${
    placebo !== undefined && picture(placebo, `placebo ${i + 1}`)
  }<figcaption>key ${nameOf(label)}<br>answer ${nameOf(answer)}${answer === label && " ✓"}${
    placeboAnswer !== undefined && html`<br>placebo ${nameOf(placeboAnswer)}`
  }</figcaption></figure>
`,
)}</div>
</section>
`;
}

function picture(uri: string, description: string): Markup {
  return isPng(uri) ? html`<img src="${uri}" alt="${description}">` : html`<span class="none">no PNG</span>`;
}
