/**
 * @file All gradient checks by operator. A rule needs at least two; add a family's file to `cases/` and a line here.
 */

import { activationCases } from "./cases/activation.js";
import { arithmeticCases } from "./cases/arithmetic.js";
import { attentionCases } from "./cases/attention.js";
import { convolutionCases } from "./cases/convolution.js";
import { einsumCases } from "./cases/einsum.js";
import { imageNormalizationCases } from "./cases/image-normalization.js";
import { indexingCases } from "./cases/indexing.js";
import { linearCases } from "./cases/linear.js";
import { normalizationCases } from "./cases/normalization.js";
import { piecesCases } from "./cases/pieces.js";
import { poolingCases } from "./cases/pooling.js";
import { rearrangeCases } from "./cases/rearrange.js";
import { reductionCases } from "./cases/reduction.js";
import { resizeCases } from "./cases/resize.js";
import { selfGatedCases } from "./cases/self-gated.js";
import { shapeCases } from "./cases/shape.js";
import { softmaxCases } from "./cases/softmax.js";
import type { GradientCases } from "./gradient-case.js";

export const gradientCases: GradientCases = {
  ...activationCases,
  ...arithmeticCases,
  ...attentionCases,
  ...einsumCases,
  ...indexingCases,
  ...linearCases,
  ...piecesCases,
  ...rearrangeCases,
  ...reductionCases,
  ...resizeCases,
  ...shapeCases,
  ...convolutionCases,
  ...imageNormalizationCases,
  ...normalizationCases,
  ...poolingCases,
  ...selfGatedCases,
  ...softmaxCases,
};
