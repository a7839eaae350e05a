/**
 * @file What the machine can do at best: a product of two large square matrices of float32 by ONNX Runtime's MatMul, run
 * in turns with the work that it is compared with.
 *
 * One factor is a constant, which ONNX Runtime packs beforehand, so this is the kernel at its best.
 */

import { randomStream } from "../src/core/random.js";
import { float32 } from "../src/core/tensor.js";
import { graphBuilder } from "../src/onnx/builder.js";
import { createSession, type RuntimeOptions } from "../src/runtime/session.js";
import { type Contestant, timed } from "./contest.js";

/** Rows and columns: large enough for the kernel's full speed, small enough for a turn of several. */
const SIDE = 1024;

export const PEAK_FLOPS = 2 * SIDE ** 3;

/** One unit is one product. */
export async function peakContestant(seed: number, runtime: RuntimeOptions): Promise<Contestant> {
  const random = randomStream(seed, "peak");
  const dims = [SIDE, SIDE];
  const noise = () =>
    float32(
      dims,
      Float32Array.from({ length: SIDE * SIDE }, () => random.uniform() - 0.5),
    );
  const b = graphBuilder("sgemm");
  const product = b.op("MatMul", [b.input("a", "float32", dims), b.initializer("b", noise())]);
  b.output(product, "float32", dims);
  const session = await createSession(b.build(), runtime);
  const feeds = new Map([["a", noise()]]);
  const into = new Map([[product, float32(dims, new Float32Array(SIDE * SIDE))]]);
  return {
    check: async () => [],
    run: (units) => timed(units, () => session.run(feeds, into)),
    release: () => session.release(),
  };
}
