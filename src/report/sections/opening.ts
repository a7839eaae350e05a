/** @file The top of every report: what was asked, what was found, and the facts that place it. */

import {
  count,
  duration,
  exactPercent,
  list,
  minute,
  percent,
  plural,
  pointsWithUnit,
  shortPercent,
} from "../format.js";
import { type Findings, nameOf } from "../findings/findings.js";
import type { SubjectFindings } from "../findings/subjects.js";
import { html, join, type Markup } from "../html.js";
import { nextSteps, sureness } from "../sentences/advice.js";
import { ANSWERS, headline } from "../sentences/headline.js";
import { remarks, warnings } from "../sentences/remarks.js";

/** Title and headline. */
export function opening(findings: Findings): Markup {
  const { title, finished, statement } = findings.document;
  return html`<header>
<p class="kicker">Watermark ${statement === "bench" ? "bench" : "audit"} · ${minute(finished)}</p>
<h1>${title}</h1>
<div class="headline">${headline(findings).map((text) => html`<p>${text}</p>`)}</div>
</header>
`;
}

/** A card for each mark: does it survive the methods under test? */
export function cards({ document, subjects }: Findings): Markup {
  return html`<section class="cards" aria-label="Does the mark survive?">
${subjects.filter(({ done }) => done.length > 0).map((subject) => card(document, subject))}</section>
`;
}

function card({ removers }: Findings["document"], found: SubjectFindings): Markup {
  const { subject, fateUnderTest: fate, strongest, before } = found;
  return html`<div class="card ${fate}"><h3>${subject.name}</h3>
<p>Does it survive?</p>
<p class="answer">${ANSWERS[fate]}</p>
${
  strongest === undefined
    ? html`<p>No method under test was run.</p>`
    : html`<p>strongest attack <strong>${nameOf(removers, strongest.remover)}</strong></p>
<p>retention <strong>${shortPercent(before?.mean ?? 0)} → ${shortPercent(strongest.retention?.mean ?? 0)}</strong></p>
<p>accuracy drop <strong>${pointsWithUnit(strongest.drop?.mean ?? 0)}</strong></p>
${
  strongest.runs.length > 1 &&
  html`<p>still shown in ${strongest.runs.length - strongest.gone} of
${strongest.runs.length} runs</p>`
}`
}</div>
`;
}

/** The facts that place a result at a glance: name and value. */
export function facts({ document }: Findings): Markup {
  const { data, architecture, machine, seeds, budgets, attacks, seconds } = document;
  const images = budgets.length > 1 ? undefined : attacks.find((cell) => cell.status === "done")?.images;
  const shares = list(budgets.map(exactPercent));
  const named: readonly (readonly [string, ...(string | null | undefined)[]])[] = [
    ["Data set", data.title, plural(data.classes, "class", "classes")],
    ["Architecture", architecture?.title, architecture && plural(architecture.parameters, "parameter")],
    ["Attacker's share", shares, images && plural(images.labelled + images.unlabelled, "image")],
    ["Seeds", seeds.length <= 6 ? seeds.join(", ") : `${seeds.length}`],
    ["Time", duration(seconds)],
    ["Device", machine.device, plural(machine.threads, "thread")],
  ];
  const known = named.map(([name, ...values]) => ({ name, said: values.filter((value) => typeof value === "string") }));
  return html`<dl class="facts">
${known.map(({ name, said }) => said.length > 0 && html`<div><dt>${name}</dt><dd>${said.join(", ")}</dd></div>\n`)}</dl>
`;
}

/** Remarks of both kinds, or warnings alone. */
export function remarkList(findings: Findings): Markup {
  return html`<ul class="remarks">
${remarks(findings).map(({ kind, text }) => html`<li class="${kind}">${text}</li>\n`)}</ul>
`;
}

export function warningList(findings: Findings): Markup {
  const texts = warnings(findings);
  if (texts.length === 0) return html``;
  return html`<ul class="remarks">${texts.map((text) => html`<li class="warning">${text}</li>`)}</ul>
`;
}

/** Of each subject, what its first marked model answers before any attack. */
export function beforeAttacks({ document: { data }, subjects }: Findings): Markup {
  const test = `${plural(data.testCount, "test image")} of ${data.title}`;
  const said = subjects.flatMap(({ subject, done: [first] }) => {
    if (first === undefined) return [];
    const { measured, verdict, triggers } = first;
    const when = subjects.length > 1 ? `${subject.name}, before` : "Before";
    const shown = verdict.owned ? "shown" : "not shown";
    return html`<p>${when} any attack: accuracy ${percent(measured.accuracy, 2)} on ${test}, retention
${percent(measured.retention)} (${verdict.matches} of ${triggers} triggers), mark ${shown}.</p>`;
  });
  return html`${join(said, "\n")}
`;
}

/** How large the bench is. */
export function extent({ document }: Findings): Markup {
  const { architecture, data, subjects, removers, budgets, seeds } = document;
  const trained =
    architecture !== null && ` in ${architecture.title}, trained on ${data.title} (${count(data.trainCount)} images)`;
  const shares = list(budgets.map(exactPercent));
  return html`<p>${plural(subjects.length, "mark")}${trained}, against ${plural(removers.length, "remover")} with
${shares} of the training data, ${plural(seeds.length, "seed")}. Accuracy is measured on ${count(data.testCount)}
test images that no method sees.</p>
`;
}

/** How sure the findings are, and what the owner can do. */
export function advice(findings: Findings): Markup {
  const steps = nextSteps(findings);
  return html`<p class="sure">${sureness(findings)}</p>
${
  steps.length > 0 &&
  html`<section class="next"><h2>What to do next</h2>
<ul>
${steps.map((text) => html`<li>${text}</li>\n`)}</ul></section>
`
}`;
}
