/** @file One entry of the table of gradient checks: `testing/cases/` holds them, `rules/rules.test.ts` runs them. */

import { type CheckedGradient, checkGradient, type GradientCheck } from "./check-gradient.js";

export interface GradientCase {
  /** What is particular about it: the shapes, an attribute. */
  readonly title: string;
  run(): Promise<CheckedGradient>;
}

/** Cases by the operator whose rule they check. */
export type GradientCases = Readonly<Record<string, readonly GradientCase[]>>;

export function gradientCase<K extends string>(title: string, check: GradientCheck<K>): GradientCase {
  return { title, run: () => checkGradient(check) };
}
