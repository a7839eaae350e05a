/** @file All gradient rules, one file an operator family. */

import type { GradientRules } from "../rule.js";
import { activationRules } from "./activation.js";
import { arithmeticRules } from "./arithmetic.js";
import { convolutionRules } from "./convolution.js";
import { normalizationRules } from "./normalization.js";
import { poolingRules } from "./pooling.js";
import { reductionRules } from "./reduction.js";
import { softmaxRules } from "./softmax.js";

export const gradientRules: GradientRules = {
  ...activationRules,
  ...arithmeticRules,
  ...convolutionRules,
  ...normalizationRules,
  ...poolingRules,
  ...reductionRules,
  ...softmaxRules,
};

/** Operators whose outputs carry no gradient: bookkeeping on shapes, comparisons, indices. */
export const nonDifferentiable: ReadonlySet<string> = new Set([
  "ArgMax",
  "ArgMin",
  "ConstantOfShape",
  "Equal",
  "Greater",
  "GreaterOrEqual",
  "Less",
  "LessOrEqual",
  "NonZero",
  "Not",
  "OneHot",
  "Range",
  "Shape",
  "Size",
]);
