/**
 * @file What is left of each mark after each remover, with every budget, at one glance: the darker, the more is left.
 */

import * as Plot from "@observablehq/plot";
import type { BenchResult } from "../../experiments/bench-result.js";
import type { BenchSummary, Square } from "../bench/summary.js";
import { shorten, shortPercent } from "../format.js";
import { colour, type Setting } from "./palette.js";
import { drawPlot, type Figure, figureText } from "./plot.js";

const CELL = { width: 38, height: 25 };
/** Of the marks' names, in pixels: what each gets at least, and what a letter takes. */
const NAME = { least: 76, letter: 7 };
const MARGIN = { top: 46, right: 8, bottom: 8, left: 190 };

/** One hue, so that it reads in grey too: nothing left is pale, everything left is dark. */
const PALE = [253, 240, 226] as const;
const DARK = [0, 60, 104] as const;

/** Rows are removers, columns are marks with a column for each budget. The number is the mean retention in percent. */
export function heatMap(bench: BenchResult, summary: BenchSummary, setting: Setting): Figure {
  const { marks, removers, budgets } = bench;
  const ink = colour("ink", setting);
  const faint = colour("faint", setting);
  const gap = Math.max(10, NAME.least - budgets.length * CELL.width);
  const block = budgets.length * CELL.width + gap;
  const left = ({ mark, fraction }: Square): number => mark * block + budgets.indexOf(fraction) * CELL.width;
  const filled = summary.squares.filter(({ retention }) => retention !== undefined);
  const empty = summary.squares.filter(({ retention }) => retention === undefined);
  const box = (inset: number) => ({
    x1: (s: Square) => left(s) + inset,
    x2: (s: Square) => left(s) + CELL.width - inset,
    y1: (s: Square) => s.remover * CELL.height + inset,
    y2: (s: Square) => (s.remover + 1) * CELL.height - inset,
  });
  const centre = {
    x: (s: Square) => left(s) + CELL.width / 2,
    y: (s: Square) => (s.remover + 0.5) * CELL.height,
  };
  const width = marks.length * block - gap;
  const height = removers.length * CELL.height;
  return drawPlot(
    {
      width: width + MARGIN.left + MARGIN.right,
      height: height + MARGIN.top + MARGIN.bottom,
      marginTop: MARGIN.top,
      marginRight: MARGIN.right,
      marginBottom: MARGIN.bottom,
      marginLeft: MARGIN.left,
      x: { domain: [0, width], axis: null },
      y: { domain: [0, height], axis: null, reverse: true },
      marks: [
        Plot.rect(filled, { ...box(1), fill: (s: Square) => shade(s.retention?.mean ?? 0), rx: 2 }),
        Plot.rect(empty, { ...box(1.5), fill: "none", stroke: colour("grid", setting), rx: 2 }),
        // Removed at an acceptable price in every seed: a frame, which needs no colour.
        Plot.rect(
          filled.filter(({ removed, runs }) => removed === runs.length),
          { ...box(2), fill: "none", stroke: "#d04a00", strokeWidth: 2, rx: 2 },
        ),
        Plot.text(filled, {
          ...centre,
          text: label,
          fontSize: 10.5,
          fill: (s: Square) => ((s.retention?.mean ?? 0) > 0.45 ? "#ffffff" : "#1c1b19"),
        }),
        Plot.text(empty, { ...centre, text: () => "–", fill: faint }),
        Plot.text(
          removers.map(({ name }) => figureText(shorten(name, 30))),
          {
            x: () => 0,
            y: (_: string, i: number) => (i + 0.5) * CELL.height,
            text: (name: string) => name,
            textAnchor: "end",
            dx: -8,
            fontSize: 11.5,
            fill: ink,
          },
        ),
        Plot.text(
          marks.map(({ name }) => figureText(shorten(name, Math.floor(block / NAME.letter)))),
          {
            x: (_: string, i: number) => i * block + (block - gap) / 2,
            y: () => 0,
            dy: -34,
            text: (name: string) => name,
            fontSize: 12,
            fontWeight: 600,
            fill: ink,
          },
        ),
        Plot.text(
          marks.flatMap((_, mark) => budgets.map((fraction) => ({ mark, fraction }))),
          {
            x: ({ mark, fraction }) => mark * block + (budgets.indexOf(fraction) + 0.5) * CELL.width,
            y: () => 0,
            dy: -12,
            text: ({ fraction }) => shortPercent(fraction),
            fill: faint,
            fontSize: 10,
          },
        ),
      ],
    },
    `Mean retention of ${marks.length} marks after ${removers.length} removers with ${budgets.length} budgets; the table of results holds the numbers.`,
  );
}

/** The percentage, with a triangle where the mark was gone in every seed but the price was not acceptable in each. */
function label({ retention, gone, removed, runs }: Square): string {
  const dear = gone === runs.length && removed < runs.length;
  return `${((retention?.mean ?? 0) * 100).toFixed(0)}${dear ? "△" : ""}`;
}

function shade(share: number): string {
  const mixed = PALE.map((pale, i) => Math.round(pale + (DARK[i] ?? 0) * share - pale * share));
  return `rgb(${mixed.join(",")})`;
}
