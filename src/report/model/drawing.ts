/** @file The picture of a model: its layers from top to bottom, as SVG that follows the page's colours. */

import type { Dim } from "../../onnx/graph.js";
import { count, plural, shorten } from "../format.js";
import { type Content as Markup, html } from "../html.js";
import { type Box, type Content, type Edge, type Layout, layoutOf } from "./layout.js";
import { type Layer, nodesOf, type Outline } from "./outline.js";
import type { Run } from "./units.js";

/** Dimensions of a value, for one image, where they are known. */
export type Shapes = ReadonlyMap<string, readonly Dim[]>;

/** What is said of a layer beside what it is: what was found in it. */
export interface Mark {
  /** Such as "1, 3". */
  readonly label: string;
  /** Class of the style sheet. */
  readonly kind: string;
}

export interface DrawingOptions {
  readonly shapes: Shapes;
  /** By index in the outline. */
  readonly marks: ReadonlyMap<number, Mark>;
  /** Whether a line is part of a way that was found. */
  readonly isOnPath: (from: number, to: number) => boolean;
}

const BOX_WIDTH = 236;
const PADDING = 12;
/** Characters that fit a line of a title, of small print, and of a name in the typewriter's letters. */
const TITLE_WIDTH = 31;
const SMALL_WIDTH = 38;
const NAME_WIDTH = 33;
const TITLE_LINE = 16;
const SMALL_LINE = 14;
const BEND = 5;

/** @returns the picture, and how wide it is. */
export function drawingOf(
  outline: Outline,
  runs: readonly Run[],
  options: DrawingOptions,
): { readonly svg: Markup; readonly width: number } {
  const linesOf = (content: Content): Lines => textOf(content, outline, options.shapes);
  const layout = layoutOf(outline, runs, {
    boxWidth: BOX_WIDTH,
    columnGap: 14,
    laneWidth: 16,
    heightOf: (content) => {
      const { title, small, name } = linesOf(content);
      return PADDING + TITLE_LINE * title.length + SMALL_LINE * (small.length + name.length) + PADDING / 2;
    },
  });
  return { svg: svgOf(layout, linesOf, options), width: Math.ceil(layout.width) };
}

interface Lines {
  readonly title: readonly string[];
  readonly small: readonly string[];
  readonly name: readonly string[];
  /** Shown under the pointer: all of it. */
  readonly whole: string;
}

function svgOf(layout: Layout, linesOf: (content: Content) => Lines, options: DrawingOptions): Markup {
  const [width, height] = [Math.ceil(layout.width), Math.ceil(layout.height)];
  const ordered = layout.edges.toSorted((a, b) => Number(onPath(a)) - Number(onPath(b)));
  return html`<svg class="model" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="The model's layers from its input at the top to its output at the bottom">
${ordered.map((edge) => edgeOf(edge, onPath(edge)))}${layout.boxes.map((box) => boxOf(box, linesOf(box.content), options))}</svg>`;

  function onPath({ from, to }: Edge): boolean {
    return options.isOnPath(from, to);
  }
}

function edgeOf({ corners }: Edge, onPath: boolean): Markup {
  const [x = 0, y = 0] = corners.at(-1) ?? [];
  const kind = onPath ? "edge on-path" : "edge";
  return html`<path class="${kind}" d="${pathOf(corners)}"/><path class="${kind} head" d="M${x - 3.5} ${y - 6}L${x} ${y}L${x + 3.5} ${y - 6}Z"/>
`;
}

/** Straight pieces, with round bends. */
function pathOf(corners: Edge["corners"]): string {
  return corners
    .map(([x, y], i) => {
      if (i === 0) return `M${x} ${y}`;
      const [before, after] = [corners[i - 1], corners[i + 1]];
      if (before === undefined || after === undefined) return `L${x} ${y}`;
      const from = towards([x, y], before);
      const to = towards([x, y], after);
      return `L${from.join(" ")}Q${x} ${y} ${to.join(" ")}`;
    })
    .join("");
}

/** A bend's length away from a corner, or half of the way. */
function towards([x, y]: readonly [number, number], [toX, toY]: readonly [number, number]): readonly number[] {
  const step = (from: number, to: number): number => {
    const far = Math.min(BEND, Math.abs(to - from) / 2);
    return from + Math.sign(to - from) * far;
  };
  return [step(x, toX), step(y, toY)];
}

