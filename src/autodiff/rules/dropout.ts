/** @file Gradient of Dropout. */

import { WildmarkError } from "../../core/errors.js";
import { toNumbers } from "../../core/tensor.js";
import { describeNode } from "../../onnx/graph.js";
import type { GradientRules } from "../rule.js";

/** The ratio where the input is left out. */
const DEFAULT_RATIO = 0.5;

export const dropoutRules: GradientRules = {
  /**
   * Without training_mode the identity. With it y = x · mask / (1 − ratio), and the mask is the node's second output.
   */
  Dropout: ({ b, dy, node, has, constant }) => {
    const training = has(2) && toNumbers(constant(2))[0] === 1;
    const ratio = has(1) ? (toNumbers(constant(1))[0] ?? DEFAULT_RATIO) : DEFAULT_RATIO;
    if (!training || ratio === 0) return [dy];
    const mask = node.outputs[1] ?? "";
    if (mask === "") {
      throw new WildmarkError(
        "unsupported-operator",
        `${describeNode(node)} is in training mode but does not give its mask, which its gradient needs.`,
        { hint: "Add the mask as the node's second output, or set training_mode to false." },
      );
    }
    return [b.op("Where", [mask, b.op("Mul", [dy, b.scalar(1 / (1 - ratio))]), b.scalar(0)])];
  },
};
