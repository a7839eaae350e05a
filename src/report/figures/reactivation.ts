/** @file Whether removed marks come back: retention after the removal, and after a little tuning on clean images. */

import * as Plot from "@observablehq/plot";
import { mean } from "../../core/summary.js";
import type { BenchResult } from "../../experiments/bench-result.js";
import { type BenchSummary, squareAt } from "../bench/summary.js";
import { shorten } from "../format.js";
import { colour, lookAt, type Setting } from "./palette.js";
import { drawPlot, type Figure, figureText } from "./plot.js";

const WIDTH = 440;
const ROW = 17;
const MARGIN = { top: 34, right: 18, bottom: 38, left: 170 };

/** One panel a mark, a row for each remover; empty where the bench did not ask for it. */
export function reactivationPanels(bench: BenchResult, summary: BenchSummary, setting: Setting): readonly Figure[] {
  if (bench.reactivation === null) return [];
  return bench.marks.flatMap((_, mark) => {
    const rows = bench.removers.flatMap(({ name }, remover) => {
      const runs = (squareAt(summary, mark, remover, summary.focus)?.runs ?? []).flatMap((run) =>
        run.reactivated === undefined ? [] : [{ from: run.measured, to: run.reactivated.measured }],
      );
      if (runs.length === 0) return [];
      const [from, to] = [mean(runs.map((r) => 100 * r.from.retention)), mean(runs.map((r) => 100 * r.to.retention))];
      return [{ name: figureText(shorten(name, 28)), from, to, ink: colour(lookAt(remover).colour, setting) }];
    });
    return rows.length === 0 ? [] : [panel(bench.marks[mark]?.name ?? "", rows, setting)];
  });
}

interface Row {
  readonly name: string;
  readonly from: number;
  readonly to: number;
  readonly ink: string;
}

function panel(mark: string, rows: readonly Row[], setting: Setting): Figure {
  const faint = colour("faint", setting);
  const title = figureText(shorten(mark, 40));
  const y = (_: Row, i: number): number => i + 0.5;
  return drawPlot(
    {
      width: WIDTH,
      height: rows.length * ROW + MARGIN.top + MARGIN.bottom,
      marginTop: MARGIN.top,
      marginRight: MARGIN.right,
      marginBottom: MARGIN.bottom,
      marginLeft: MARGIN.left,
      x: { domain: [0, 100], axis: null },
      y: { domain: [0, rows.length], axis: null, reverse: true },
      marks: [
        Plot.gridX([0, 25, 50, 75, 100], { stroke: colour("grid", setting), strokeOpacity: 1 }),
        Plot.axisX([0, 25, 50, 75, 100], { tickSize: 4, color: faint, label: null }),
        Plot.text([title], {
          frameAnchor: "top-left",
          dx: -MARGIN.left + 2,
          dy: -MARGIN.top + 4,
          fontSize: 13,
          fontWeight: 600,
        }),
        Plot.text(["retention, %"], { frameAnchor: "bottom", dy: 33, fill: faint }),
        Plot.text(rows, { x: () => 0, y, text: "name", textAnchor: "end", dx: -8, fill: "ink" }),
        Plot.arrow(rows, { x1: "from", x2: "to", y, stroke: "ink", strokeWidth: 1.4, headLength: 6 }),
        Plot.dot(rows, { x: "from", y, r: 3, fill: "ink" }),
      ],
    },
    `Retention of ${title} after removal and after clean tuning: ${rows
      .map(({ name, from, to }) => `${name} ${from.toFixed(0)} to ${to.toFixed(0)} %`)
      .join("; ")}.`,
  );
}
