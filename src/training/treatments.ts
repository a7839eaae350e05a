/** @file The ways in which the weights of a step move, and which weight moves how. */

import type { StepPlan, Treatment } from "./step-plan.js";

type Treating = Pick<StepPlan, "optimizer" | "treatments">;

/** All of them, the plan's own first. */
export const treatmentsOf = ({ optimizer, treatments }: Treating): readonly Treatment[] => [
  { optimizer, rate: 1 },
  ...new Set(treatments?.values()),
];

/** A weight's place in `treatmentsOf`. */
export function treatmentOf(plan: Treating, weight: string): number {
  const own = plan.treatments?.get(weight);
  return own === undefined ? 0 : treatmentsOf(plan).indexOf(own);
}
