/**
 * @file How it was done, what the tests mean, what it does not say, and how to do it again.
 */

import type { Result } from "../../experiments/result.js";
import { count, duration, minute, plural, shortPercent } from "../format.js";
import { allMethods, allVerdicts, distinct, methodKey, type Removal } from "../groups.js";
import { html, type Markup } from "../html.js";
import { spread } from "../spread.js";

/** Settings of each removal and of the run. */
export function settings(result: Result): Markup {
  const { data, attacker } = result;
  return html`<section><h2>Methods and settings</h2>
<p>The owner trained ${result.architecture.title} on ${plural(data.trainCount, "image")} of ${data.title}
(${data.shape.join(" × ")}, ${plural(data.classes, "class", "classes")}) together with the triggers of each mark. The attacker got the marked weights and
${plural(attacker.images, "correctly labelled training image")} (${shortPercent(attacker.fraction)}). Accuracy is measured on
${plural(data.testCount, "test image")} that neither trained on.</p>
${result.removals.length > 0 && methodTable(result)}
<h3>The rest of the specification</h3>
<dl class="plain">
${Object.entries(result.spec).map(([name, value]) => html`<dt>${name}</dt><dd><code>${compact(value)}</code></dd>\n`)}</dl>
</section>
`;
}

function methodTable(result: Result): Markup {
  return html`<div class="scroll"><table class="data">
<thead><tr><th scope="col">Method</th><th scope="col">Options</th><th scope="col">Marks</th><th scope="col" class="number">Mean time</th></tr></thead>
<tbody>
${allMethods(result).flatMap((method) => {
  const runs = result.removals.filter((r) => methodKey(r) === methodKey({ method: method.id, title: method.title }));
  return distinct(runs.map(optionsKey)).map((key) => {
    const same = runs.filter((run) => optionsKey(run) === key);
    const [first] = same;
    const time = spread(same.map((run) => run.seconds));
    return html`<tr class="${method.control ? "control" : "tested"}"><th scope="row">${method.title}<small>${method.id}</small></th>
<td>${first !== undefined && Object.entries(first.options).map(([name, value]) => html`<code class="option">${name}=${String(value)}</code> `)}</td>
<td>${distinct(same.map((run) => run.mark)).join(", ")}</td><td class="number">${time === undefined ? "–" : duration(time.mean)}</td></tr>
`;
  });
})}</tbody></table></div>`;
}

/** Options in a fixed order, so that documents that differ in order only give the same rows. */
function optionsKey(removal: Removal): string {
  return JSON.stringify(Object.entries(removal.options).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
}

function compact(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value).replace(/,(?=")/g, ", ");
}

/** The null hypotheses and the rule for the verdict. */
export function tests(result: Result): Markup {
  const all = allVerdicts(result).flatMap((verdict) => verdict.tests);
  const rows = distinct(all.map((test) => JSON.stringify([test.title, test.nullHypothesis]))).map((key) => {
    const test = all.find((t) => JSON.stringify([t.title, t.nullHypothesis]) === key);
    return test === undefined
      ? undefined
      : html`<tr><th scope="row">${test.title}</th><td>${test.nullHypothesis}</td></tr>\n`;
  });
  return html`<section><h2>How ownership is tested</h2>
<p>Each test asks how likely at least as many matches would be if the suspect had nothing to do with the mark. All are
exact and one-sided. The verdict takes the largest p-value of the tests that apply, so a mark is shown only if every one
of them says so. Retention, n, matches and interval are stated beside each verdict; the interval is Clopper and Pearson's.</p>
<div class="scroll"><table class="data">
<thead><tr><th scope="col">Test</th><th scope="col">Null hypothesis</th></tr></thead>
<tbody>
${rows}</tbody></table></div>
<h3>What this does not say</h3>
<ul>
${limits(result).map((text) => html`<li>${text}</li>\n`)}</ul>
</section>
`;
}

function limits(result: Result): readonly string[] {
  const seeds = result.seeds.length;
  return [
    `It speaks of ${result.architecture.title} on ${result.data.title} with these settings; other models, data and budgets may answer otherwise.`,
    seeds === 1
      ? "It rests on one seed. Repeat it with several before relying on a small difference."
      : `It rests on ${plural(seeds, "seed")}: enough to see scatter, too few for fine comparisons. p-values are not corrected for the number of tests.`,
    "“No longer shown” means that these tests no longer reach significance on this key. It does not mean that no trace is left: a few steps of training may bring a mark back.",
    "The binomial test assumes that an innocent model hits each label by chance alone. With one fixed target label that can be false, which is why a placebo test is asked as well.",
  ];
}

/** Command, software, machine, and the hash of everything that was made. */
export function redo(result: Result): Markup {
  const { software, machine, data } = result;
  return html`<section class="redo"><h2>How to do it again</h2>
<pre><code>${result.command}</code></pre>
<dl class="plain">
<dt>Seeds</dt><dd>${result.seeds.join(", ")}</dd>
<dt>Software</dt><dd>Wildmark ${software.wildmark}, ONNX Runtime ${software.onnxruntime}, Node ${software.node}</dd>
<dt>Machine</dt><dd>${machine.platform}, ${machine.cpu}, device ${machine.device}, ${plural(machine.threads, "thread")}${machine.tuning !== "off" && `, lowerings chosen by measurement (--autotuning ${machine.tuning})`}</dd>
<dt>Started, finished</dt><dd>${minute(result.started)}, ${minute(result.finished)} (${duration(result.seconds)} in the last run)</dd>
<dt>Data</dt><dd>${data.title} (${data.id}), ${count(data.trainCount)} + ${plural(data.testCount, "image")}<br>SHA-256 <code class="hash">${data.sha256}</code></dd>
<dt>Document</dt><dd>${result.format}, version ${result.version}</dd>
</dl>
<p>Same seed, machine and device give the same bytes, times apart; the hashes below let you check.</p>
</section>
`;
}
