/** @file How to do it again: command, software, machine, data, hashes; and the results for other programs. */

import type { SubjectSummary } from "../../experiments/document.js";
import { csv, latex } from "../exports.js";
import type { Findings } from "../findings/findings.js";
import { count, duration, exactPercent, minute, plural } from "../format.js";
import { type Content, html, type Markup } from "../html.js";

export function redo({ document }: Findings): Markup {
  const { command, software, machine, data, seeds, training, nullModels, subjects } = document;
  const tuned = machine.tuning !== "off" && `, lowerings chosen by measurement (--autotuning ${machine.tuning})`;
  const made = nullModels.filter(({ status }) => status === "done").length;
  const entries: readonly (readonly [string, Content])[] = [
    ...subjects.flatMap((subject) => givenEntries(document, subject)),
    ["Seeds", seeds.join(", ")],
    ["Software", `Wildmark ${software.wildmark}, ONNX Runtime ${software.onnxruntime}, Node ${software.node}`],
    [
      "Machine",
      [`${machine.platform}, ${machine.cpu}, device ${machine.device}, ${plural(machine.threads, "thread")}`, tuned],
    ],
    [
      "Started, finished",
      `${minute(document.started)}, ${minute(document.finished)} (${duration(document.seconds)} in the last run)`,
    ],
    [
      "Data",
      html`${data.title} (${data.id}), ${count(data.trainCount)} +
${plural(data.testCount, "image")}<br>${hash(data.sha256)}`,
    ],
    ...(training === null ? [] : [["Training", optionWords(training)] as const]),
    [
      "Verdicts",
      `${plural(made, "null model")}; verdicts ` +
        `${document.empiricalNull ? "rank the suspect among them" : "compare with placebos"}`,
    ],
    ["Document", `${document.format}, ${document.statement}`],
  ];
  return html`<section class="redo"><h2>How to do it again</h2>
${command !== "" && html`<pre><code>${command}</code></pre>`}
<dl class="plain">
${entries.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>\n`)}</dl>
<p>Same seed, machine, threads and device give the same bytes, times apart. Cells that a run found finished took
none of its time.
Cleaned models are not kept: <code>wildmark remove</code> with an attack's options, fraction and seed makes one
again, and its hash stands in the result document.</p>
</section>
`;
}

function givenEntries(
  { marked, subjects }: Findings["document"],
  subject: SubjectSummary,
): readonly (readonly [string, Content])[] {
  if (subject.kind === "made") return [];
  const { model, key, mark } = subject;
  const cell = marked.find((each) => subjects[each.subject] === subject && each.status === "done");
  const { triggers: asked = 0, heldOutTriggers = 0 } = cell?.status === "done" ? cell : {};
  const heldOut = heldOutTriggers > 0 ? ` and ${count(heldOutTriggers)} held out` : "";
  const triggers = asked > 0 ? `, ${plural(asked, "trigger")}${heldOut}` : "";
  return [
    ["Model", html`${model.name}, ${plural(model.parameters, "parameter")}<br>${hash(model.sha256)}`],
    ["Key", html`${key.name}, ${mark}${triggers}<br>${hash(key.sha256)}`],
  ];
}

function hash(sha256: string): Markup {
  return html`SHA-256 <code class="hash">${sha256}</code>`;
}

function optionWords(options: SubjectSummary["options"]): string {
  return Object.entries(options)
    .map(([name, value]) => `${name} ${value}`)
    .join(", ");
}

/** Every cell and the means, for spreadsheets and papers. */
export function forPrograms(findings: Findings): Markup {
  return html`<section><h2>For other programs</h2>
<details><summary>Every cell as CSV</summary><pre>${csv(findings.document).replaceAll("\r\n", "\n")}</pre></details>
<details><summary>Means as a LaTeX table (${exactPercent(findings.focus)} of the
data)</summary><pre>${latex(findings)}</pre></details>
</section>
`;
}
