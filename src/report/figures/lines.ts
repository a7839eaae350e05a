/**
 * @file Panels of lines that carry their names at their right ends: means, with bands where values were spread. What
 * does not stand out is grey and thin.
 */

import * as Plot from "@observablehq/plot";
import { shorten } from "../format.js";
import {
  type Area,
  type Axis,
  drawFrame,
  type Figure,
  figureText,
  othersNote,
  PANEL,
  percentAxis,
  pixels,
  ruleMarks,
  textWidth,
} from "./frame.js";
import { spreadApart } from "./labels.js";
import { colour, type Look } from "./palette.js";
import type { Interval, Rule } from "./records.js";

const MARGIN = { top: 38, bottom: 38, left: 34 };
const FONT_SIZE = 10.5;
const LABEL_GAP = 13;
/** From the end of a line to its name. */
const KINK = { from: 4, to: 14, text: 17 };
const LONGEST_NAME = 26;

export interface Line {
  readonly name: string;
  readonly look: Look;
  readonly dashed: boolean;
  /** Thick, with dots and a bold name. */
  readonly strong: boolean;
  /** Shares by place on the horizontal axis, from left to right. */
  readonly points: readonly (Interval & { readonly x: number })[];
  /** The last value as its label says it. */
  readonly end: string;
}

export interface LinePanel {
  readonly title: string;
  readonly name: string;
  readonly description: string;
  readonly y: string;
  readonly lines: readonly Line[];
  readonly rule?: Rule;
}

/** Panels that share both axes and their size, so that they can be compared by eye. */
export function linePanels(panels: readonly LinePanel[], x: Axis): readonly Figure[] {
  const widest = Math.max(0, ...panels.flatMap(({ lines }) => lines.filter(isNamed).map(labelWidth)));
  const rows = Math.max(0, ...panels.map(({ lines }) => lines.filter(isNamed).length));
  const margin = { ...MARGIN, right: Math.ceil(KINK.text + widest + 2) };
  const height = Math.max(PANEL.height, MARGIN.top + MARGIN.bottom + rows * LABEL_GAP);
  return panels.map((panel) =>
    drawFrame({ ...panel, width: PANEL.width, height, margin, x, y: percentAxis(panel.y) }, (area) => [
      ...panel.lines.filter((line) => !isNamed(line)).flatMap(lineMarks),
      ...panel.lines.filter(isNamed).flatMap(lineMarks),
      ...labels(panel.lines, area),
      ...(panel.rule === undefined ? [] : ruleMarks(panel.rule)),
    ]),
  );
}

const isNamed = ({ look }: Line): boolean => look.named;
const labelOf = ({ name, end }: Line): string => `${figureText(shorten(name, LONGEST_NAME))} ${end}`;
const labelWidth = (line: Line): number => textWidth(labelOf(line), FONT_SIZE, line.strong);

function lineMarks({ name, look, dashed, strong, points }: Line): readonly Plot.Markish[] {
  const ink = colour(look.colour);
  const inPercent = points.map(({ x, mean, low, high }) => ({ x, mean: 100 * mean, low: 100 * low, high: 100 * high }));
  const isSpread = look.named && inPercent.some(({ low, high }) => high > low);
  return [
    ...(isSpread ? [Plot.areaY(inPercent, { x: "x", y1: "low", y2: "high", fill: ink, fillOpacity: 0.14 })] : []),
    Plot.lineY(inPercent, {
      x: "x",
      y: "mean",
      stroke: ink,
      strokeWidth: look.named ? (strong ? 2.2 : 1.5) : 1,
      ...(dashed ? { strokeDasharray: "5 3" } : {}),
      ...(look.named ? {} : { title: () => figureText(name) }),
    }),
    ...(strong && look.named ? [Plot.dot(inPercent, { x: "x", y: "mean", r: 2.2, fill: ink })] : []),
  ];
}

function labels(lines: readonly Line[], { right, top, bottom, toX, toY }: Area): readonly Plot.Markish[] {
  const ends = lines.flatMap((line) => {
    const last = line.points.at(-1);
    return last === undefined || !isNamed(line) ? [] : [{ line, x: toX(last.x), y: toY(100 * last.mean) }];
  });
  const places = spreadApart(
    ends.map(({ y }) => y),
    LABEL_GAP,
    top - 6,
    bottom + 4,
  );
  const others = lines.length - lines.filter(isNamed).length;
  return [
    ...ends.flatMap(({ line, x, y }, i) => {
      const at = places[i] ?? y;
      const ink = colour(line.look.colour);
      const kink: readonly (readonly [number, number])[] = [
        [x + KINK.from, y],
        [right + KINK.from, y],
        [right + KINK.to, at],
      ];
      return [
        Plot.line(kink, {
          x: pixels(([px]) => px),
          y: pixels(([, py]) => py),
          stroke: ink,
          strokeWidth: 0.8,
          strokeOpacity: 0.6,
        }),
        Plot.text([labelOf(line)], {
          x: pixels(() => right + KINK.text),
          y: pixels(() => at),
          text: (text: string) => text,
          textAnchor: "start",
          fill: ink,
          fontSize: FONT_SIZE,
          fontWeight: line.strong ? 650 : 400,
        }),
      ];
    }),
    ...othersNote(others, { x: pixels(() => right + KINK.text), y: pixels(() => bottom + 20), textAnchor: "start" }),
  ];
}
