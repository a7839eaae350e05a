/** @file What was run, what was assumed, and how to do it again. */

import type { AuditResult } from "../../experiments/audit-result.js";
import { count, duration, minute, plural, points, shortPercent } from "../format.js";
import { html, type Markup } from "../html.js";

/** Every attack with its source and its options as run. */
export function attacksTable({ attacks }: AuditResult): Markup {
  return html`<section><h2>The attacks</h2>
<div class="scroll"><table class="data">
<thead><tr><th scope="col">Attack</th><th scope="col">What it does, and where it is published</th><th scope="col">Options</th></tr></thead>
<tbody>
${attacks.map(
  ({
    title,
    method,
    summary,
    paper,
    control,
    options,
  }) => html`<tr class="${control ? "control" : "tested"}"><th scope="row">${title}<small>${method}</small></th>
<td>${summary}<br>${paper}</td><td>${Object.entries(options).map(([name, value]) => html`<code class="option">${name}=${String(value)}</code> `)}</td></tr>
`,
)}</tbody></table></div>
</section>
`;
}

export function assumptions({ before, data, alpha, acceptableDrop, budgets, attacks }: AuditResult): Markup {
  const controls = attacks.filter(({ control }) => control).map(({ title }) => title);
  return html`<section><h2>What was assumed</h2>
<ul>
<li>The attacker has the marked model's weights and ${budgets.map(shortPercent).join(", ")} of the training images of ${data.title}, correctly labelled, and knows
nothing of the key, the kind of mark or the test set. Shares are drawn by class and nested: more data means the same images and others.</li>
<li>An attack succeeds where the key's verdict is “not shown” at α = ${alpha} and it costs at most ${points(acceptableDrop, 0)} points of accuracy on
${plural(data.testCount, "test image")}. The table above also says what succeeds at any cost.</li>
<li>${
    controls.length === 0
      ? "No control was run."
      : `${controls.join(", ")} shows what the attacker's data are worth without the marked weights: whoever ends with less accuracy on average has stolen nothing.`
  }</li>
<li>Every attack runs its own schedule to the end; its last model counts, because an attacker cannot see the retention. Options are those listed; other
options may do better or worse.</li>
<li>“Not shown” means that the tests no longer reach significance on this key, not that no trace is left.</li>
${before.verdict.tests.map((test) => html`<li>${test.title}, null hypothesis: ${test.nullHypothesis}</li>\n`)}</ul>
</section>
`;
}

export function redoAudit(audit: AuditResult): Markup {
  const { software, machine, data, model, key, cells, attacks, seeds } = audit;
  const done = cells.flatMap((cell) => (cell.status === "done" ? [cell] : []));
  return html`<section class="redo"><h2>How to do it again</h2>
${audit.command !== "" && html`<pre><code>${audit.command}</code></pre>`}
<dl class="plain">
<dt>Model</dt><dd>${model.name}, ${plural(model.parameters, "parameter")}<br>SHA-256 <code class="hash">${model.sha256}</code></dd>
<dt>Key</dt><dd>${key.name}, ${key.scheme}, ${plural(key.triggers, "trigger")}${key.heldOutTriggers > 0 && ` and ${count(key.heldOutTriggers)} held out`}<br>SHA-256 <code class="hash">${key.sha256}</code></dd>
<dt>Data</dt><dd>${data.title} (${data.id}), ${count(data.trainCount)} + ${plural(data.testCount, "image")}<br>SHA-256 <code class="hash">${data.sha256}</code></dd>
<dt>Seeds</dt><dd>${seeds.join(", ")}</dd>
<dt>Software</dt><dd>Wildmark ${software.wildmark}, ONNX Runtime ${software.onnxruntime}, Node ${software.node}</dd>
<dt>Machine</dt><dd>${machine.platform}, ${machine.cpu}, device ${machine.device}, ${plural(machine.threads, "thread")}${machine.tuning !== "off" && `, lowerings chosen by measurement (--autotuning ${machine.tuning})`}</dd>
<dt>Started, finished</dt><dd>${minute(audit.started)}, ${minute(audit.finished)} (${duration(audit.seconds)} in the last run)</dd>
<dt>Document</dt><dd>${audit.format}, version ${audit.version}, ${audit.kind}</dd>
</dl>
<p>Same seed, machine, threads and device give the same bytes. Cleaned models are not kept: <code>wildmark remove</code> with an attack's options, fraction
and seed makes one again, and its hash is here.</p>
<details><summary>The cleaned models' hashes</summary><div class="scroll"><table class="data runs">
<thead><tr><th scope="col">Attack</th><th scope="col" class="number">Data</th><th scope="col" class="number">Seed</th><th scope="col">SHA-256</th></tr></thead>
<tbody>
${done.map(
  (
    cell,
  ) => html`<tr><th scope="row">${attacks[cell.attack]?.title}</th><td class="number">${shortPercent(cell.fraction)}</td><td class="number">${cell.seed}</td>
<td><code class="hash">${cell.modelSha256}</code></td></tr>
`,
)}</tbody></table></div></details>
</section>
`;
}
