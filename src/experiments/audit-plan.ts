/** @file The cells of an audit: every attack with every budget and seed, those that cannot be tried set apart with the reason. */

import { WildmarkError } from "../core/errors.js";
import type { ChosenMethod } from "../removal/registry.js";
import type { AuditSpec } from "./audit-spec.js";
import { type PlannedCell, removalSteps } from "./plan.js";
import { attackerSubset } from "./remove-mark.js";

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

/** What an audit can give a method; one that needs more is skipped. */
const GIVEN: readonly string[] = ["labelled"];

/** Small budgets first, because they tell most for least work. */
export function planAudit(spec: AuditSpec): AuditPlan {
  const { methods, budgets, seeds } = spec;
  const cells: Omit<AuditCell, "position">[] = [];
  const skipped: SkippedCell[] = [];
  budgets.forEach((fraction, budget) => {
    seeds.forEach((seedValue, seed) => {
      const images = imagesOf(spec, fraction, seedValue);
      methods.forEach((chosen, method) => {
        const address = { method, budget, seed };
        const reason = typeof images === "string" ? images : unmetNeeds(chosen);
        if (reason !== undefined || typeof images === "string") {
          skipped.push({ address, reason: reason ?? "" });
          return;
        }
        const steps = removalSteps(chosen.options, images);
        cells.push({ address, images, steps, what: `${chosen.label} with ${images} images` });
      });
    });
  });
  return { cells: cells.map((cell, position) => ({ ...cell, position })), skipped };
}

/** Number of the attacker's images, or why there are none. */
function imagesOf({ dataset }: AuditSpec, fraction: number, seed: number): number | string {
  try {
    return attackerSubset({ dataset, fraction, seed }).length;
  } catch (error) {
    if (error instanceof WildmarkError && error.code === "bad-data") return error.message;
    throw error;
  }
}

function unmetNeeds({ needs }: ChosenMethod): string | undefined {
  const unmet = needs.filter((need) => !GIVEN.includes(need));
  return unmet.length === 0 ? undefined : `needs ${unmet.join(" and ")} images, which an audit does not give yet`;
}
