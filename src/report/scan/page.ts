/** @file The page of a scan: the sentence, findings, the model with what was found marked in it, and what was not seen. */

import type { ScanDocument } from "../../experiments/scan-document.js";
import { count, duration, minute, plural } from "../format.js";
import { type Content, html, join } from "../html.js";
import { type Marking, modelFigure, type PicturedModel } from "../model/figure.js";
import { MODEL_STYLE } from "../model/style.js";
import { page } from "../page.js";
import { STYLE } from "../style.js";
import { SCAN_STYLE } from "./style.js";
import { type ScanSummary, summariseScan, wayInWords } from "./words.js";

/** A self-contained HTML document (UTF-8). */
export function renderScan(document: ScanDocument, picture: PicturedModel): string {
  const sections: readonly Content[] = [
    opening(document, summariseScan(document)),
    findings(document),
    unseen(document),
    drawn(document, picture),
    detectors(document),
    again(document),
  ];
  return page(document, `${STYLE}${MODEL_STYLE}${SCAN_STYLE}`, sections);
}

function opening({ title, finished, notes }: ScanDocument, { gravest, headline, caution }: ScanSummary): Content {
  return html`<header>
<p class="kicker">Scan of a model · ${minute(finished)}</p>
<h1>${title}</h1>
<p class="headline scan ${gravest ?? "nothing"}">${headline}</p>
<p>${caution}</p>
</header>
${notes.length > 0 && html`<ul class="remarks">${notes.map((note) => html`<li>${note}</li>`)}</ul>\n`}`;
}

const LEVEL_WORDS: Readonly<Record<ScanDocument["findings"][number]["level"], string>> = {
  planted: "Planted",
  suspicious: "Suspicious",
  note: "Note",
};

function findings({ findings: all }: ScanDocument): Content {
  if (all.length === 0) return undefined;
  return html`<section><h2>Findings</h2>
<div class="findings">
${all.map(
  (
    finding,
    i,
  ) => html`<article class="finding ${finding.level}"><p class="kicker">${i + 1} · ${LEVEL_WORDS[finding.level]} · ${finding.detector}</p>
<h3>${finding.what}</h3>
<dl class="plain">
${finding.nodes.length > 0 && html`<dt>Where</dt><dd>${join(names(finding.nodes), ", ")}</dd>\n`}${
  finding.path.length > 0 && html`<dt>Way</dt><dd class="way">${wayOf(finding.path)}</dd>\n`
}${finding.target !== undefined && html`<dt>Class</dt><dd>${finding.target}</dd>\n`}<dt>How sure</dt><dd>${finding.sure}</dd>
<dt>Innocent cause</dt><dd>${finding.innocent}</dd>
<dt>What to do</dt><dd>${finding.advice}</dd>
</dl></article>
`,
)}</div></section>
`;
}

/** Names of nodes; of many the first and the last, for the picture and the document have them all. */
function names(nodes: readonly string[]): readonly Content[] {
  const { first, more, last } = wayInWords(nodes);
  const shown = (each: readonly string[]) => each.map((name) => html`<code>${name}</code>`);
  return [...shown(first), ...(more === 0 ? [] : [`(${more} more)`]), ...shown(last)];
}

function wayOf(path: readonly string[]): Content {
  return join(["input", ...names(path), "scores"], html` <span class="hop">→</span> `);
}

function unseen({ unseen: all }: ScanDocument): Content {
  return html`<section class="unseen"><h2>What none of the detectors can see</h2>
<ul>${all.map((each) => html`<li>${each}</li>`)}</ul></section>
`;
}

function drawn(document: ScanDocument, picture: PicturedModel): Content {
  const markings = document.findings.map(
    ({ level, nodes, path }, i): Marking => ({ label: String(i + 1), kind: level, nodes, path }),
  );
  return html`<section><h2>The model</h2>
${modelFigure(picture, markings)}</section>
`;
}

function detectors({ detectors: all }: ScanDocument): Content {
  return html`<section><h2>What was looked for</h2>
<div class="scroll"><table class="data detectors">
<thead><tr><th>Detector</th><th>Outcome</th><th>What it does</th><th>What it cannot see</th></tr></thead><tbody>
${all.map(
  (each) =>
    html`<tr><th scope="row">${each.title}<small>${each.id}</small></th><td class="outcome" data-label="Outcome">${outcome(each)}</td><td data-label="What it does">${each.summary}<small>${each.source}</small></td><td data-label="What it cannot see">${each.blind}</td></tr>\n`,
)}</tbody></table></div></section>
`;
}

function outcome(looked: ScanDocument["detectors"][number]): Content {
  if (!looked.ran) return html`not run<small>${looked.why}</small>`;
  return looked.findings === 0 ? "nothing found" : plural(looked.findings, "finding");
}

function again({ command, model, images, software, machine, started, finished, seconds }: ScanDocument): Content {
  const words = command.split(" ").map((word) => html`<span class="word">${word}</span>`);
  return html`<section class="redo"><h2>How to check it again</h2>
<pre><code>${join(words, " ")}</code></pre>
<dl class="plain">
<dt>File</dt><dd>${model.path}, ${count(model.bytes)} bytes</dd>
<dt>SHA-256</dt><dd><code class="hash">${model.sha256}</code></dd>
<dt>Images it takes</dt><dd>${model.shape === null ? "none" : `${model.shape.join(" × ")} (channels × height × width)`}</dd>
<dt>Images it was shown</dt><dd>${images === null ? "made up" : `made up, and ${plural(images.count, "image")} of ${images.id}`}</dd>
<dt>Software</dt><dd>Wildmark ${software.wildmark}, ONNX Runtime ${software.onnxruntime}, Node ${software.node}</dd>
<dt>Machine</dt><dd>${machine.platform}, ${machine.cpu}</dd>
<dt>Started, finished</dt><dd>${minute(started)}, ${minute(finished)} (${duration(seconds)})</dd>
</dl></section>
`;
}
