/** @file The page of a model: what it is in a sentence, its facts, its picture, and every weight that trains. */

import type { ModelDescription } from "../../onnx/describe.js";
import type { Dim, ValueInfo } from "../../onnx/graph.js";
import { preprocessingInWords } from "../../onnx/preprocessing.js";
import { count, plural } from "../format.js";
import { type Content, html } from "../html.js";
import { page } from "../page.js";
import { STYLE } from "../style.js";
import { modelFigure, type PicturedModel } from "./figure.js";
import { MODEL_STYLE } from "./style.js";

export interface ModelFile {
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
}

export interface ModelPageFacts {
  readonly file: ModelFile;
  readonly description: ModelDescription;
  readonly picture: PicturedModel;
  readonly software: { readonly wildmark: string };
}

/** A self-contained HTML document (UTF-8). */
export function renderModel({ file, description, picture, software }: ModelPageFacts): string {
  const title = file.path.split(/[/\\]/).at(-1) ?? file.path;
  return page(
    { title, software },
    `${STYLE}${MODEL_STYLE}`,
    html`<header>
<p class="kicker">Model</p>
<h1>${title}</h1>
<p class="headline">${sentence(description)}</p>
</header>
${description.notes.length > 0 && html`<ul class="remarks">${description.notes.map((note) => html`<li>${note}</li>`)}</ul>\n`}${modelFacts(description)}
<section><h2>Layers</h2>
${modelFigure(picture)}</section>
${images(description)}${weights(description)}${provenance(file, description)}`,
  );
}

function sentence({ classifier, parameters, trainableParameters, problem }: ModelDescription): string {
  if (classifier === undefined) {
    return `Wildmark cannot train it: ${problem ?? "for an unknown reason"}${problem?.endsWith(".") === false ? "." : ""}`;
  }
  const classes =
    classifier.classes === undefined ? "classes that its file does not count" : `${count(classifier.classes)} classes`;
  const trained =
    trainableParameters === parameters
      ? "all of which training would change"
      : `${count(trainableParameters)} of which training would change`;
  return `A classifier of ${classes} with ${plural(parameters, "parameter")}, ${trained}.`;
}

/** The counts that every page of a model begins with. */
export function modelFacts({ inputs, outputs, parameters, operators, classifier }: ModelDescription): Content {
  const nodes = operators.reduce((sum, each) => sum + each.count, 0);
  return html`<dl class="facts">
<div><dt>${inputs.length === 1 ? "Input" : "Inputs"}</dt><dd>${inputs.map(valueInWords).join("; ")}</dd></div>
<div><dt>${outputs.length === 1 ? "Output" : "Outputs"}</dt><dd>${outputs.map(valueInWords).join("; ")}</dd></div>
<div><dt>Classes</dt><dd>${classifier?.classes ?? "not known"}</dd></div>
<div><dt>Parameters</dt><dd>${count(parameters)}</dd></div>
<div><dt>Nodes</dt><dd>${count(nodes)}, of ${plural(operators.length, "operator")}</dd></div>
</dl>
`;
}

function valueInWords({ name, type, dims }: ValueInfo): string {
  return `${name}: ${type ?? "no numbers"} ${dimsInWords(dims)}`;
}

function dimsInWords(dims: readonly Dim[] | undefined): string {
  return dims === undefined ? "of unknown shape" : `[${dims.map((dim) => dim ?? "?").join(", ")}]`;
}

function images({ preprocessing }: ModelDescription): Content {
  return html`<section><h2>What it expects of images</h2>
<dl class="plain">${preprocessingInWords(preprocessing).map(
    ([name, ...values]) => html`<dt>${name ?? ""}</dt><dd>${values.join(" ")}</dd>\n`,
  )}</dl></section>
`;
}

function weights({ trainable }: ModelDescription): Content {
  if (trainable.length === 0) return undefined;
  return html`<section><h2>What trains</h2>
<details><summary>${plural(trainable.length, "weight")}</summary>
<div class="scroll"><table class="data weights"><thead><tr><th>Weight</th><th>Dimensions</th></tr></thead><tbody>
${trainable.map(({ name, dims }) => html`<tr><td><code>${name}</code></td><td>${dims.length === 0 ? "one number" : dims.join(" × ")}</td></tr>\n`)}</tbody></table></div></details></section>
`;
}

function provenance(file: ModelFile, { origin, opsets, operators, metadata, classifier }: ModelDescription): Content {
  const versions = Object.entries(opsets).map(([domain, version]) => `${domain || "ai.onnx"} ${version}`);
  return html`<section><h2>The file</h2>
<dl class="plain">
<dt>Path</dt><dd>${file.path}, ${count(file.bytes)} bytes</dd>
<dt>SHA-256</dt><dd><code class="hash">${file.sha256}</code></dd>
<dt>Made by</dt><dd>${origin.producer || "unknown"}, IR version ${origin.irVersion}, opset ${versions.join(", ")}</dd>
<dt>Operators</dt><dd>${operators.map(({ operator, count: n }) => `${n} ${operator}`).join(", ")}</dd>
${
  classifier !== undefined &&
  html`<dt>Logits</dt><dd><code>${classifier.logits}</code></dd>
<dt>Features</dt><dd><code>${classifier.features}</code></dd>
<dt>Last layer</dt><dd><code>${classifier.lastLayer.join(", ") || "none"}</code></dd>
`
}${Object.entries(metadata).map(([key, value]) => html`<dt>${key}</dt><dd>${value}</dd>\n`)}</dl></section>
`;
}
