/**
 * @file Whether this machine's ONNX Runtime has the nchwc layout, and how many channels its blocks hold.
 *
 * ONNX Runtime lays channels out in blocks of a vector's width where a convolution's kernel is constant; while training
 * it is not, so the same operators are put into the graph by hand (`nchwc.ts`). They are internal and their block is
 * the machine's, so both are tried out once; where they do not answer what `Conv` answers, everything stays as it is.
 */

import { WildmarkError } from "../../core/errors.js";
import { elementCount, float32 } from "../../core/tensor.js";
import { graphBuilder } from "../../onnx/builder.js";
import { createSession } from "../session.js";
import { lowerPrimitives } from "./index.js";

/** Channels of a block with AVX-512, and with AVX2 or NEON. */
const BLOCKS = [16, 8] as const;

let found: Promise<number | undefined> | undefined;

/** Channels that this machine's nchwc convolutions take together; undefined where it has none. Tried once a process. */
export function nchwcBlock(): Promise<number | undefined> {
  found ??= tryBlocks();
  return found;
}

async function tryBlocks(): Promise<number | undefined> {
  for (const block of BLOCKS) if (await agrees(block).catch(refused)) return block;
  return undefined;
}

/** False where ONNX Runtime takes no such blocks; anything else is a fault of ours. */
function refused(cause: unknown): false {
  if (cause instanceof WildmarkError && cause.code === "runtime") return false;
  throw cause;
}

/** Whether a small nchwc convolution gives what the plain one gives. */
async function agrees(block: number): Promise<boolean> {
  const [xDims, wDims] = [
    [2, 32, 5, 5],
    [32, 32, 3, 3],
  ];
  const plain = graphBuilder("probe");
  plain.input("x", "float32", xDims);
  plain.input("w", "float32", wDims);
  plain.output(plain.op("Conv", ["x", "w"], { pads: [1, 1, 1, 1], strides: [2, 2] }, { name: "y" }));
  const feeds = new Map([
    ["x", float32(xDims, waves(xDims))],
    ["w", float32(wDims, waves(wDims))],
  ]);
  const [expected = [], answered = []] = await Promise.all(
    [plain.build(), lowerPrimitives(plain.build(), { block })].map(async (graph) => {
      const session = await createSession(graph, { device: "cpu" });
      const data = (await session.run(feeds)).get("y")?.data;
      await session.release();
      return Array.from(data ?? [], Number);
    }),
  );
  return expected.length > 0 && expected.every((value, i) => Math.abs(value - (answered[i] ?? Number.NaN)) < 1e-3);
}

/** Numbers in [−1, 1] that do not repeat. */
function waves(dims: readonly number[]): Float32Array {
  return Float32Array.from({ length: elementCount(dims) }, (_, i) => Math.sin(i * i));
}
