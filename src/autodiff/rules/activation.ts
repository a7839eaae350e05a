/** @file Gradients of activation functions, dx = dy · f′(x), written with the output y where that is cheaper. */

import type { GradientRules } from "../rule.js";

export const activationRules: GradientRules = {
  Relu: ({ b, dy, node, input }) => {
    const [y = input(0)] = node.outputs;
    // y > 0 exactly where x > 0; the derivative at 0 is 0, as everywhere in the field.
    const positive = b.op("Greater", [y, b.scalar(0)]);
    return [b.op("Where", [positive, dy, b.scalar(0)])];
  },
};
