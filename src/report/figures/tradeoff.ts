/**
 * @file What each removal cost and what it left: accuracy drop against retention, one panel a mark.
 *
 * The lower left corner is the attacker's prize: the mark gone and the accuracy kept.
 */

import * as Plot from "@observablehq/plot";
import { points, shorten, shortPercent } from "../format.js";
import { accuracyDrop, type Charted, type MarkGroup, type MethodGroup, markGroups, methodKey } from "../groups.js";
import { spread } from "../spread.js";
import { matchesNeeded } from "../threshold.js";
import { type Box, placeBeside, textWidth } from "./labels.js";
import { colour, type Look, looks, type Setting } from "./palette.js";
import { drawPlot, type Figure, figureText, titleAndUnit } from "./plot.js";

const WIDTH = 400;
const HEIGHT = 290;
const MARGIN = { top: 34, right: 16, bottom: 40, left: 34 };
/** The axis ends a little above 100 %, so that dots there are whole. */
const TOP = 105;
const FONT_SIZE = 10.5;

interface Dot {
  readonly drop: number;
  readonly retention: number;
}

/** A method's runs, in points and percent, and where they lie on average. */
interface Cloud {
  readonly title: string;
  readonly control: boolean;
  readonly look: Look;
  readonly dots: readonly Dot[];
  readonly centre: Dot;
}

/** One panel a mark with every removal run as a dot. Empty where nothing was removed. */
export function tradeoffPanels(result: Charted, setting: Setting): readonly Figure[] {
  if (result.removals.length === 0) return [];
  const look = looks(result);
  const panels = markGroups(result).map((mark) => ({ mark, clouds: mark.methods.flatMap((m) => cloudOf(m, look)) }));
  const drops = panels.flatMap(({ clouds }) => clouds.flatMap((cloud) => cloud.dots.map((dot) => dot.drop)));
  const domain = dropDomain(drops);
  return panels.map(({ mark, clouds }) => panel(result, mark, clouds, domain, setting));
}

function cloudOf(method: MethodGroup, look: ReadonlyMap<string, Look>): readonly Cloud[] {
  const dots = method.runs.map((run) => ({
    drop: accuracyDrop(run) * 100,
    retention: run.removal.measured.retention * 100,
  }));
  const drop = spread(dots.map((dot) => dot.drop));
  const retention = spread(dots.map((dot) => dot.retention));
  if (drop === undefined || retention === undefined) return [];
  return [
    {
      title: method.title,
      control: method.control,
      look: look.get(methodKey({ method: method.id, title: method.title })) ?? { colour: "ink", symbol: "circle" },
      dots,
      centre: { drop: drop.mean, retention: retention.mean },
    },
  ];
}

/** From a little left of zero (or of the smallest drop) to a little right of the largest. */
function dropDomain(drops: readonly number[]): readonly [number, number] {
  const high = Math.max(1, ...drops);
  const low = Math.min(0, ...drops);
  const room = (high - low) * 0.06;
  return [low - room, high + room];
}

function panel(
  result: Charted,
  mark: MarkGroup,
  clouds: readonly Cloud[],
  domain: readonly [number, number],
  setting: Setting,
): Figure {
  const [low, high] = domain;
  const plotWidth = WIDTH - MARGIN.left - MARGIN.right;
  const plotHeight = HEIGHT - MARGIN.top - MARGIN.bottom;
  const toX = (drop: number): number => ((drop - low) / (high - low)) * plotWidth;
  const toY = (retention: number): number => (1 - retention / TOP) * plotHeight;
  const ink = colour("ink", setting);
  const faint = colour("faint", setting);
  const verdict = mark.marked[0]?.verdict;
  const needed = verdict && matchesNeeded(verdict.n, 1 / result.data.classes, verdict.alpha);
  const rule = verdict !== undefined && needed !== undefined ? (needed / verdict.n) * 100 : undefined;

  const marks: Plot.Markish[] = [
    Plot.gridY([0, 25, 50, 75, 100], { stroke: colour("grid", setting), strokeOpacity: 1 }),
    Plot.gridX({ stroke: colour("grid", setting), strokeOpacity: 1, ticks: 6 }),
    Plot.axisX({ tickSize: 4, color: faint, label: null, ticks: 6 }),
    Plot.axisY([0, 25, 50, 75, 100], { tickSize: 0, tickPadding: 5, color: faint, label: null }),
    Plot.ruleY([0], { stroke: faint }),
    ...titleAndUnit(figureText(shorten(mark.title, 44)), MARGIN, faint),
    Plot.text(["accuracy drop, points"], { frameAnchor: "bottom", dy: 35, fill: faint }),
  ];
  if (rule !== undefined) {
    marks.push(
      Plot.ruleY([rule], { stroke: ink, strokeDasharray: "1 3", strokeLinecap: "round" }),
      Plot.text([[high, rule]], {
        text: [`${needed} of ${verdict?.n} needed`],
        textAnchor: "end",
        lineAnchor: "bottom",
        dy: -3,
        fontSize: 9.5,
        stroke: colour("page", setting),
        strokeWidth: 4,
        fill: ink,
      }),
    );
  }
  // Where it all starts: the marked model lost nothing and keeps everything.
  const start = spread(mark.marked.map((m) => m.measured.retention * 100))?.mean ?? 100;
  marks.push(Plot.dot([[0, start]], { symbol: "plus", r: 5, stroke: ink, strokeWidth: 1.6 }));
  for (const cloud of clouds) {
    marks.push(
      Plot.dot([...cloud.dots], {
        x: "drop",
        y: "retention",
        r: 4,
        symbol: cloud.look.symbol,
        stroke: colour(cloud.look.colour, setting),
        strokeWidth: 1.5,
        fill: colour(cloud.control ? "page" : cloud.look.colour, setting),
        fillOpacity: cloud.control ? 1 : 0.75,
      }),
    );
  }
  marks.push(...labelMarks(clouds, start, { toX, toY, plotWidth, plotHeight, rule }, domain, setting));
  return drawPlot(
    {
      width: WIDTH,
      height: HEIGHT,
      marginTop: MARGIN.top,
      marginRight: MARGIN.right,
      marginBottom: MARGIN.bottom,
      marginLeft: MARGIN.left,
      x: { domain: [low, high], axis: null },
      y: { domain: [0, TOP], axis: null },
      marks,
    },
    describe(mark, clouds),
  );
}

