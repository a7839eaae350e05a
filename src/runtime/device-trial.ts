/** @file A process that times one product of two matrices on the device that it is told, and says how long it took. */

import { float32 } from "../core/tensor.js";
import { graphBuilder } from "../onnx/builder.js";
import type { RuntimeOptions } from "./options.js";
import { createSession } from "./session.js";

/** Rows and columns: 2 GFLOP, some milliseconds of a CPU, and 8 MB to bring to a GPU and back. */
const SIDE = 1024;

/** Products after the first, which compiles kernels and wakes threads; the quickest counts. */
const REPEATS = 3;

async function timeOfProduct(options: RuntimeOptions): Promise<number> {
  const dims = [SIDE, SIDE];
  const ones = float32(dims, new Float32Array(SIDE * SIDE).fill(1));
  const b = graphBuilder("product");
  b.output(b.op("MatMul", [b.input("a", "float32", dims), b.initializer("b", ones)]), "float32", dims);
  const session = await createSession(b.build(), options);
  const feeds = new Map([["a", ones]]);
  await session.run(feeds);
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < REPEATS; i++) {
    const start = performance.now();
    await session.run(feeds);
    least = Math.min(least, performance.now() - start);
  }
  return least;
}

// What fails ends this process, and that says enough.
const milliseconds = await timeOfProduct(JSON.parse(process.argv[2] ?? "{}"));
process.send?.(milliseconds, () => process.exit());
