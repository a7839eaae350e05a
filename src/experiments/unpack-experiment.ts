/** @file An experiment in the thread that it was sent to: cells by their positions in the plan. */

import { finishAttack } from "./audit-cell.js";
import { planAudit } from "./audit-plan.js";
import { unpackAudit } from "./audit-spec.js";
import type { PackedExperiment } from "./experiment.js";
import { finishAddressed } from "./finish-cells.js";
import { type PlannedCell, planCells } from "./plan.js";
import type { RunOptions } from "./run-options.js";
import type { FinishedCell } from "./store.js";
import { unpackSpec } from "./worker-messages.js";

/** Finishes the cell at a position of the plan in the experiment's folder `out`. */
export type FinishPosition = (position: number, out: string, run: RunOptions) => Promise<FinishedCell<unknown>>;

/** @throws WildmarkError `usage` where a record is not in its registry. */
export function unpackExperiment(packed: PackedExperiment): FinishPosition {
  switch (packed.kind) {
    case "reproduce": {
      const spec = unpackSpec(packed.spec);
      const plan = planCells(spec);
      return (position, out, run) => finishAddressed({ spec, out, run }, addressAt(plan, position));
    }
    case "audit": {
      const spec = unpackAudit(packed.spec);
      const plan = planAudit(spec).cells;
      return (position, out, run) => finishAttack({ spec, out, run }, addressAt(plan, position));
    }
  }
}

function addressAt<Address>(plan: readonly PlannedCell<Address>[], position: number): Address {
  const cell = plan[position];
  if (cell === undefined) throw new RangeError(`the plan has no cell ${position}`);
  return cell.address;
}
