/**
 * @file Observable Plot without a browser: a plot becomes a string of SVG, the same one every time.
 *
 * linkedom stands in for the document. Plot's own style element is dropped (the page and the standalone file bring what
 * is needed) and coordinates are rounded, which keeps files small and hides differences in the last bit between machines.
 */

import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";
import { escapeMarkup, legible } from "../html.js";

/** A figure of its own: its size is in CSS pixels. */
export interface Figure {
  readonly width: number;
  readonly height: number;
  /** One `svg` element, valid as XML too. */
  readonly svg: string;
}

/** Faces of nearly equal widths, so that labels fit wherever the figure is read. */
const FONT = "Helvetica, Arial, 'Liberation Sans', sans-serif";

/** Attributes that hold coordinates. */
const GEOMETRY = ["d", "transform", "x", "y", "x1", "x2", "y1", "y2", "dx", "dy", "cx", "cy", "r", "width", "height"];

/**
 * Draws a plot.
 *
 * @param description What the figure shows, in a sentence, for readers who do not see it.
 */
export function drawPlot(
  options: Plot.PlotOptions & { readonly width: number; readonly height: number },
  description: string,
): Figure {
  const { document } = parseHTML("<!doctype html><html><body></body></html>");
  const node = Plot.plot({ ...options, document, className: "plot" });
  for (const style of node.querySelectorAll("style")) style.remove();
  for (const element of node.querySelectorAll("*")) {
    for (const name of GEOMETRY) {
      const value = element.getAttribute(name);
      if (value !== null) element.setAttribute(name, roundNumbers(value));
    }
  }
  const { width, height } = options;
  return { width, height, svg: svgElement(width, height, description, node.innerHTML) };
}

/** The title over a figure whose vertical axis is retention, and that axis' unit: text in the margins. */
export function titleAndUnit(
  title: string,
  margin: { readonly top: number; readonly left: number },
  faint: string,
): readonly Plot.Markish[] {
  const corner = { frameAnchor: "top-left", dx: -margin.left + 2 } as const;
  return [
    Plot.text([title], { ...corner, dy: -margin.top + 4, fontSize: 13, fontWeight: 600 }),
    Plot.text(["retention, %"], { ...corner, dy: -13, textAnchor: "start", fill: faint }),
  ];
}

/** Places figures in rows, left to right, top to bottom, as one figure. */
export function grid(figures: readonly Figure[], columns: number, description: string, gap = 20): Figure {
  const cell = {
    width: Math.max(0, ...figures.map((f) => f.width)),
    height: Math.max(0, ...figures.map((f) => f.height)),
  };
  const across = Math.min(columns, Math.max(1, figures.length));
  const down = Math.ceil(figures.length / columns);
  const placed = figures.map(({ svg }, i) => {
    const x = (i % columns) * (cell.width + gap);
    const y = Math.floor(i / columns) * (cell.height + gap);
    return `<g transform="translate(${x},${y})">${svg}</g>`;
  });
  const width = across * cell.width + (across - 1) * gap;
  const height = Math.max(1, down * cell.height + Math.max(0, down - 1) * gap);
  return { width, height, svg: svgElement(width, height, description, placed.join("")) };
}

/** A figure as a file: an XML declaration, and black on white whatever the reader's theme. */
export function standalone(figure: Figure): string {
  const background = '<rect width="100%" height="100%" fill="#ffffff"/>';
  return `<?xml version="1.0" encoding="UTF-8"?>\n${figure.svg.replace(">", ` color="#1c1b19">${background}`)}\n`;
}

/** Text for a figure. linkedom escapes markup; this takes out what XML forbids. */
export function figureText(text: string): string {
  return legible(text).replace(/\s+/g, " ");
}

function svgElement(width: number, height: number, description: string, inner: string): string {
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" class="plot" role="img" aria-label="${escapeMarkup(description)}" ` +
    `viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" fill="currentColor" ` +
    `font-family="${FONT}" font-size="11" text-anchor="middle">${inner}</svg>`
  );
}

function roundNumbers(value: string): string {
  return value.replace(/-?\d+\.\d{3,}(e-?\d+)?/g, (number) => String(Math.round(Number(number) * 100) / 100 || 0));
}
