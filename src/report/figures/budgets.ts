/** @file Retention against the attacker's share of the data, one panel a mark, a line for each remover. */

import { exactPercent, wholePercent } from "../format.js";
import { distinct } from "../../core/lists.js";
import type { Figure } from "./frame.js";
import { type Line, linePanels } from "./lines.js";
import { type Looks, lookOf } from "./palette.js";
import type { ConditionRow } from "./records.js";

/**
 * Lines are means over seeds, bands the rows' intervals; baselines are dashed. Empty where there is only one budget.
 */
export function budgetPanels(rows: readonly ConditionRow[], looks: Looks): readonly Figure[] {
  const budgets = distinct(rows.map(({ budget }) => budget)).toSorted((a, b) => a - b);
  const [least, most] = [budgets[0], budgets.at(-1)];
  if (least === undefined || most === undefined || least === most) return [];
  const panels = distinct(rows.map(({ mark }) => mark)).map((mark) => {
    const lines = distinct(rows.map(({ remover }) => remover)).flatMap((name): readonly Line[] => {
      const own = rows.filter((row) => row.mark === mark && row.remover === name);
      const points = own
        .flatMap(({ budget, retention }) => (retention === undefined ? [] : [{ x: budget, ...retention }]))
        .toSorted((a, b) => a.x - b.x);
      const last = points.at(-1);
      if (last === undefined) return [];
      const dashed = own.some(({ baseline }) => baseline);
      return [{ name, look: lookOf(looks, name), dashed, strong: !dashed, points, end: wholePercent(last.mean) }];
    });
    const ends = lines.map(({ name, end }) => `${name} ${end}`);
    return {
      title: mark,
      name: `Retention of ${mark} against the attacker's share of the data`,
      description: `With ${exactPercent(most)}: ${ends.join("; ") || "nothing was run"}.`,
      y: "retention, %",
      lines,
    };
  });
  const label = "share of the training data";
  return linePanels(panels, { domain: [least, most], ticks: budgets, tickText: exactPercent, label, log: true });
}
