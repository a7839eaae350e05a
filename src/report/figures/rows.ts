/** @file Dots on rows: a name at the left and shares on one axis, with a bar or an arrow where a row has one. */

import * as Plot from "@observablehq/plot";
import { DOTTED, drawFrame, type Figure, type Frame, figureText, percentAxis } from "./frame.js";
import { type ColourName, colour } from "./palette.js";

/** Shares. */
export interface DotRow {
  readonly name: string;
  readonly ink: ColourName;
  readonly dots: readonly number[];
  /** A large diamond instead of small dots. */
  readonly isMain?: boolean;
  readonly interval?: readonly [number, number];
  /** Where an arrow from the first dot ends. */
  readonly arrowTo?: number;
}

export interface DotRows extends Pick<Frame, "width" | "title" | "name" | "description"> {
  readonly rows: readonly DotRow[];
  readonly rowHeight: number;
  readonly axis: string;
  /** A dotted line from top to bottom, with what it is called. */
  readonly line?: { readonly share: number; readonly label: string };
}

export function dotRows({ rows, rowHeight, axis, line, ...frame }: DotRows): Figure {
  const margin = { top: frame.title === undefined ? 20 : 30, right: 20, bottom: 38, left: 172 };
  const height = rows.length * rowHeight + margin.top + margin.bottom;
  const placed = rows.map((row, i) => ({ ...row, y: i + 0.5, ink: colour(row.ink) }));
  const dots = placed.flatMap(({ dots: shares, y, ink, isMain = false }) =>
    shares.map((share, j) => ({ share: 100 * share, y: y + lane(shares, j), ink, isMain })),
  );
  const bars = placed.flatMap(({ interval, y, ink }) =>
    interval === undefined ? [] : [{ from: 100 * interval[0], to: 100 * interval[1], y, ink }],
  );
  const arrows = placed.flatMap(({ dots: [from], arrowTo, y, ink }) =>
    from === undefined || arrowTo === undefined ? [] : [{ from: 100 * from, to: 100 * arrowTo, y, ink }],
  );
  const along = { x1: "from", x2: "to", y1: "y", y2: "y", stroke: "ink" };
  const y = { domain: [rows.length, 0] as const, ticks: [] };
  return drawFrame({ ...frame, height, margin, x: percentAxis(axis), y }, () => [
    ...(line === undefined
      ? []
      : [
          Plot.ruleX([100 * line.share], DOTTED),
          Plot.text([line.label], { x: () => 100 * line.share, frameAnchor: "top", dy: -13, fill: colour("ink") }),
        ]),
    Plot.text(placed, {
      x: () => 0,
      y: "y",
      text: ({ name }: DotRow) => figureText(name),
      textAnchor: "end",
      dx: -10,
      fontSize: rowHeight < 24 ? 11 : 12,
    }),
    Plot.link(bars, { ...along, strokeWidth: 2 }),
    Plot.arrow(arrows, { ...along, strokeWidth: 1.4, headLength: 6 }),
    ...[true, false].map((main) =>
      Plot.dot(
        dots.filter(({ isMain }) => isMain === main),
        { x: "share", y: "y", fill: "ink", ...(main ? { r: 5, symbol: "diamond" } : { r: 3.2, fillOpacity: 0.75 }) },
      ),
    ),
  ]);
}

/** How far a dot lies from the middle of its row, in rows: those that would cover one another stand apart. */
function lane(shares: readonly number[], i: number): number {
  const share = shares[i] ?? 0;
  const near = (other: number): boolean => Math.abs(other - share) < 0.01;
  const [before, all] = [shares.slice(0, i).filter(near).length, shares.filter(near).length];
  return all === 1 ? 0 : ((before - (all - 1) / 2) / all) * 0.66;
}
