/** @file A model as a page shows it: the picture, what is marked in it, and a table of every layer. */

import type { Graph, Node } from "../../onnx/graph.js";
import { operatorName } from "../../onnx/graph.js";
import { count, plural } from "../format.js";
import { type Content, html } from "../html.js";
import { drawingOf, labelOf, type Mark, type Shapes, shapeInWords } from "./drawing.js";
import { nodesOf, type Outline, outlineOf } from "./outline.js";
import { runsOf, unitsOf } from "./units.js";

export interface PicturedModel {
  readonly graph: Graph;
  readonly shapes: Shapes;
  /** Why no shapes are known; undefined where they are. */
  readonly whyNoShapes: string | undefined;
  /** Names of the weights that training would change. */
  readonly trainable: ReadonlySet<string>;
}

/** What is to be seen in the picture. Nodes are named as findings name them: by their names, else by what they compute. */
export interface Marking {
  /** What stands beside the layer: "1" */
  readonly label: string;
  /** Class of the style sheet, and what it means; the gravest first in the list of markings. */
  readonly kind: "planted" | "suspicious" | "note";
  readonly nodes: readonly string[];
  readonly path: readonly string[];
}

/** More layers than this are not drawn: nobody would look at them. */
const MOST_DRAWN = 600;

export function modelFigure(model: PicturedModel, markings: readonly Marking[] = []): Content {
  const named = nodesByName(model.graph);
  const grave = markings.filter(({ kind }) => kind !== "note");
  const alone = new Set(grave.flatMap(({ nodes }) => found(named, nodes)));
  const outline = outlineOf(model.graph, { trainable: model.trainable, marked: (node) => alone.has(node) });
  const marks = marksOf(outline, markings, named);
  const isGrave = (index: number): boolean => (marks.get(index)?.kind ?? "note") !== "note";
  const runs = runsOf(outline, unitsOf(outline), isGrave);
  const drawn = runs.reduce((sum, { units }) => sum + units.flat().length, 0);
  const onPath = new Set(grave.flatMap(({ path }) => linesOf(outline, found(named, path))));
  const isOnPath = (from: number, to: number): boolean => onPath.has(`${from} ${to}`);
  const layers = outline.filter(({ kind }) => kind === "nodes").length;
  const picture =
    drawn > MOST_DRAWN
      ? html`<p>The model has ${plural(layers, "layer")}, ${count(drawn)} of them unlike those before: too many for a picture. The table has them all.</p>`
      : html`<figure class="model-figure"><div class="scroll">${drawingOf(outline, runs, { shapes: model.shapes, marks, isOnPath }).svg}</div>
<figcaption>${captionOf(model, markings, { folds: runs.some(({ times }) => times > 1), hasPaths: onPath.size > 0 })}</figcaption></figure>`;
  return html`${picture}
<details><summary>Every layer: ${count(layers)}, of ${plural(model.graph.nodes.length, "node")}</summary>
${layerTable(outline, model.shapes, marks)}</details>
`;
}

function captionOf(
  { whyNoShapes }: PicturedModel,
  markings: readonly Marking[],
  { folds, hasPaths }: { readonly folds: boolean; readonly hasPaths: boolean },
): string {
  return [
    "Each box is a layer: its nodes, what it hands on for one image, its parameters, and the name of its main node.",
    "A filled bar at its left: training would change it. An empty bar: it has parameters that training would leave alone.",
    ...(folds ? ["Dashed: copies of what stands above, which the table lists."] : []),
    ...(markings.some(({ nodes }) => nodes.length > 0) ? ["Coloured boxes carry the numbers of the findings."] : []),
    ...(hasPaths ? ["Coloured lines are the ways that the graver ones name."] : []),
    "Nodes that no image enters, such as constants and arithmetic on shapes, are left out.",
    ...(whyNoShapes === undefined ? [] : [`No shapes are shown: ${whyNoShapes}`]),
  ].join(" ");
}

