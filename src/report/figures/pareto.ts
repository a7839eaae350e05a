/**
 * @file What each remover costs and leaves with one budget: accuracy drop against retention, one panel a mark, and the front
 * of those that none beats in both.
 */

import * as Plot from "@observablehq/plot";
import type { BenchResult } from "../../experiments/bench-result.js";
import { type BenchSummary, squareAt } from "../bench/summary.js";
import { points as inPoints, shorten, shortPercent } from "../format.js";
import { type Box, placeBeside, textWidth } from "./labels.js";
import { colour, type Look, lookAt, type Setting } from "./palette.js";
import { drawPlot, type Figure, figureText, titleAndUnit } from "./plot.js";

const SIZE = { width: 440, height: 340 };
/** Two in a row instead of three, where there are so many names that they would hide each other. */
const WIDE = { width: 560, height: 440 };
const MANY = 12;
/** In acceptable drops: what costs more, a third of the accuracy perhaps, stands at the end of the axis, or it would press all others together. */
const FURTHEST = 3;
const MARGIN = { top: 34, right: 18, bottom: 40, left: 34 };
/** The axis ends a little above 100 %, so that dots there are whole. */
const TOP = 105;
const FONT_SIZE = 10;

export interface Place {
  readonly name: string;
  /** Points of accuracy. */
  readonly drop: number;
  /** Percent. */
  readonly retention: number;
}

/** Those that no other beats in one number without losing in the other, by rising drop. */
export function paretoFront<P extends Pick<Place, "drop" | "retention">>(places: readonly P[]): readonly P[] {
  const ordered = places.toSorted((a, b) => a.drop - b.drop || a.retention - b.retention);
  let least = Number.POSITIVE_INFINITY;
  return ordered.filter(({ retention }) => {
    if (retention >= least) return false;
    least = retention;
    return true;
  });
}

export function paretoPanels(bench: BenchResult, summary: BenchSummary, setting: Setting): readonly Figure[] {
  const all = bench.marks.map((_, mark) => placesOf(bench, summary, mark));
  const drops = all.flat().map(({ drop }) => drop);
  const near = drops.filter((drop) => drop <= 100 * bench.acceptableDrop * FURTHEST);
  const most = Math.max(100 * bench.acceptableDrop * 1.25, ...near);
  const furthest = near.length < drops.length ? most * 1.15 : most;
  const low = Math.min(0, ...near);
  const room = (furthest - low) * 0.05;
  const axis = { low: low - room, high: furthest + room, furthest };
  return all.map((places, mark) => panel(bench, mark, places, axis, setting));
}

/** Drops from `low` to `high`; those above `furthest` stand there. */
interface DropAxis {
  readonly low: number;
  readonly high: number;
  readonly furthest: number;
}

type Marker = Place & { readonly look: Look; readonly control: boolean };

function placesOf(bench: BenchResult, summary: BenchSummary, mark: number): readonly Marker[] {
  return bench.removers.flatMap(({ name, control }, remover) => {
    const square = squareAt(summary, mark, remover, summary.focus);
    if (square?.retention === undefined || square.drop === undefined) return [];
    const [drop, retention] = [100 * square.drop.mean, 100 * square.retention.mean];
    return [{ name, drop, retention, look: lookAt(remover), control }];
  });
}

function panel(
  bench: BenchResult,
  mark: number,
  places: readonly Marker[],
  { low, high, furthest }: DropAxis,
  setting: Setting,
): Figure {
  const { width, height } = bench.removers.length > MANY ? WIDE : SIZE;
  const plotWidth = width - MARGIN.left - MARGIN.right;
  const plotHeight = height - MARGIN.top - MARGIN.bottom;
  const shown = (drop: number): number => Math.min(drop, furthest);
  const toX = (drop: number): number => ((shown(drop) - low) / (high - low)) * plotWidth;
  const toY = (retention: number): number => (1 - retention / TOP) * plotHeight;
  const labelOf = ({ name, drop }: Place): string =>
    drop > furthest ? `${shorten(name, 26)}, ${inPoints(drop / 100)} →` : shorten(name, 26);
  const faint = colour("faint", setting);
  const title = figureText(shorten(bench.marks[mark]?.name ?? "", 40));
  const front = paretoFront(places);
  const limit = 100 * bench.acceptableDrop;
  const boxes: Box[] = places.map(({ drop, retention }) => around(toX(drop), toY(retention), 5));
  const names = placeBeside(
    places.map((place) => ({
      x: toX(place.drop),
      y: toY(place.retention),
      width: textWidth(labelOf(place), FONT_SIZE),
      height: 12,
    })),
    boxes,
    { left: 0, top: -8, right: plotWidth + 10, bottom: plotHeight },
  );
  return drawPlot(
    {
      width,
      height,
      marginTop: MARGIN.top,
      marginRight: MARGIN.right,
      marginBottom: MARGIN.bottom,
      marginLeft: MARGIN.left,
      x: { domain: [low, high], axis: null },
      y: { domain: [0, TOP], axis: null },
      marks: [
        Plot.gridY([0, 25, 50, 75, 100], { stroke: colour("grid", setting), strokeOpacity: 1 }),
        Plot.axisX({ tickSize: 4, color: faint, label: null, ticks: 6 }),
        Plot.axisY([0, 25, 50, 75, 100], { tickSize: 0, tickPadding: 5, color: faint, label: null }),
        Plot.ruleY([0], { stroke: faint }),
        Plot.ruleX([limit], { stroke: colour("ink", setting), strokeDasharray: "1 3", strokeLinecap: "round" }),
        ...titleAndUnit(title, MARGIN, faint),
        Plot.text(["accuracy drop, points"], { frameAnchor: "bottom", dy: 35, fill: faint }),
        Plot.line(front, {
          x: ({ drop }: Place) => shown(drop),
          y: "retention",
          curve: "step-after",
          stroke: faint,
          strokeWidth: 1.4,
        }),
        ...places.map((place) =>
          Plot.dot([place], {
            x: ({ drop }: Place) => shown(drop),
            y: "retention",
            r: 4.2,
            symbol: place.look.symbol,
            stroke: colour(place.look.colour, setting),
            strokeWidth: 1.5,
            fill: colour(place.control ? "page" : place.look.colour, setting),
          }),
        ),
        ...places.map((place, i) =>
          Plot.text(
            [[low + ((names[i]?.x ?? 0) / plotWidth) * (high - low), (1 - (names[i]?.y ?? 0) / plotHeight) * TOP]],
            {
              text: [figureText(labelOf(place))],
              textAnchor: "start",
              fontSize: FONT_SIZE,
              fontWeight: front.includes(place) ? 650 : 400,
              fill: colour(place.look.colour, setting),
              stroke: colour("page", setting),
              strokeWidth: 3,
            },
          ),
        ),
      ],
    },
    `Accuracy drop against retention of ${title}: ${
      places
        .map(
          ({ name, drop, retention }) =>
            `${figureText(name)} ${inPoints(drop / 100)} points, ${shortPercent(Math.round(retention) / 100)}`,
        )
        .join("; ") || "nothing was run"
    }.`,
  );
}

function around(x: number, y: number, radius: number): Box {
  return { left: x - radius, right: x + radius, top: y - radius, bottom: y + radius };
}
