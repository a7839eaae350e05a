/**
 * @file The frame of every figure: size, title, axes, description; and Observable Plot without a browser, so that a
 * plot becomes a string of SVG, the same one every time.
 *
 * linkedom stands in for the document. Plot's own style element is dropped (the page brings what is needed) and
 * coordinates are rounded, which keeps files small and hides differences in the last bit between machines.
 */

import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";
import { shorten } from "../format.js";
import { escapeMarkup, legible } from "../html.js";
import { colour } from "./palette.js";
import type { Rule } from "./records.js";

/** A figure of its own. */
export interface Figure {
  /** One `svg` element, valid as XML too; its size is in CSS pixels. */
  readonly svg: string;
}

/** A panel of which three stand beside one another on a page of 1280 pixels, drawn at its own size there. */
export const PANEL = { width: 390, height: 290 };

/** Faces of nearly equal widths, so that labels fit wherever the figure is read. */
const FONT = "Helvetica, Arial, 'Liberation Sans', sans-serif";

/** Attributes that hold coordinates. */
const GEOMETRY = ["d", "transform", "x", "y", "x1", "x2", "y1", "y2", "dx", "dy", "cx", "cy", "r", "width", "height"];

/** An axis: its domain and where it is labelled. */
export interface Axis {
  /** At the left or the bottom, then at the right or the top. */
  readonly domain: readonly [number, number];
  readonly ticks: readonly number[];
  readonly tickText?: (tick: number) => string;
  readonly label?: string;
  readonly log?: boolean;
}

/** A percentage, drawn to a little above 100 where whole dots must find room there. */
export function percentAxis(label: string, top = 100): Axis {
  return { domain: [0, top], ticks: [0, 25, 50, 75, 100], label };
}

/** Ticks at about `count` round numbers in a domain, no nearer to one another than `least`. */
export function roundTicks([low, high]: readonly [number, number], count: number, least = 0): readonly number[] {
  const rough = Math.max((high - low) / count, least, 1e-9);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((factor) => factor * power >= rough * (1 - 1e-9)) ?? 10);
  const first = Math.ceil(low / step - 1e-9);
  // Counted in steps: sums of fractions would carry rounding noise into the labels.
  return Array.from({ length: Math.floor(high / step + 1e-9) - first + 1 }, (_, i) =>
    Number(((first + i) * step).toPrecision(12)),
  );
}

export interface Frame {
  readonly width: number;
  readonly height: number;
  readonly margin: { readonly top: number; readonly right: number; readonly bottom: number; readonly left: number };
  readonly title?: string;
  /** For readers who do not see it: what it is, and what it shows. */
  readonly name: string;
  readonly description: string;
  readonly x: Axis;
  readonly y: Axis;
}

/** The area within the margins, and where values lie in it, in pixels of the figure. */
export interface Area {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
  readonly toX: (value: number) => number;
  readonly toY: (value: number) => number;
}

/** Draws axes, titles and, over the grid, what `draw` gives. */
export function drawFrame(frame: Frame, draw: (area: Area) => readonly Plot.Markish[]): Figure {
  const { width, height, margin, x, y } = frame;
  const box = { left: margin.left, top: margin.top, right: width - margin.right, bottom: height - margin.bottom };
  const toX = positions(x, box.left, box.right);
  const toY = positions(y, box.bottom, box.top);
  const grid = { stroke: colour("grid"), strokeOpacity: 1 };
  const faint = { fill: colour("faint"), fontVariant: "tabular-nums" };
  const corner = { frameAnchor: "top-left", textAnchor: "start", dx: 2 - margin.left } as const;
  const words = (text: string | undefined, options: Plot.TextOptions): readonly Plot.Markish[] =>
    text === undefined ? [] : [Plot.text([figureText(text)], options)];
  return drawPlot(
    {
      width,
      height,
      marginTop: margin.top,
      marginRight: margin.right,
      marginBottom: margin.bottom,
      marginLeft: margin.left,
      x: { domain: [...x.domain], axis: null, type: x.log === true ? "log" : "linear" },
      y: { domain: [...y.domain], axis: null, type: "linear" },
      marks: [
        Plot.gridX([...x.ticks], grid),
        Plot.gridY([...y.ticks], grid),
        // Not Plot's axes: on logarithmic scales those leave out labels of their own accord.
        ...tickTexts(x, toX, { ...faint, frameAnchor: "bottom", dy: 16 }, "x"),
        ...tickTexts(y, toY, { ...faint, frameAnchor: "left", textAnchor: "end", dx: -6 }, "y"),
        ...words(x.label, { ...faint, frameAnchor: "bottom", dy: 33 }),
        ...words(y.label, { ...faint, ...corner, dy: -16 }),
        ...words(frame.title === undefined ? undefined : shorten(frame.title, 46), {
          ...corner,
          dy: 4 - margin.top,
          fontSize: 13,
          fontWeight: 600,
        }),
        ...draw({ ...box, toX, toY }),
      ],
    },
    frame,
  );
}