function boxOf({ content, x, y, width, height }: Box, lines: Lines, { marks }: DrawingOptions): Markup {
  const mark = content.kind === "layer" ? marks.get(content.index) : undefined;
  const kind = content.kind === "folded" ? "folded" : content.layer.kind === "nodes" ? "layer" : "end";
  const learns = content.kind === "layer" && content.layer.parameters > 0;
  const trains = content.kind === "layer" && content.layer.trainable > 0;
  let baseline = y + PADDING / 2;
  const line = (text: string, step: number, className: string): Markup => {
    baseline += step;
    return html`<text class="${className}" x="${x + PADDING}" y="${baseline}">${text}</text>`;
  };
  return html`<g class="${kind}${mark === undefined ? "" : ` ${mark.kind}`}"><title>${lines.whole}</title><rect x="${x}" y="${y}" width="${width}" height="${height}" rx="4"/>${
    learns && html`<rect class="${trains ? "trains" : "holds"}" x="${x}" y="${y}" width="4" height="${height}" rx="2"/>`
  }${lines.title.map((text) => line(text, TITLE_LINE, "title"))}${lines.small.map((text) => line(text, SMALL_LINE, "small"))}${lines.name.map((text) => line(text, SMALL_LINE, "name"))}${
    mark !== undefined &&
    html`<text class="badge" x="${x + width - PADDING / 2}" y="${y + PADDING / 2 + TITLE_LINE}" text-anchor="end">${mark.label}</text>`
  }</g>
`;
}

function textOf(content: Content, outline: Outline, shapes: Shapes): Lines {
  if (content.kind === "folded") return foldedText(content.run, outline);
  const { layer } = content;
  const shape = shapeInWords(shapes.get(layer.value));
  if (layer.kind !== "nodes") {
    const small = [layer.kind, shape].filter((each) => each !== "").join(" ");
    return { title: [shorten(layer.value, TITLE_WIDTH)], small: [small], name: [], whole: layer.value };
  }
  const label = labelOf(layer);
  const facts = [shape, ...(layer.parameters === 0 ? [] : [plural(layer.parameters, "parameter")])];
  const name = nameOf(layer);
  return {
    title: brokenTitle(label),
    small: facts.some((each) => each !== "")
      ? [shorten(facts.filter((each) => each !== "").join(" · "), SMALL_WIDTH)]
      : [],
    name: name === "" ? [] : [shortenedFront(name, NAME_WIDTH)],
    whole: [label, ...facts, ...nodesOf(layer).map((node) => `${node.opType} ${node.name || (node.outputs[0] ?? "")}`)]
      .filter((each) => each !== "")
      .join("\n"),
  };
}

function foldedText({ times, units, others }: Run, outline: Outline): Lines {
  const copies = times - 1;
  const layers = units.flat().length;
  const parameters = others.reduce((sum, index) => sum + (outline[index]?.parameters ?? 0), 0);
  const what = layers === 1 ? "the layer above" : `the ${count(layers)} layers above`;
  const title = `${count(copies)} more like ${what}`;
  const small = parameters === 0 ? [] : [`${plural(parameters, "parameter")} in ${copies === 1 ? "it" : "them"}`];
  return { title: brokenTitle(title), small, name: [], whole: title };
}

const SHORT: Readonly<Record<string, string>> = {
  BatchNormalization: "BatchNorm",
  LayerNormalization: "LayerNorm",
  InstanceNormalization: "InstanceNorm",
  GroupNormalization: "GroupNorm",
  GlobalAveragePool: "GlobalAvgPool",
  AveragePool: "AvgPool",
};

/** "Conv 3×3 · BatchNorm · Relu" */
export function labelOf({ parts, kernel }: Layer): string {
  return parts
    .map(({ label, nodes }) => {
      const short = SHORT[label] ?? label;
      const isConv = nodes.some(({ opType }) => opType.includes("Conv"));
      return isConv && kernel !== undefined && kernel.length > 2 ? `${short} ${kernel.slice(2).join("×")}` : short;
    })
    .join(" · ");
}

/** A layer is known by the node that multiplies, or by its last. */
export function nameOf(layer: Layer): string {
  const [first] = layer.parts;
  const main = first?.nodes.length === 1 ? first.nodes[0] : nodesOf(layer).at(-1);
  return main?.name || (main?.outputs[0] ?? "");
}

/** "1×64×56×56" */
export function shapeInWords(dims: readonly Dim[] | undefined): string {
  return dims === undefined ? "" : dims.length === 0 ? "one number" : dims.map((dim) => dim ?? "?").join("×");
}

/** In two lines at most. */
function brokenTitle(text: string): readonly string[] {
  const lines = [""];
  for (const word of text.split(" ")) {
    const last = lines.at(-1) ?? "";
    const longer = last === "" ? word : `${last} ${word}`;
    if (last !== "" && longer.length > TITLE_WIDTH && lines.length < 2) lines.push(word);
    else lines[lines.length - 1] = longer;
  }
  return lines.map((line) => shorten(line, TITLE_WIDTH));
}

/** What tells names apart stands at their end. */
function shortenedFront(text: string, limit: number): string {
  const characters = [...text];
  return characters.length <= limit ? text : `…${characters.slice(1 - limit).join("")}`;
}
