/**
 * @file What the machine can do at best: a product of two large square matrices of float32 by ONNX Runtime's MatMul,
 * run in turns with the work that it is compared with.
 *
 * One factor is a constant, which ONNX Runtime packs beforehand, so this is the kernel at its best. The other is what
 * the last product left, so that on a GPU nothing but one number travels.
 */

import { randomStream } from "../src/core/random.js";
import { float32, int64 } from "../src/core/tensor.js";
import { graphBuilder } from "../src/onnx/builder.js";
import type { Device } from "../src/runtime/options.js";
import type { RuntimeOptions } from "../src/runtime/session.js";
import { createStatefulSession } from "../src/runtime/state.js";
import { type Contestant, timed } from "./contest.js";

export interface Peak extends Contestant {
  /** Floating-point operations of a unit. */
  readonly flops: number;
}

/** Rows and columns: large enough for the kernel's full speed, small enough for a turn of several. */
const SIDES: Readonly<Record<Device, number>> = { cpu: 1024, webgpu: 4096, cuda: 4096 };

/** One unit is one product. */
export async function peakContestant(seed: number, runtime: RuntimeOptions): Promise<Peak> {
  const side = SIDES[runtime.device ?? "cpu"];
  const random = randomStream(seed, "peak");
  const dims = [side, side];
  // Elements of variance 1 / side: products neither grow nor vanish.
  const noise = () =>
    float32(
      dims,
      Float32Array.from({ length: side * side }, () => (random.uniform() - 0.5) * Math.sqrt(12 / side)),
    );
  const b = graphBuilder("sgemm");
  const product = b.op("MatMul", [b.input("a", "float32", dims), b.initializer("b", noise())]);
  b.output(product, "float32", dims);
  // To have it is to wait for the whole product.
  const bounds = [int64([2], [0, 0]), int64([2], [1, 1])].map((tensor, i) => b.initializer(`bound${i}`, tensor));
  const one = b.op("Slice", [product, ...bounds]);
  b.output(one, "float32", [1, 1]);
  const session = await createStatefulSession(b.build(), [{ input: "a", output: product, initial: noise() }], runtime);
  const corner = float32([1, 1], [0]);
  const multiply = () => session.run(new Map(), new Map([[one, corner]]));
  return {
    flops: 2 * side ** 3,
    async check() {
      await multiply();
      return [...corner.data];
    },
    run: (units) => timed(units, multiply),
    release: () => session.release(),
  };
}
