/** @file How it was done: the marks, the removal methods with their options, what was assumed, what the tests mean. */

import type { RemoverSummary, SubjectSummary } from "../../experiments/document.js";
import { type Findings, isBaseline, testedFirst } from "../findings/findings.js";
import { duration, exactPercent, list, plural, pointsWithUnit } from "../format.js";
import { type Content, html, type Markup } from "../html.js";
import { spread } from "../spread.js";
import { table } from "../table.js";

/** How models were trained and what the attacker got; only of models that were made. */
export function setting({ document }: Findings): Content {
  const { architecture, data, attacks, budgets } = document;
  if (architecture === null) return undefined;
  const classes = plural(data.classes, "class", "classes");
  const shares = budgets.map((fraction) => {
    const here = attacks.flatMap((each) => (each.status === "done" && each.fraction === fraction ? [each.images] : []));
    const most = (kind: "labelled" | "unlabelled"): number => Math.max(0, ...here.map((images) => images[kind]));
    const got = [
      ...(most("labelled") > 0 ? [plural(most("labelled"), "correctly labelled training image")] : []),
      ...(most("unlabelled") > 0 ? [`${plural(most("unlabelled"), "image")} without labels`] : []),
    ];
    return got.length === 0 ? exactPercent(fraction) : `${got.join(" or ")} (${exactPercent(fraction)})`;
  });
  return html`<p>The owner trained ${architecture.title} on ${plural(data.trainCount, "image")} of ${data.title}
(${data.shape.join(" × ")}, ${classes}) together with the triggers of each mark. The attacker got the marked weights and
${list(shares)}. Accuracy is measured on ${plural(data.testCount, "test image")} that neither trained on.</p>
`;
}

type Remover = RemoverSummary & { readonly at: number };

/** Every mark and every removal method with its source and its options as run. */
export function methods(findings: Findings): Markup {
  const { document } = findings;
  const { subjects, pictures } = document;
  const from = Object.entries(pictures).map(
    ([name, sha256]) => html`<p>Pictures for ${name} marks: SHA-256 <code class="hash">${sha256}</code></p>\n`,
  );
  return html`<section><h2>Methods and settings</h2>
${setting(findings)}${table<SubjectSummary>({
  columns: [
    { heading: "Mark", cell: ({ name, mark }) => html`${name}${name !== mark && html`<small>${mark}</small>`}` },
    { heading: "What it is, and where it is published", cell: described },
    { heading: "Options", cell: ({ options }) => optionList(options) },
  ],
  rows: subjects,
})}${from}${table<Remover>({
  columns: [
    { heading: "Remover", cell: ({ name, method }) => html`${name}<small>${method}</small>` },
    { heading: "What it does, and where it is published", cell: described },
    { heading: "Needs", cell: ({ needs }) => (needs.length === 0 ? "no images" : `${list(needs)} images`) },
    { heading: "Options", cell: ({ options }) => optionList(options) },
    { heading: "Mean time", align: "number", cell: (remover) => meanTime(findings, remover) },
  ],
  rows: testedFirst(document),
  rowKind: (remover) => (isBaseline(remover) ? "control" : "tested"),
})}</section>
`;
}

function described({ summary, paper }: Pick<SubjectSummary, "summary" | "paper">): Content {
  return html`${summary}<br>${paper}`;
}

function optionList(options: SubjectSummary["options"]): Content {
  return Object.entries(options).map(([name, value]) => html`<code class="option">${name}=${String(value)}</code> `);
}

function meanTime({ conditions }: Findings, { at }: Remover): string {
  const time = spread(
    conditions.flatMap(({ remover, done }) => (remover === at ? done.map(({ seconds }) => seconds) : [])),
  );
  return time === undefined ? "–" : duration(time.mean);
}

/** What the attacker has and knows, and what counts as success. */
export function assumptions({ document, subjects }: Findings): Markup {
  const { budgets, data, decision, removers } = document;
  const yardsticks = removers.filter(({ ignoresModel }) => ignoresModel).map(({ name }) => name);
  const price =
    decision.acceptableDrop !== null &&
    ` and it costs at most ${pointsWithUnit(decision.acceptableDrop, 0)} of accuracy on
${plural(data.testCount, "test image")}`;
  return html`<section><h2>What was assumed</h2>
<ul>
<li>The attacker has the marked model's weights and ${budgets.map(exactPercent).join(", ")} of the training
images of ${data.title}, correctly labelled, and knows
nothing of the key, the kind of mark or the test set. Shares are drawn by class and nested: more data means the
same images and others.</li>
<li>An attack succeeds where the key's verdict is “not shown” at α = ${decision.alpha}${price}. The table above
also says what succeeds at any cost.</li>
<li>${
    yardsticks.length === 0
      ? "Nothing was trained from scratch."
      : `${yardsticks.join(", ")} shows what the attacker's data are worth without the marked weights: whoever ends ` +
        "with less accuracy on average has stolen nothing."
  }</li>
<li>Every attack runs its own schedule to the end; its last model counts, because an attacker cannot see the
retention. Options are those listed; other
options may do better or worse.</li>
<li>“Not shown” means that the tests no longer reach significance on this key, not that no trace is left.</li>
${testsOf(subjects).map(
  ({ title, nullHypothesis }) => html`<li>${title}, null hypothesis:
${nullHypothesis}</li>\n`,
)}</ul>
</section>
`;
}

/** The null hypotheses and the rule for the verdict. */
export function tests(findings: Findings): Markup {
  return html`<section><h2>How ownership is tested</h2>
<p>Each test asks how likely at least as many matches would be if the suspect had nothing to do with the mark. All are
exact and one-sided. The verdict takes the largest p-value of the tests that apply, so a mark is shown only if every one
of them says so. Retention, n, matches and interval are stated beside each verdict; the interval is Clopper and
Pearson's.</p>
${table<ReturnType<typeof testsOf>[number]>({
  columns: [
    { heading: "Test", cell: ({ title }) => title },
    { heading: "Null hypothesis", cell: ({ nullHypothesis }) => nullHypothesis },
  ],
  rows: testsOf(findings.subjects),
})}<h3>What this does not say</h3>
<ul>
${limits(findings).map((text) => html`<li>${text}</li>\n`)}</ul>
</section>
`;
}

/** Each test once, as the marked models' verdicts tell it. */
function testsOf(subjects: Findings["subjects"]) {
  const all = subjects.flatMap(({ done }) => done.flatMap(({ verdict }) => verdict.tests));
  const named = new Map(all.map((test) => [JSON.stringify([test.title, test.nullHypothesis]), test]));
  return [...named.values()];
}

function limits({ document: { architecture, data, seeds } }: Findings): readonly string[] {
  const models = architecture === null ? "the models given" : architecture.title;
  return [
    `It speaks of ${models} on ${data.title} with these settings; other models, data and budgets may answer otherwise.`,
    seeds.length === 1
      ? "It rests on one seed. Repeat it with several before relying on a small difference."
      : `It rests on ${plural(seeds.length, "seed")}: enough to see scatter, too few for fine comparisons. p-values ` +
        "are not corrected for the number of tests.",
    "“No longer shown” means that these tests no longer reach significance on this key. It does not mean that no " +
      "trace is left: a few steps of training may bring a mark back.",
    "The binomial test assumes that a null model hits each label by chance alone. With one fixed target label that " +
      "can be false, which is why a placebo test is asked as well.",
  ];
}
