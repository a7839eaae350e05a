/**
 * @file Every figure of a result as a file of its own, for papers and slides.
 */

import type { Result } from "../../experiments/result.js";
import { markGroups } from "../groups.js";
import { curvePanels } from "./curves.js";
import { type Figure, grid, standalone } from "./plot.js";
import { tradeoffPanels } from "./tradeoff.js";

/** One figure file. */
export interface FigureFile {
  /** File name without directory: letters, digits, dots and dashes, ending in ".svg". */
  readonly name: string;
  /** The whole file: XML, UTF-8. */
  readonly svg: string;
}

/**
 * The figures of a result as standalone SVG files: each panel by itself and each row of panels as one picture.
 *
 * Names are `removal.svg`, `removal-content.svg`, … for the methods under test; `controls…` and `tradeoff…` likewise.
 */
export function figureSvgs(result: Result): readonly FigureFile[] {
  const marks = markGroups(result).map((mark) => mark.id);
  const rows: readonly (readonly [string, string, readonly Figure[]])[] = [
    ["removal", "Accuracy and retention by epoch of removal", curvePanels(result, "tested", "file")],
    ["controls", "Accuracy and retention by epoch of the controls", curvePanels(result, "controls", "file")],
    ["tradeoff", "Accuracy drop against retention", tradeoffPanels(result, "file")],
  ];
  return rows.flatMap(([name, description, panels]) => {
    if (panels.length === 0) return [];
    const names = fileNames(marks);
    const whole = { name: `${name}.svg`, svg: standalone(grid(panels, 3, description)) };
    const single = panels.map((panel, i) => ({ name: `${name}-${names[i]}.svg`, svg: standalone(panel) }));
    return [whole, ...single];
  });
}

/** Mark names come from the document, so a name keeps only what is harmless in a path, and clashes get a number. */
function fileNames(marks: readonly string[]): readonly string[] {
  const clean = marks.map((mark) =>
    mark
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, "-")
      .replace(/^-+|-+$/g, "")
      .slice(0, 40),
  );
  return clean.map((name, i) => (name === "" || clean.indexOf(name) !== i ? `${name || "mark"}-${i + 1}` : name));
}
