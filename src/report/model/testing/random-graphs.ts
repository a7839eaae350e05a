/** @file Graphs of random wiring: chains, branches, what jumps far, several outputs. */

import fc from "fast-check";
import { float32 } from "../../../core/tensor.js";
import { type GraphBuilder, graphBuilder } from "../../../onnx/builder.js";
import type { Graph } from "../../../onnx/graph.js";

/** A kernel of 1 × 1, from two channels to two. */
export function kernel(b: GraphBuilder): string {
  return b.initializer("kernel", float32([2, 2, 1, 1], new Float32Array(4).fill(0.5)));
}

/** Graphs of random wiring: each node reads one or two earlier values, and all that nobody reads is handed on. */
export const randomGraphs = fc
  .array(fc.tuple(fc.nat(6), fc.nat(), fc.nat()), { minLength: 1, maxLength: 40 })
  .map((steps): Graph => {
    const b = graphBuilder("random");
    const values = [b.input("image", "float32", ["N", 2, 4, 4])];
    const unread = new Set<string>();
    for (const [kind, first, second] of steps) {
      const x = values[first % values.length] ?? "";
      const y = values[second % values.length] ?? "";
      for (const read of kind < 3 ? [x] : [x, y]) unread.delete(read);
      const made =
        kind === 0
          ? b.op("Conv", [x, kernel(b)])
          : kind < 3
            ? b.op(kind === 1 ? "Relu" : "MaxPool", [x], kind === 1 ? {} : { kernel_shape: [1, 1] })
            : b.op(kind === 3 ? "Mul" : "Add", [x, y]);
      values.push(made);
      unread.add(made);
    }
    for (const value of unread) b.output(value, "float32");
    return b.build();
  });
