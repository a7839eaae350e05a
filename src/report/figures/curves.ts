/**
 * @file The paper's figure: accuracy and retention after each epoch of removal, one panel a mark.
 *
 * All panels share their axes, so that marks, and methods and baselines, can be compared by eye.
 */

import { percent, shortPercent } from "../format.js";
import { distinct } from "../../core/lists.js";
import { spread } from "../spread.js";
import { type Figure, roundTicks } from "./frame.js";
import { type Line, linePanels } from "./lines.js";
import { type Looks, lookOf } from "./palette.js";
import type { EpochRow, Rule } from "./records.js";
import { defined } from "../../core/defined.js";

export type Measure = "accuracy" | "retention";

export interface CurveOptions {
  /** Which rows are drawn; all by default. The others still have their say in the axes. */
  readonly shown?: (row: EpochRow) => boolean;
  /**
   * What is drawn; both by default. Together, retention is in full and accuracy in dashes: told apart without colour.
   */
  readonly measures?: readonly Measure[];
  /** By mark: the retention that still shows it. */
  readonly rules?: ReadonlyMap<string, Rule>;
}

/**
 * One panel for each mark of the rows that are shown. Lines are means over runs, bands reach from lowest to highest.
 */
export function curvePanels(rows: readonly EpochRow[], looks: Looks, options: CurveOptions = {}): readonly Figure[] {
  const { shown = () => true, measures = ["accuracy", "retention"], rules } = options;
  const drawn = rows.filter(shown);
  const lastEpoch = Math.max(1, ...rows.map(({ epoch }) => epoch));
  const domain = [0, lastEpoch] as const;
  const panels = distinct(drawn.map(({ mark }) => mark)).map((mark) => {
    const own = drawn.filter((row) => row.mark === mark);
    const lines = distinct(own.map(({ remover }) => remover)).flatMap((name) => {
      const runs = own.filter(({ remover }) => remover === name);
      return measures.map((measure): Line & { readonly measure: Measure } => {
        const points = curve(runs, measure);
        const last = points.at(-1)?.mean ?? 0;
        const strong = measure === "retention";
        const end = strong ? shortPercent(last) : percent(last);
        return { name, look: lookOf(looks, name), dashed: !strong, strong, points, end, measure };
      });
    });
    const rule = measures.includes("retention") ? rules?.get(mark) : undefined;
    const ends = lines.map(({ name, measure, end }) => `${name}: ${measure} ${end}`);
    const what = measures.length > 1 ? "accuracy and retention" : (measures[0] ?? "");
    return {
      title: mark,
      name: `${what.charAt(0).toUpperCase()}${what.slice(1)} by epoch of removal: ${mark}`,
      description: `At the end: ${ends.join("; ")}.`,
      y: `${what}, %`,
      lines,
      ...defined({ rule }),
    };
  });
  return linePanels(panels, { domain, ticks: roundTicks(domain, 7, 1), label: "epoch of removal" });
}

function curve(rows: readonly EpochRow[], measure: Measure): Line["points"] {
  return distinct(rows.map(({ epoch }) => epoch))
    .toSorted((a, b) => a - b)
    .flatMap((epoch) => {
      const s = spread(rows.filter((row) => row.epoch === epoch).map((row) => row[measure]));
      return s === undefined ? [] : [{ x: epoch, mean: s.mean, low: s.min, high: s.max }];
    });
}
