/** @file Retention against the attacker's share of the data, one panel a mark, a line for each remover. */

import * as Plot from "@observablehq/plot";
import type { BenchResult } from "../../experiments/bench-result.js";
import { type BenchSummary, squareAt } from "../bench/summary.js";
import { shorten, shortPercent } from "../format.js";
import { spreadApart } from "./labels.js";
import { colour, lookAt, type Setting } from "./palette.js";
import { drawPlot, type Figure, figureText, titleAndUnit } from "./plot.js";

const WIDTH = 470;
const MARGIN = { top: 34, right: 190, bottom: 38, left: 34 };
const LABEL_GAP = 12.5;
const LEAST_HEIGHT = 200;

interface Point {
  readonly fraction: number;
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

/** Lines are means over seeds, bands 95 % bootstrap intervals of the mean. Empty where there is only one budget. */
export function budgetPanels(bench: BenchResult, summary: BenchSummary, setting: Setting): readonly Figure[] {
  if (bench.budgets.length < 2) return [];
  return bench.marks.map((_, mark) => panel(bench, summary, mark, setting));
}

function panel(bench: BenchResult, summary: BenchSummary, mark: number, setting: Setting): Figure {
  const { removers, budgets, marks } = bench;
  const curves = removers.flatMap(({ name, control }, remover) => {
    const points = budgets.flatMap((fraction): Point[] => {
      const retention = squareAt(summary, mark, remover, fraction)?.retention;
      if (retention === undefined) return [];
      return [{ fraction, mean: 100 * retention.mean, low: 100 * retention.low, high: 100 * retention.high }];
    });
    const last = points.at(-1);
    return last === undefined ? [] : [{ name, control, points, last, ink: colour(lookAt(remover).colour, setting) }];
  });
  const plotHeight = Math.max(LEAST_HEIGHT, curves.length * LABEL_GAP);
  const height = plotHeight + MARGIN.top + MARGIN.bottom;
  const perPixel = 100 / plotHeight;
  const labelY = spreadApart(
    curves.map(({ last }) => last.mean),
    LABEL_GAP * perPixel,
    -4 * perPixel,
    100 + 6 * perPixel,
  );
  const [least = 0.01, most = 1] = [budgets[0], budgets.at(-1)];
  const faint = colour("faint", setting);
  // On a logarithmic axis a kink of some pixels is a factor.
  const beyond = most * (most / least) ** (14 / (WIDTH - MARGIN.left - MARGIN.right));
  const title = figureText(shorten(marks[mark]?.name ?? "", 40));
  return drawPlot(
    {
      width: WIDTH,
      height,
      marginTop: MARGIN.top,
      marginRight: MARGIN.right,
      marginBottom: MARGIN.bottom,
      marginLeft: MARGIN.left,
      x: { type: "log", domain: [least, most], axis: null },
      y: { domain: [0, 100], axis: null },
      marks: [
        Plot.gridY([0, 25, 50, 75, 100], { stroke: colour("grid", setting), strokeOpacity: 1 }),
        // Not an axis: on logarithmic scales those leave out labels of their own accord.
        Plot.tickX([...budgets], { x: (fraction: number) => fraction, stroke: colour("grid", setting) }),
        Plot.text([...budgets], {
          x: (fraction: number) => fraction,
          text: shortPercent,
          frameAnchor: "bottom",
          dy: 16,
          fill: faint,
        }),
        Plot.axisY([0, 25, 50, 75, 100], { tickSize: 0, tickPadding: 5, color: faint, label: null }),
        Plot.ruleY([0], { stroke: faint }),
        ...titleAndUnit(title, MARGIN, faint),
        Plot.text(["share of the training data"], { frameAnchor: "bottom", dy: 33, fill: faint }),
        ...curves.flatMap(({ points, ink, control }) => [
          Plot.areaY(points, { x: "fraction", y1: "low", y2: "high", fill: ink, fillOpacity: 0.12 }),
          Plot.lineY(points, {
            x: "fraction",
            y: "mean",
            stroke: ink,
            strokeWidth: 1.8,
            ...(control ? { strokeDasharray: "4 3" } : {}),
          }),
          Plot.dot(points, { x: "fraction", y: "mean", r: 2.2, fill: ink }),
        ]),
        ...curves.flatMap(({ name, last, ink, control }, i) => [
          Plot.line(
            [
              [last.fraction, last.mean],
              [beyond, labelY[i] ?? last.mean],
            ],
            { stroke: ink, strokeWidth: 0.8, strokeOpacity: 0.6, clip: false },
          ),
          Plot.text([[beyond, labelY[i] ?? last.mean]], {
            text: [`${figureText(shorten(name, 26))} ${shortPercent(Math.round(last.mean) / 100)}`],
            dx: 3,
            textAnchor: "start",
            fill: ink,
            fontSize: 10.5,
            fontWeight: control ? 400 : 600,
          }),
        ]),
      ],
    },
    `Retention of ${title} against the attacker's share of the data. With ${shortPercent(most)}: ${
      curves.map(({ name, last }) => `${figureText(name)} ${shortPercent(Math.round(last.mean) / 100)}`).join("; ") ||
      "nothing was run"
    }.`,
  );
}