function positions({ domain: [low, high], log }: Axis, from: number, to: number): (value: number) => number {
  const place = log === true ? Math.log : (value: number): number => value;
  return (value) => from + ((place(value) - place(low)) / (place(high) - place(low) || 1)) * (to - from);
}

/** On the horizontal axis a label that would touch the one before is left out. */
function tickTexts(
  { ticks, tickText = String }: Axis,
  to: (value: number) => number,
  options: Plot.TextOptions,
  along: "x" | "y",
): readonly Plot.Markish[] {
  let free = Number.NEGATIVE_INFINITY;
  const fitting = ticks.filter((tick) => {
    const half = textWidth(tickText(tick), 11) / 2;
    if (along === "x" && to(tick) - half < free) return false;
    free = to(tick) + half + 4;
    return true;
  });
  return fitting.length === 0
    ? []
    : [Plot.text(fitting, { ...options, [along]: (tick: number) => tick, text: (tick: number) => tickText(tick) })];
}

/** A position in pixels of the figure instead of values of an axis, for `x` and `y` of a mark. */
export function pixels<T>(of: (datum: T) => number): { readonly value: (datum: T) => number; readonly scale: null } {
  return { value: of, scale: null };
}

/** What a figure says of those that do not stand out, as options and text are put where it has room. */
export function othersNote(others: number, options: Plot.TextOptions): readonly Plot.Markish[] {
  if (others === 0) return [];
  return [
    Plot.text([`grey: ${others} ${others === 1 ? "other" : "others"}`], {
      fill: colour("faint"),
      fontSize: 10.5,
      ...options,
    }),
  ];
}

/** Text that stands on a figure's lines: a rim in the page's colour keeps it legible. */
export const RIM = { stroke: colour("page"), strokeWidth: 3.5 } as const;

/** A dotted rule at a value, as options of `Plot.ruleX` and `Plot.ruleY`. */
export const DOTTED = { stroke: colour("ink"), strokeDasharray: "1 3", strokeLinecap: "round" } as const;

export const RULE_FONT = 9.5;

/** The retention that still shows a mark: a dotted rule, and its words at the right end, above it. */
export function ruleMarks({ share, label }: Rule): readonly Plot.Markish[] {
  const right = { frameAnchor: "right", textAnchor: "end", lineAnchor: "bottom", dy: -3 } as const;
  return [
    Plot.ruleY([100 * share], DOTTED),
    Plot.text([label], { ...right, y: () => 100 * share, fontSize: RULE_FONT, fill: colour("ink"), ...RIM }),
  ];
}

/** Text for a figure. linkedom escapes markup; this takes out what XML forbids. */
export function figureText(text: string): string {
  return legible(text).replace(/[^\S\u202f]+/g, " ");
}

/**
 * About how wide a text is in a sans-serif face, in pixels; there is no font to ask, so letters count by their kind.
 */
export function textWidth(text: string, fontSize: number, bold = false): number {
  const shares = [...text].map((c) => (/[ijltfrI.,:;'()|\s-]/.test(c) ? 0.31 : /[A-Zmw%→]/.test(c) ? 0.74 : 0.56));
  return shares.reduce((sum, share) => sum + share, 0) * fontSize * (bold ? 1.07 : 1);
}

function drawPlot(options: Plot.PlotOptions, { width, height, name, description }: Frame): Figure {
  const { document } = parseHTML("<!doctype html><html><body></body></html>");
  const node = Plot.plot({ ...options, document, className: "plot" });
  for (const style of node.querySelectorAll("style")) style.remove();
  for (const element of node.querySelectorAll("*")) {
    for (const attribute of GEOMETRY) {
      const value = element.getAttribute(attribute);
      if (value !== null) element.setAttribute(attribute, roundNumbers(value));
    }
  }
  // A label, not a title with an id: ids of several figures would clash in one page.
  const svg =
    `<svg xmlns="http://www.w3.org/2000/svg" class="plot" role="img" aria-label="${escapeMarkup(figureText(name))}" ` +
    `viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" fill="currentColor" font-family="${FONT}" ` +
    `font-size="11" text-anchor="middle"><desc>${escapeMarkup(figureText(description))}</desc>${node.innerHTML}</svg>`;
  return { svg };
}

function roundNumbers(value: string): string {
  return value.replace(/-?\d+\.\d{3,}(e-?\d+)?/g, (number) => String(Math.round(Number(number) * 100) / 100 || 0));
}
