/** @file ReluGrad(dy, y): dy where y > 0, else 0. */

import { gated } from "./blocked-forms.js";
import type { Lowering, LoweringFamily } from "./lowering.js";

/** dy times a step function: ONNX Runtime's `Where` on the CPU takes three slow passes. */
const gate: Lowering = {
  name: "gate",
  supports: (_, device) => device === "cpu",
  append: ({ b, input }) => gated(b, input(0), input(1)),
};

const where: Lowering = {
  name: "where",
  supports: (_, device) => device !== "cpu",
  append: ({ b, input }) => b.op("Where", [b.op("Greater", [input(1), b.scalar(0)]), input(0), b.scalar(0)]),
};

export const reluGrad: LoweringFamily = {
  operator: "ReluGrad",
  lowerings: [gate, where],
  choose: (_, device) => (device === "cpu" ? gate.name : where.name),
};
