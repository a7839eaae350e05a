/**
 * @file What is left of each mark after each remover at one glance, a map for each budget: the darker, the more is
 * left.
 */

import * as Plot from "@observablehq/plot";
import { exactPercent, shorten, wholeNumber } from "../format.js";
import { distinct } from "../../core/lists.js";
import { drawFrame, type Figure, figureText, textWidth } from "./frame.js";
import { colour } from "./palette.js";
import type { ConditionRow } from "./records.js";

const ROW = 21;
/** Columns that hold a number, and the widest that are made for the sake of upright names. */
const COLUMN = { least: 34, most: 84 };
const NAME = { size: 11.5, longest: 32 };
/** Of names that stand aslant over their columns. */
const SLANT = { degrees: 65, longest: 22 };
const MARGIN = { top: 24, right: 6, bottom: 4 };

/** One hue, so that it reads in grey too: nothing left is pale, everything left is dark. */
const PALE = [253, 240, 226] as const;
const DARK = [0, 60, 104] as const;

/**
 * Rows are removers, columns are marks. The number is the mean retention in percent. All maps have the same rows.
 *
 * @param best names of removers, best first: their order; absent: that of the rows. Baselines stand apart, below.
 */
export function heatMaps(rows: readonly ConditionRow[], best?: readonly string[]): readonly Figure[] {
  const marks = distinct(rows.map(({ mark }) => mark));
  const names = best ?? distinct(rows.map(({ remover }) => remover));
  const baselines = new Set(rows.filter(({ baseline }) => baseline).map(({ remover }) => remover));
  const groups = [
    { name: "attacks", members: names.filter((name) => !baselines.has(name)) },
    { name: "baselines", members: names.filter((name) => baselines.has(name)) },
  ].filter(({ members }) => members.length > 0);
  return distinct(rows.map(({ budget }) => budget)).map((budget) => {
    const own = rows.filter((row) => row.budget === budget);
    return heatMap(own, budget, marks, groups);
  });
}

interface Group {
  readonly name: string;
  readonly members: readonly string[];
}

function heatMap(
  rows: readonly ConditionRow[],
  budget: number,
  marks: readonly string[],
  groups: readonly Group[],
): Figure {
  // Lines of text from the top: a heading above each group, where there are two.
  const lines = groups.flatMap(({ name, members }) => [
    ...(groups.length > 1 ? [{ heading: true, name }] : []),
    ...members.map((member) => ({ heading: false, name: member })),
  ]);
  const lineOf = new Map(lines.flatMap(({ heading, name }, i) => (heading ? [] : [[name, i] as const])));
  const nameWidth = (name: string, limit: number): number =>
    textWidth(shorten(figureText(name), limit), NAME.size, limit === SLANT.longest);
  const widest = Math.max(...marks.map((mark) => nameWidth(mark, SLANT.longest)));
  const upright = widest + 10 <= COLUMN.most;
  const column = upright ? Math.max(COLUMN.least, widest + 10) : COLUMN.least;
  const angle = (SLANT.degrees * Math.PI) / 180;
  const margin = {
    top: MARGIN.top + (upright ? 20 : widest * Math.sin(angle) + 12),
    right: MARGIN.right + (upright ? 0 : Math.max(0, widest * Math.cos(angle) - COLUMN.least / 2)),
    bottom: MARGIN.bottom,
    left: 12 + Math.max(...lines.map(({ name }) => nameWidth(name, NAME.longest))),
  };
  const place = (row: ConditionRow) => ({ row, x: marks.indexOf(row.mark), y: lineOf.get(row.remover) ?? 0 });
  const filled = rows.flatMap((row) =>
    row.retention === undefined ? [] : [{ ...place(row), share: row.retention.mean }],
  );
  const empty = rows.filter(({ retention }) => retention === undefined).map(place);
  type Placed = ReturnType<typeof place>;
  const box = (inset: number) => ({
    x1: "x",
    x2: ({ x }: Placed) => x + 1,
    y1: "y",
    y2: ({ y }: Placed) => y + 1,
    inset,
    rx: 2,
  });
  const middle = { x: ({ x }: Placed) => x + 0.5, y: ({ y }: Placed) => y + 0.5 };
  const title = `${exactPercent(budget)} of the training data`;
  const [width, height] = [marks.length * column, lines.length * ROW];
  const frame = {
    width: Math.ceil(width + margin.left + margin.right),
    height: Math.ceil(height + margin.top + margin.bottom),
    margin,
    title,
    name: `Mean retention with ${title}`,
    description: `${marks.length} marks after ${lineOf.size} removers; the tables hold the numbers.`,
    x: { domain: [0, marks.length] as const, ticks: [] },
    y: { domain: [lines.length, 0] as const, ticks: [] },
  };
  return drawFrame(frame, () => [
    Plot.rect(filled, { ...box(1), fill: ({ share }: { readonly share: number }) => shade(share) }),
    Plot.rect(empty, { ...box(1.5), fill: "none", stroke: colour("grid") }),
    // Removed at an acceptable price in every seed: a frame, which needs no colour.
    Plot.rect(
      filled.filter(({ row }) => row.outcome === "removed"),
      { ...box(2), fill: "none", stroke: "#d04a00", strokeWidth: 2 },
    ),
    Plot.text(filled, {
      ...middle,
      // A triangle where the mark was gone in every seed but the price was not acceptable in each.
      text: ({ share, row }) => `${wholeNumber(share)}${row.outcome === "dear" ? "△" : ""}`,
      fill: ({ share }) => (share > 0.45 ? "#ffffff" : "#1c1b19"),
    }),
    Plot.text(empty, { ...middle, text: () => "–", fill: colour("faint") }),
    Plot.text(lines, {
      x: () => 0,
      y: (_, i) => i + 0.5,
      text: ({ name }) => shorten(figureText(name), NAME.longest),
      textAnchor: "end",
      dx: -7,
      fontSize: NAME.size,
      fill: ({ heading }) => colour(heading ? "faint" : "ink"),
    }),
    Plot.text([...marks], {
      x: (_, i) => i + 0.5,
      y: () => 0,
      text: (mark) => shorten(figureText(mark), SLANT.longest),
      fontSize: NAME.size,
      fontWeight: 600,
      dy: -10,
      ...(upright ? {} : { rotate: -SLANT.degrees, textAnchor: "start", dx: 2, dy: -6 }),
    }),
  ]);
}

function shade(share: number): string {
  const mixed = PALE.map((pale, i) => Math.round(pale + (DARK[i] ?? 0) * share - pale * share));
  return `rgb(${mixed.join(",")})`;
}
