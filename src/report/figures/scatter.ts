/**
 * @file What removals cost and what they left: accuracy drop against retention, one panel a mark.
 *
 * The lower left corner is the attacker's prize: the mark gone and the accuracy kept.
 */

import * as Plot from "@observablehq/plot";
import { mean } from "../../core/summary.js";
import { points as inPoints, shorten, shortPercent } from "../format.js";
import { distinct } from "../../core/lists.js";
import {
  type Area,
  DOTTED,
  drawFrame,
  type Figure,
  figureText,
  othersNote,
  PANEL,
  percentAxis,
  pixels,
  RIM,
  RULE_FONT,
  roundTicks,
  ruleMarks,
  textWidth,
} from "./frame.js";
import { type Box, placeBeside } from "./labels.js";
import { colour, type Look, type Looks, lookOf } from "./palette.js";
import type { PriceRow, Rule } from "./records.js";

const MARGIN = { top: 38, right: 16, bottom: 38, left: 34 };
/** The axis ends a little above 100 %, so that dots there are whole. */
const TOP = 105;
/**
 * In acceptable drops: what costs more, a third of the accuracy perhaps, stands at the end of the axis, or it would
 * press all others together.
 */
const FURTHEST = 3;
const FONT_SIZE = 10.5;
/** The marked model. */
const CROSS = { symbol: "plus", r: 5, stroke: colour("ink"), strokeWidth: 1.6 } as const;
const NOTE = { frameAnchor: "top-right", textAnchor: "end", dy: -16 } as const;

export interface ScatterOptions {
  /** By mark: the retention of the marked model, from which all starts. */
  readonly starts?: ReadonlyMap<string, number>;
  /** By mark: the retention that still shows it. */
  readonly rules?: ReadonlyMap<string, Rule>;
  /**
   * With the drop that is acceptable, a share: a line there, the front of those that none beats, and an axis that ends
   * soon after.
   */
  readonly acceptableDrop?: number;
}

/** In points and percent. */
interface Dot {
  readonly drop: number;
  readonly retention: number;
}

/** A remover's dots and where they lie on average. */
interface Cloud {
  readonly name: string;
  readonly baseline: boolean;
  readonly look: Look;
  readonly dots: readonly Dot[];
  readonly centre: Dot;
}

/** Those that no other beats in one number without losing in the other, by rising drop. */
export function paretoFront<P extends Dot>(places: readonly P[]): readonly P[] {
  let least = Number.POSITIVE_INFINITY;
  return places
    .toSorted((a, b) => a.drop - b.drop || a.retention - b.retention)
    .filter(({ retention }) => {
      if (retention >= least) return false;
      least = retention;
      return true;
    });
}

/** One panel for each mark of the rows, a dot for each row; a name stands beside the mean of a remover's dots. */
export function scatterPanels(
  rows: readonly PriceRow[],
  looks: Looks,
  options: ScatterOptions = {},
): readonly Figure[] {
  const axis = dropAxis(
    rows.map(({ drop }) => 100 * drop),
    options.acceptableDrop,
  );
  return distinct(rows.map(({ mark }) => mark)).map((mark) => {
    const own = rows.filter((row) => row.mark === mark);
    const clouds = distinct(own.map(({ remover }) => remover)).map((name): Cloud => {
      const dots = own
        .filter(({ remover }) => remover === name)
        .map(({ drop, retention, baseline }) => ({ drop: 100 * drop, retention: 100 * retention, baseline }));
      const centre = { drop: mean(dots.map(({ drop }) => drop)), retention: mean(dots.map((dot) => dot.retention)) };
      const baseline = dots.some((dot) => dot.baseline);
      return { name, baseline, look: lookOf(looks, name), dots, centre };
    });
    return panel(mark, clouds, axis, options);
  });
}

/** Points from `low` to `high`; drops above `furthest` stand there. */
interface DropAxis {
  readonly low: number;
  readonly high: number;
  readonly furthest: number;
}

function dropAxis(drops: readonly number[], acceptableDrop: number | undefined): DropAxis {
  const limit = acceptableDrop === undefined ? undefined : 100 * acceptableDrop;
  const near = limit === undefined ? drops : drops.filter((drop) => drop <= FURTHEST * limit);
  const most = Math.max(limit === undefined ? 1 : 1.25 * limit, ...near);
  const furthest = near.length < drops.length ? most * 1.15 : most;
  const low = Math.min(0, ...near);
  const room = (furthest - low) * 0.06;
  return { low: low - room, high: furthest + room, furthest };
}

