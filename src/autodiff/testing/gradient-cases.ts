/**
 * @file All gradient checks by operator. A rule needs at least two; add a family's file to `cases/` and a line here.
 */

import { arithmeticCases } from "./cases/arithmetic.js";
import { reductionCases } from "./cases/reduction.js";
import type { GradientCases } from "./gradient-case.js";

export const gradientCases: GradientCases = {
  ...arithmeticCases,
  ...reductionCases,
};