interface Layout {
  readonly toX: (drop: number) => number;
  readonly toY: (retention: number) => number;
  readonly plotWidth: number;
  readonly plotHeight: number;
  readonly rule: number | undefined;
}

function labelMarks(
  clouds: readonly Cloud[],
  start: number,
  { toX, toY, plotWidth, plotHeight, rule }: Layout,
  [low, high]: readonly [number, number],
  setting: Setting,
): readonly Plot.Markish[] {
  const labels = [
    ...clouds.map((cloud) => ({
      text: figureText(shorten(cloud.title, 30)),
      at: cloud.centre,
      ink: colour(cloud.look.colour, setting),
      bold: !cloud.control,
    })),
    // Last, because the spot below it is nearly always free.
    { text: "marked model", at: { drop: 0, retention: start }, ink: colour("ink", setting), bold: false },
  ];
  const dots: readonly Dot[] = [{ drop: 0, retention: start }, ...clouds.flatMap((cloud) => cloud.dots)];
  const obstacles: Box[] = dots.map((dot) => around(toX(dot.drop), toY(dot.retention), 5));
  // The threshold and its words are in the way as well.
  if (rule !== undefined) {
    obstacles.push({ left: 0, right: plotWidth, top: toY(rule) - 2, bottom: toY(rule) + 2 });
    obstacles.push({ left: plotWidth - 95, right: plotWidth, top: toY(rule) - 14, bottom: toY(rule) });
  }
  const frame = { left: 0, top: -8, right: plotWidth + 8, bottom: plotHeight };
  const places = placeBeside(
    labels.map(({ text, at }) => ({
      x: toX(at.drop),
      y: toY(at.retention),
      width: textWidth(text, FONT_SIZE),
      height: 13,
    })),
    obstacles,
    frame,
  );
  const fromX = (x: number): number => low + (x / plotWidth) * (high - low);
  const fromY = (y: number): number => (1 - y / plotHeight) * TOP;
  return labels.flatMap((label, i) => {
    const place = places[i] ?? { x: 0, y: 0 };
    const text = Plot.text([[fromX(place.x), fromY(place.y)]], {
      text: [label.text],
      textAnchor: "start",
      fontSize: FONT_SIZE,
      fontWeight: label.bold ? 650 : 400,
      fill: label.ink,
      stroke: colour("page", setting),
      strokeWidth: 3.5,
    });
    const dot = { x: toX(label.at.drop), y: toY(label.at.retention) };
    if (Math.abs(place.y - dot.y) < 15) return [text];
    // A name that had to move away is tied to its dots.
    const foot = {
      x: Math.max(place.x, Math.min(place.x + textWidth(label.text, FONT_SIZE), dot.x)),
      y: place.y + (place.y < dot.y ? 5 : -5),
    };
    const tie = Plot.line(
      [
        [label.at.drop, label.at.retention],
        [fromX(foot.x), fromY(foot.y)],
      ],
      { stroke: label.ink, strokeWidth: 0.8, strokeOpacity: 0.7 },
    );
    return [tie, text];
  });
}

function around(x: number, y: number, radius: number): Box {
  return { left: x - radius, right: x + radius, top: y - radius, bottom: y + radius };
}

function describe(mark: MarkGroup, clouds: readonly Cloud[]): string {
  const parts = clouds.map(
    ({ title, centre }) =>
      `${title}: ${points(centre.drop / 100)} points lost, retention ${shortPercent(centre.retention / 100)}`,
  );
  return `Accuracy drop against retention, mark "${mark.title}". ${parts.join("; ") || "Nothing was run"}.`;
}
