/** @file Whether removed marks come back: retention after the removal, and after a little tuning on clean images. */

import { shorten, wholePercent } from "../format.js";
import { distinct } from "../../core/lists.js";
import { type Figure, PANEL } from "./frame.js";
import type { Subject } from "./records.js";
import { dotRows } from "./rows.js";

/** Retention of one remover's models, means over seeds. */
export interface ReactivationRow extends Subject {
  readonly removed: number;
  readonly reactivated: number;
}

/** One panel a mark, a row for each remover. */
export function reactivationPanels(rows: readonly ReactivationRow[]): readonly Figure[] {
  return distinct(rows.map(({ mark }) => mark)).map((mark) => {
    const own = rows.filter((row) => row.mark === mark);
    return dotRows({
      width: PANEL.width,
      rowHeight: 17,
      title: mark,
      rows: own.map(({ remover, baseline, removed, reactivated }) => ({
        name: shorten(remover, 28),
        ink: baseline ? "faint" : "series-0",
        dots: [removed],
        arrowTo: reactivated,
      })),
      axis: "retention, %",
      name: `Retention of ${mark} after removal and after clean tuning`,
      description: `${own
        .map((row) => `${row.remover} ${wholePercent(row.removed)} to ${wholePercent(row.reactivated)}`)
        .join("; ")}.`,
    });
  });
}
