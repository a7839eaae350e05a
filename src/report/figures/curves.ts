/**
 * @file The paper's figure: accuracy and retention after each epoch of removal, one panel a mark.
 *
 * All panels share their axes, so that marks, and methods and controls, can be compared by eye.
 */

import * as Plot from "@observablehq/plot";
import { percent, shorten, shortPercent } from "../format.js";
import { type Charted, distinct, type MarkGroup, type MethodGroup, markGroups, methodKey } from "../groups.js";
import { spread } from "../spread.js";
import { matchesNeeded } from "../threshold.js";
import { spreadApart } from "./labels.js";
import { colour, type Look, looks, type Setting } from "./palette.js";
import { drawPlot, type Figure, figureText } from "./plot.js";

const WIDTH = 400;
const HEIGHT = 268;
const MARGIN = { top: 34, right: 160, bottom: 36, left: 34 };
const LABEL_GAP = 13;
/** Retention in full, accuracy in dashes: told apart without colour. */
const ACCURACY_DASH = "5 3";

export type Measure = "accuracy" | "retention";

interface CurvePoint {
  readonly epoch: number;
  readonly mean: number;
  readonly low: number;
  readonly high: number;
  readonly seeds: number;
}

interface Curve {
  readonly title: string;
  readonly measure: Measure;
  readonly look: Look;
  readonly points: readonly CurvePoint[];
}

/**
 * One panel a mark, for the methods under test, for the controls or for both. Empty where no such removal was run.
 *
 * @param measures what is drawn; both by default.
 */
export function curvePanels(
  result: Charted,
  which: "tested" | "controls" | "all",
  setting: Setting,
  measures: readonly Measure[] = ["accuracy", "retention"],
): readonly Figure[] {
  const look = looks(result);
  const lastEpoch = Math.max(1, ...result.removals.flatMap((r) => r.epochs.map((e) => (e.measured ? e.epoch : 0))));
  const wanted = (m: MethodGroup): boolean => which === "all" || m.control === (which === "controls");
  const marks = markGroups(result);
  if (!marks.some((mark) => mark.methods.some(wanted))) return [];
  return marks.map((mark) => {
    const curves = mark.methods.filter(wanted).flatMap((method) => curvesOf(method, look, measures));
    return panel(result, mark, curves, lastEpoch, setting);
  });
}

function curvesOf(
  method: MethodGroup,
  look: ReadonlyMap<string, Look>,
  measures: readonly Measure[],
): readonly Curve[] {
  const own = look.get(methodKey({ method: method.id, title: method.title })) ?? { colour: "ink", symbol: "circle" };
  return measures.map((measure) => ({
    title: method.title,
    measure,
    look: own,
    points: curvePoints(method, measure),
  }));
}

/** Mean and extremes over the runs that measured at each epoch, in percent. */
function curvePoints(method: MethodGroup, measure: Measure): readonly CurvePoint[] {
  const measured = method.runs.flatMap((run) => run.removal.epochs.filter((epoch) => epoch.measured !== undefined));
  const epochs = [...distinct(measured.map((record) => record.epoch))].sort((a, b) => a - b);
  return epochs.flatMap((epoch) => {
    const values = measured.flatMap((record) => (record.epoch === epoch ? (record.measured?.[measure] ?? []) : []));
    const s = spread(values);
    return s === undefined ? [] : [{ epoch, mean: s.mean * 100, low: s.min * 100, high: s.max * 100, seeds: s.n }];
  });
}