function layerTable(outline: Outline, shapes: Shapes, marks: ReadonlyMap<number, Mark>): Content {
  return html`<div class="scroll"><table class="data layers">
<thead><tr><th class="number">#</th><th>Layer</th><th>Hands on</th><th class="number">Parameters</th><th class="number">Trainable</th><th>Reads</th><th>Nodes</th></tr></thead>
<tbody>
${outline.map((layer, index) => {
  const mark = marks.get(index);
  if (layer.kind !== "nodes") {
    return html`<tr><td class="number">${index}</td><th scope="row">${layer.kind}</th><td>${shapeInWords(shapes.get(layer.value))}</td><td></td><td></td><td>${layer.inputs.join(", ")}</td><td><code>${layer.value}</code></td></tr>\n`;
  }
  const { parameters, trainable, inputs, helpers } = layer;
  const serving = helpers.length === 0 ? "" : ` and ${plural(helpers.length, "node")} that no image enters`;
  return html`<tr${mark !== undefined && html` class="${mark.kind}"`}><td class="number">${index}</td><th scope="row">${labelOf(layer)}${
    mark !== undefined && html` <span class="badge">${mark.label}</span>`
  }</th><td>${shapeInWords(shapes.get(layer.value))}</td><td class="number">${count(parameters)}</td><td class="number">${count(trainable)}</td><td>${inputs.join(", ")}</td><td>${nodesOf(
    layer,
  ).map((node, i) => html`${i > 0 && ", "}<code>${nodeInWords(node)}</code>`)}${serving}</td></tr>\n`;
})}</tbody></table></div>
`;
}

function nodeInWords(node: Node): string {
  const name = node.name || (node.outputs[0] ?? "");
  return name === "" ? operatorName(node) : `${operatorName(node)} ${name}`;
}

/** Nodes by their names, and by what they compute where no node is called so. */
function nodesByName({ nodes }: Graph): ReadonlyMap<string, Node> {
  const named = new Map<string, Node>();
  for (const node of nodes) for (const output of node.outputs) if (output !== "") named.set(output, node);
  for (const node of nodes) if (node.name !== "") named.set(node.name, node);
  return named;
}

function found(named: ReadonlyMap<string, Node>, names: readonly string[]): readonly Node[] {
  return names.flatMap((name) => named.get(name) ?? []);
}

function marksOf(
  outline: Outline,
  markings: readonly Marking[],
  named: ReadonlyMap<string, Node>,
): ReadonlyMap<number, Mark> {
  const marks = new Map<number, Mark>();
  for (const { label, kind, nodes } of markings) {
    const wanted = new Set(found(named, nodes));
    for (const [index, layer] of outline.entries()) {
      if (![...nodesOf(layer), ...layer.helpers].some((node) => wanted.has(node))) continue;
      const there = marks.get(index);
      marks.set(index, there === undefined ? { label, kind } : { ...there, label: `${there.label}, ${label}` });
    }
  }
  return marks;
}

/** The lines of the picture that lie on a way, each as the two layers that it joins. */
function linesOf(outline: Outline, way: readonly Node[]): readonly string[] {
  const layerOf = new Map<Node, number>();
  for (const [index, layer] of outline.entries()) for (const node of nodesOf(layer)) layerOf.set(node, index);
  const layers = way.flatMap((node) => layerOf.get(node) ?? []);
  const [first] = layers;
  const last = layers.at(-1);
  if (first === undefined || last === undefined) return [];
  const isEnd = (kind: string) => (index: number) => outline[index]?.kind === kind;
  const before = outline[first]?.inputs.filter(isEnd("input")) ?? [];
  const after = [...outline.keys()].filter((index) => isEnd("output")(index) && outline[index]?.inputs.includes(last));
  const steps = layers.slice(1).map((to, i) => `${layers[i]} ${to}`);
  return [...before.map((from) => `${from} ${first}`), ...steps, ...after.map((to) => `${last} ${to}`)];
}