function panel(
  mark: string,
  clouds: readonly Cloud[],
  { low, high, furthest }: DropAxis,
  { starts, rules, acceptableDrop }: ScatterOptions,
): Figure {
  const rule = rules?.get(mark);
  const start = starts?.get(mark);
  const front = acceptableDrop === undefined ? [] : paretoFront(clouds.map((cloud) => ({ ...cloud.centre, cloud })));
  const x = ({ drop }: Dot): number => Math.min(drop, furthest);
  const y = "retention";
  const told = clouds.map(({ name, centre }) => {
    const left = shortPercent(Math.round(10 * centre.retention) / 1000);
    return `${name}: ${inPoints(centre.drop / 100)} points lost, retention ${left}`;
  });
  const frame = {
    ...PANEL,
    margin: MARGIN,
    title: mark,
    name: `Accuracy drop against retention: ${mark}`,
    description: `${told.join("; ") || "Nothing was run"}.`,
    x: { domain: [low, high] as const, ticks: roundTicks([low, high], 6), label: "accuracy drop, points" },
    y: percentAxis("retention, %", TOP),
  };
  return drawFrame(frame, (area) => [
    ...(acceptableDrop === undefined ? [] : [Plot.ruleX([100 * acceptableDrop], DOTTED)]),
    ...(rule === undefined ? [] : ruleMarks(rule)),
    Plot.line(front, { x, y, curve: "step-after", stroke: colour("faint"), strokeWidth: 1.4 }),
    Plot.dot(start === undefined ? [] : [100 * start], { x: () => 0, y: Number, ...CROSS }),
    ...clouds
      .toSorted((a, b) => Number(a.look.named) - Number(b.look.named))
      .map((cloud) =>
        Plot.dot([...cloud.dots], {
          x,
          y,
          r: cloud.look.named ? 4.2 : 3.2,
          symbol: cloud.look.symbol,
          stroke: colour(cloud.look.colour),
          strokeWidth: 1.5,
          fill: colour(cloud.baseline ? "page" : cloud.look.colour),
          fillOpacity: cloud.baseline ? 1 : 0.8,
          ...(cloud.look.named ? {} : { title: () => figureText(cloud.name) }),
        }),
      ),
    ...othersNote(clouds.filter((cloud) => !cloud.look.named).length, NOTE),
    ...names(clouds, { start, rule, furthest, front }, area),
  ]);
}

interface Surroundings {
  readonly start: number | undefined;
  readonly rule: Rule | undefined;
  readonly furthest: number;
  readonly front: readonly (Dot & { readonly cloud: Cloud })[];
}

/**
 * The names of removers that stand out, lie on the front or beyond the axis, beside their dots and clear of one
 * another.
 */
function names(
  clouds: readonly Cloud[],
  { start, rule, furthest, front }: Surroundings,
  { left, top, right, bottom, toX, toY }: Area,
): readonly Plot.Markish[] {
  const at = ({ drop, retention }: Dot) => ({ x: toX(Math.min(drop, furthest)), y: toY(retention) });
  const origin = start === undefined ? [] : [{ drop: 0, retention: 100 * start }];
  const labels = [
    ...clouds
      .filter((c) => c.look.named || c.centre.drop > furthest || front.some((place) => place.cloud === c))
      .map(({ name, baseline, look, centre, dots }) => ({
        text: `${figureText(shorten(name, 30))}${centre.drop > furthest ? `, ${inPoints(centre.drop / 100)} →` : ""}`,
        ...at(centre),
        ink: look.named ? colour(look.colour) : colour("faint"),
        bold: !baseline,
        dots: dots.map(at),
      })),
    // Last, because the spot below it is nearly always free.
    ...origin.map((dot) => ({ text: "marked model", ...at(dot), ink: colour("ink"), bold: false, dots: [at(dot)] })),
  ].map((label) => ({ ...label, width: textWidth(label.text, FONT_SIZE, label.bold), height: 13 }));
  const dots = [...origin, ...clouds.flatMap((cloud) => cloud.dots)].map(at);
  const obstacles: Box[] = dots.map(({ x, y }) => ({ left: x - 5, right: x + 5, top: y - 5, bottom: y + 5 }));
  if (rule !== undefined) {
    // The threshold and its words are in the way as well.
    const height = toY(100 * rule.share);
    const wide = textWidth(rule.label, RULE_FONT) + 4;
    obstacles.push({ left, right, top: height - 2, bottom: height + 2 });
    obstacles.push({ left: right - wide, right, top: height - 14, bottom: height });
  }
  for (const [i, from] of front.map(at).entries()) {
    // A step of the front: across to the next drop, then down.
    const next = front[i + 1];
    if (next === undefined) break;
    const to = at(next);
    obstacles.push({ left: from.x, right: to.x, top: from.y - 1, bottom: from.y + 1 });
    obstacles.push({ left: to.x - 1, right: to.x + 1, top: from.y, bottom: to.y });
  }
  const places = placeBeside(labels, obstacles, { left, top: top - 8, right: right + 8, bottom });
  return labels.flatMap(({ text, x, y, ink, bold, width, dots: own }, i) => {
    const place = places[i] ?? { x, y };
    const words = Plot.text([text], {
      x: pixels(() => place.x),
      y: pixels(() => place.y),
      textAnchor: "start",
      fontSize: FONT_SIZE,
      fontWeight: bold ? 650 : 400,
      fill: ink,
      ...RIM,
    });
    if (Math.abs(place.y - y) < 15) return [words];
    // A name that had to move away is tied to the nearest of its dots.
    const foot = { x: Math.max(place.x, Math.min(place.x + width, x)), y: place.y + (place.y < y ? 5 : -5) };
    const far = (dot: { readonly x: number; readonly y: number }): number => Math.hypot(dot.x - foot.x, dot.y - foot.y);
    const [nearest = { x, y }] = own.toSorted((a, b) => far(a) - far(b));
    const tie = Plot.line([nearest, foot], {
      x: pixels((point) => point.x),
      y: pixels((point) => point.y),
      stroke: ink,
      strokeWidth: 0.8,
      strokeOpacity: 0.7,
    });
    return [tie, words];
  });
}
