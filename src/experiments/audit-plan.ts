/** @file The cells of an audit: every attack with every budget and seed, those that cannot be tried set apart with the reason. */

import { WildmarkError } from "../core/errors.js";
import type { AuditSpec } from "./audit-spec.js";
import type { PlannedCell } from "./plan.js";
import { attackerSubset, unlabelledSubset } from "../tasks/attacker-images.js";

/** Positions in the spec's lists. */
export interface AuditAddress {
  readonly method: number;
  readonly budget: number;
  readonly seed: number;
}

export interface AuditCell extends PlannedCell<AuditAddress> {
  /** The attacker's images. */
  readonly images: number;
}

export interface SkippedCell {
  readonly address: AuditAddress;
  readonly reason: string;
}

export interface AuditPlan {
  readonly cells: readonly AuditCell[];
  readonly skipped: readonly SkippedCell[];
}

/** Small budgets first, because they tell most for least work. */
export function planAudit(spec: AuditSpec): AuditPlan {
  const { methods, budgets, seeds } = spec;
  const cells: Omit<AuditCell, "position">[] = [];
  const skipped: SkippedCell[] = [];
  budgets.forEach((fraction, budget) => {
    seeds.forEach((seedValue, seed) => {
      const attacker = { dataset: spec.dataset, fraction, seed: seedValue };
      const labelled = orReason(() => attackerSubset(attacker).length);
      methods.forEach((chosen, method) => {
        const address = { method, budget, seed };
        const unlabelled = chosen.needs.includes("unlabelled") ? orReason(() => unlabelledSubset(attacker).length) : 0;
        const lacking = [labelled, unlabelled].find((found) => typeof found === "string");
        if (typeof labelled === "string" || lacking !== undefined) {
          skipped.push({ address, reason: String(lacking) });
          return;
        }
        cells.push({
          address,
          needs: [],
          images: labelled,
          steps:
            chosen.steps({ images: labelled, classes: spec.dataset.train.classes }) + (spec.reactivation?.steps ?? 0),
          what: `${chosen.label} with ${labelled} images`,
        });
      });
    });
  });
  return { cells: cells.map((cell, position) => ({ ...cell, position })), skipped };
}

/** What `ask` gives, or the message where the data are too few. */
function orReason<T>(ask: () => T): T | string {
  try {
    return ask();
  } catch (error) {
    if (error instanceof WildmarkError && error.code === "bad-data") return error.message;
    throw error;
  }
}
