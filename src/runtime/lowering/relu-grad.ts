/** @file ReluGrad(dy, y): dy where y > 0, else 0. */

import { float, type GraphBuilder } from "../../onnx/builder.js";
import { type Emission, type Kernel, onCpu, onGpu, plainKernel, type Rewrite } from "./rewrite.js";

/**
 * dy where y > 0, else 0: ONNX Runtime's `Where` takes nine times as long as a `HardSigmoid` as steep as float32
 * allows.
 */
export function gated(b: GraphBuilder, dy: string, y: string): string {
  // The smallest normal number times 3.4e38 is 4, so the gate is 1 for every positive y that is not denormal.
  return b.op("Mul", [dy, b.op("HardSigmoid", [y], { alpha: float(3.4e38), beta: float(0) })]);
}

const onBlocks: Kernel = {
  name: "nchwc",
  match({ node, place }) {
    const lying = place(node.inputs[1] ?? "");
    const append = ({ b, input }: Emission): string => gated(b, input(0), input(1));
    return lying && { reads: [lying, lying], gives: lying, append };
  },
};

/** dy times a step function: ONNX Runtime's `Where` on the CPU takes three slow passes. */
const gate = plainKernel("gate", onCpu, ({ b, input }) => gated(b, input(0), input(1)));

const where = plainKernel("where", onGpu, ({ b, input }) =>
  b.op("Where", [b.op("Greater", [input(1), b.scalar(0)]), input(0), b.scalar(0)]),
);

export const reluGrad: Rewrite = { operator: "wildmark.ReluGrad", inBlocks: [onBlocks], kernels: [gate, where] };
