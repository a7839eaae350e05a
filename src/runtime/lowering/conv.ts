/**
 * @file Conv, where its shapes are known (the primitive of domain "wildmark"), for devices whose own is slow for some of them.
 */

import { convGeometry, stepAttributes } from "../../autodiff/windows.js";
import { convByRows, fewPositions } from "./conv-by-rows.js";
import type { Lowering, LoweringFamily } from "./lowering.js";

const standard: Lowering = {
  name: "standard",
  supports: () => true,
  append({ node, b, input }) {
    const { axes, group } = convGeometry(node);
    const inputs = node.inputs.map((_, i) => input(i));
    return b.op("Conv", inputs, { ...stepAttributes(axes), group });
  },
};

export const conv: LoweringFamily = {
  operator: "Conv",
  lowerings: [standard, convByRows],
  choose(node, device) {
    const { yDims } = convGeometry(node);
    return convByRows.supports(node, device) && fewPositions(yDims) ? convByRows.name : standard.name;
  },
};
