/** @file All gradient rules, one file an operator family. */

import type { GradientRules } from "../rule.js";
import { activationRules } from "./activation.js";
import { arithmeticRules } from "./arithmetic.js";
import { attentionRules } from "./attention.js";
import { convolutionRules } from "./convolution.js";
import { dropoutRules } from "./dropout.js";
import { einsumRules } from "./einsum.js";
import { indexingRules } from "./indexing.js";
import { layerNormalizationRules } from "./layer-normalization.js";
import { linearRules } from "./linear.js";
import { normalizationRules } from "./normalization.js";
import { piecesRules } from "./pieces.js";
import { poolingRules } from "./pooling.js";
import { rearrangeRules } from "./rearrange.js";
import { reductionRules } from "./reduction.js";
import { resizeRules } from "./resize.js";
import { responseNormalizationRules } from "./response-normalization.js";
import { selfGatedRules } from "./self-gated.js";
import { shapeRules } from "./shape.js";
import { softmaxRules } from "./softmax.js";

export const gradientRules: GradientRules = {
  ...activationRules,
  ...arithmeticRules,
  ...convolutionRules,
  ...dropoutRules,
  ...layerNormalizationRules,
  ...attentionRules,
  ...einsumRules,
  ...indexingRules,
  ...linearRules,
  ...normalizationRules,
  ...piecesRules,
  ...poolingRules,
  ...rearrangeRules,
  ...reductionRules,
  ...resizeRules,
  ...responseNormalizationRules,
  ...selfGatedRules,
  ...shapeRules,
  ...softmaxRules,
};

/** Operators whose outputs carry no gradient: bookkeeping on shapes, comparisons, indices, step functions. */
export const nonDifferentiable: ReadonlySet<string> = new Set([
  "ArgMax",
  "ArgMin",
  "Ceil",
  "ConstantOfShape",
  "Equal",
  "Floor",
  "Greater",
  "GreaterOrEqual",
  "Hardmax",
  "Less",
  "LessOrEqual",
  "NonZero",
  "Not",
  "OneHot",
  "Range",
  "Round",
  "Shape",
  "Sign",
  "Size",
]);