function panel(
  result: Charted,
  mark: MarkGroup,
  curves: readonly Curve[],
  lastEpoch: number,
  setting: Setting,
): Figure {
  const plotWidth = WIDTH - MARGIN.left - MARGIN.right;
  const plotHeight = HEIGHT - MARGIN.top - MARGIN.bottom;
  const perPixel = { x: lastEpoch / plotWidth, y: 100 / plotHeight };
  const faint = colour("faint", setting);
  const halo = { stroke: colour("page", setting), strokeWidth: 4 };
  const ends = curves.flatMap((curve) => {
    const last = curve.points.at(-1);
    return last === undefined ? [] : [{ curve, last }];
  });
  const labelY = spreadApart(
    ends.map((end) => end.last.mean),
    LABEL_GAP * perPixel.y,
    -4 * perPixel.y,
    100 + 6 * perPixel.y,
  );

  const marks: Plot.Markish[] = [
    Plot.gridY([0, 25, 50, 75, 100], { stroke: colour("grid", setting), strokeOpacity: 1 }),
    Plot.axisX(ticks(lastEpoch), { tickSize: 4, color: faint, label: null }),
    Plot.axisY([0, 25, 50, 75, 100], { tickSize: 0, tickPadding: 5, color: faint, label: null }),
    Plot.ruleY([0], { stroke: faint }),
    Plot.text([figureText(shorten(mark.title, 44))], {
      frameAnchor: "top-left",
      dx: -MARGIN.left + 2,
      dy: -MARGIN.top + 4,
      fontSize: 13,
      fontWeight: 600,
    }),
    Plot.text(["%"], { frameAnchor: "top-left", dx: -14, dy: -14, fill: faint }),
    Plot.text(["epoch of removal"], { frameAnchor: "bottom", dy: 31, fill: faint }),
  ];

  const needed = curves.some((curve) => curve.measure === "retention") ? thresholdOf(result, mark) : undefined;
  if (needed !== undefined) {
    marks.push(
      Plot.ruleY([needed.percent], { stroke: colour("ink", setting), strokeDasharray: "1 3", strokeLinecap: "round" }),
    );
  }
  for (const curve of curves) marks.push(...curveMarks(curve, setting));
  for (const [i, { curve, last }] of ends.entries()) {
    const ink = colour(curve.look.colour, setting);
    const y = labelY[i] ?? last.mean;
    const kink = lastEpoch + 14 * perPixel.x;
    const value = curve.measure === "retention" ? shortPercent(last.mean / 100) : percent(last.mean / 100);
    marks.push(
      Plot.line(
        [
          [last.epoch + 4 * perPixel.x, last.mean],
          [lastEpoch + 5 * perPixel.x, last.mean],
          [kink, y],
        ],
        { stroke: ink, strokeWidth: 0.8, strokeOpacity: 0.6 },
      ),
      Plot.text([[kink, y]], {
        text: [`${figureText(shorten(curve.title, 22))} ${value}`],
        dx: 3,
        textAnchor: "start",
        fill: ink,
        fontSize: 10.5,
        fontWeight: curve.measure === "retention" ? 650 : 400,
      }),
    );
  }
  if (needed !== undefined) {
    marks.push(
      Plot.text([[lastEpoch, needed.percent]], {
        text: [needed.label],
        textAnchor: "end",
        lineAnchor: "bottom",
        dy: -3,
        fontSize: 9.5,
        fill: colour("ink", setting),
        ...halo,
      }),
    );
  }
  return drawPlot(
    {
      width: WIDTH,
      height: HEIGHT,
      marginTop: MARGIN.top,
      marginRight: MARGIN.right,
      marginBottom: MARGIN.bottom,
      marginLeft: MARGIN.left,
      x: { domain: [0, lastEpoch], axis: null },
      y: { domain: [0, 100], axis: null },
      marks,
    },
    describe(mark, curves),
  );
}

function curveMarks(curve: Curve, setting: Setting): readonly Plot.Markish[] {
  const ink = colour(curve.look.colour, setting);
  const retention = curve.measure === "retention";
  const band = curve.points.some((point) => point.seeds > 1)
    ? [Plot.areaY([...curve.points], { x: "epoch", y1: "low", y2: "high", fill: ink, fillOpacity: 0.16 })]
    : [];
  return [
    ...band,
    Plot.lineY([...curve.points], {
      x: "epoch",
      y: "mean",
      stroke: ink,
      strokeWidth: retention ? 2.2 : 1.5,
      ...(retention ? {} : { strokeDasharray: ACCURACY_DASH }),
    }),
    ...(retention ? [Plot.dot([...curve.points], { x: "epoch", y: "mean", r: 2.1, fill: ink })] : []),
  ];
}

/** The retention that the binomial test asks of this mark's key; undefined where no retention would do. */
function thresholdOf(
  result: Charted,
  mark: MarkGroup,
): { readonly percent: number; readonly label: string } | undefined {
  const verdict = mark.marked[0]?.verdict;
  if (verdict === undefined) return undefined;
  const matches = matchesNeeded(verdict.n, 1 / result.data.classes, verdict.alpha);
  return matches === undefined
    ? undefined
    : { percent: (matches / verdict.n) * 100, label: `${matches} of ${verdict.n} needed` };
}

/** Whole epochs, about six of them. */
function ticks(lastEpoch: number): readonly number[] {
  const step = [1, 2, 5, 10, 20, 50, 100, 200, 500].find((s) => lastEpoch / s <= 7) ?? Math.ceil(lastEpoch / 6);
  return Array.from({ length: Math.floor(lastEpoch / step) + 1 }, (_, i) => i * step);
}

function describe(mark: MarkGroup, curves: readonly Curve[]): string {
  const parts = curves.flatMap((curve) => {
    const last = curve.points.at(-1);
    return last === undefined ? [] : [`${curve.title}: ${curve.measure} ${percent(last.mean / 100)}`];
  });
  return `Accuracy and retention by epoch of removal, mark "${mark.title}". At the end: ${parts.join("; ") || "nothing was run"}.`;
}
