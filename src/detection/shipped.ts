/** @file The baseline that comes with Wildmark for models of a family, where there is one. */

import type { Baseline } from "./baseline.js";
import { type ModelFamily, sameFamily } from "./family.js";
import { shippedBaselines } from "./shipped-baselines.js";

/** Of built-in architectures on well-known data; undefined for all others. */
export function shippedBaseline(family: ModelFamily): Baseline | undefined {
  return shippedBaselines.find((baseline) => sameFamily(baseline.family, family));
}
