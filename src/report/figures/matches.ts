/** @file How often the suspect matched the key, on one axis with everything that it is held against. */

import * as Plot from "@observablehq/plot";
import type { VerdictDocument } from "../../experiments/verdict-result.js";
import { colour, type Setting } from "./palette.js";
import { drawPlot, type Figure } from "./plot.js";

const WIDTH = 520;
const ROW = 30;
const MARGIN = { top: 20, right: 26, bottom: 38, left: 172 };

interface Row {
  readonly name: string;
  readonly shares: readonly number[];
  readonly interval?: readonly [number, number];
  readonly isSuspect?: boolean;
}

/** Undefined where the suspect's matches are held against nothing that was asked. */
export function matchesFigure({ verdict, compared, heldOut }: VerdictDocument, setting: Setting): Figure | undefined {
  const { placebos, nullModels, strangers } = compared;
  if (placebos === undefined && nullModels === undefined && strangers === undefined) return undefined;
  const percent = ({ matches, n }: { readonly matches: number; readonly n: number }): number => (100 * matches) / n;
  const rows: readonly Row[] = [
    {
      name: "this key, suspect",
      shares: [percent(verdict)],
      interval: [100 * verdict.interval[0], 100 * verdict.interval[1]],
      isSuspect: true,
    },
    ...(heldOut === undefined ? [] : [{ name: "held-out triggers, suspect", shares: [percent(heldOut)] }]),
    ...(placebos === undefined ? [] : [{ name: "placebos, suspect", shares: [percent(placebos)] }]),
    ...(strangers === undefined
      ? []
      : [{ name: `${strangers.keys.length} strangers' keys, suspect`, shares: strangers.keys.map(percent) }]),
    ...(nullModels === undefined
      ? []
      : [
          {
            name: `this key, ${nullModels.length} null models`,
            shares: nullModels.map(({ matches }) => percent({ matches, n: verdict.n })),
          },
        ]),
  ];
  return draw(rows, compared.luck, setting);
}

function draw(rows: readonly Row[], luck: number | undefined, setting: Setting): Figure {
  const ink = colour("ink", setting);
  const faint = colour("faint", setting);
  const inkOf = ({ isSuspect }: Row): string => colour(isSuspect ? "series-1" : "series-0", setting);
  const dots = rows.flatMap((row, i) =>
    row.shares.map((share, j) => ({ share, y: i + lane(row.shares, j), ink: inkOf(row), row })),
  );
  const bars = rows.flatMap((row, i) =>
    row.interval === undefined ? [] : [{ low: row.interval[0], high: row.interval[1], y: i + 0.5, ink: inkOf(row) }],
  );
  const names = rows.map(({ name }, i) => ({ name, y: i + 0.5 }));
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
        Plot.text(["answered with the key's label, %"], { frameAnchor: "bottom", dy: 34, fill: faint }),
        ...(luck === undefined
          ? []
          : [
              Plot.ruleX([100 * luck], { stroke: ink, strokeDasharray: "1 3", strokeLinecap: "round" }),
              Plot.text([100 * luck], {
                x: (x: number) => x,
                text: () => "luck",
                frameAnchor: "top",
                dy: -13,
                fill: ink,
              }),
            ]),
        Plot.text(names, { x: () => 0, y: "y", text: "name", textAnchor: "end", dx: -10, fontSize: 12 }),
        Plot.link(bars, { x1: "low", x2: "high", y1: "y", y2: "y", stroke: "ink", strokeWidth: 2 }),
        Plot.dot(
          dots.filter(({ row }) => row.isSuspect),
          { x: "share", y: "y", r: 5, symbol: "diamond", fill: "ink" },
        ),
        Plot.dot(
          dots.filter(({ row }) => !row.isSuspect),
          { x: "share", y: "y", r: 3.2, fill: "ink", fillOpacity: 0.65 },
        ),
      ],
    },
    `Share of images answered with the key's label: ${rows.map(described).join("; ")}${
      luck === undefined ? "" : `; by luck ${(100 * luck).toFixed(1)} %`
    }.`,
  );
}

function described({ name, shares }: Row): string {
  const [low, high] = [Math.min(...shares), Math.max(...shares)];
  return `${name} ${low.toFixed(1)}${low === high ? "" : ` to ${high.toFixed(1)}`} %`;
}

/** The height of a dot within its row, in (0, 1): those that would cover one another stand apart. */
function lane(shares: readonly number[], i: number): number {
  const share = shares[i] ?? 0;
  const near = (other: number): boolean => Math.abs(other - share) < 1;
  const [before, all] = [shares.slice(0, i).filter(near).length, shares.filter(near).length];
  return all === 1 ? 0.5 : 0.5 + ((before - (all - 1) / 2) / all) * 0.66;
}
