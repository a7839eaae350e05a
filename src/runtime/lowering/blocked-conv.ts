/**
 * @file Convolutions in blocks of channels: ONNX Runtime's own layout for CPUs (domain com.microsoft.nchwc).
 *
 * ONNX Runtime lays channels out in blocks of a vector's width where a convolution's kernel is constant; while training it
 * is not, so the same operators are put into the graph by hand: the image is reordered, the kernel too, and the result
 * is reordered back. With 16 to 128 channels that took 0.5 to 0.7 of the time of `Conv` on two cores with AVX-512.
 *
 * The operators are internal and their block is the machine's, so both are tried out once (`convolutionBlock`); where they
 * do not answer what `Conv` answers, everything stays as it is.
 */

import { elementCount, float32 } from "../../core/tensor.js";
import { graphBuilder } from "../../onnx/builder.js";
import { type Graph, intAttribute, intsAttribute, type Node, stringAttribute } from "../../onnx/graph.js";
import { createSession } from "../session.js";

/** The domain of the blocked operators. */
export const BLOCKED = "com.microsoft.nchwc";

/** Channels of a block with AVX-512, and with AVX2 or NEON. */
const BLOCKS = [16, 8] as const;

let found: Promise<number | undefined> | undefined;

/** Channels that this machine's blocked convolutions take together; undefined where it has none. Tried once a process. */
export function convolutionBlock(): Promise<number | undefined> {
  found ??= tryBlocks();
  return found;
}

async function tryBlocks(): Promise<number | undefined> {
  for (const block of BLOCKS) if (await agrees(block).catch(() => false)) return block;
  return undefined;
}

/** Whether a small blocked convolution gives what the plain one gives. */
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
    [plain.build(), blockConvolutions(plain.build(), block)].map(async (graph) => {
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

/**
 * The same graph with every two-dimensional `Conv` whose channels fill whole blocks in the blocked layout.
 *
 * @param kernels dimensions of the kernel of a `Conv`, by the name of the value that it gives, where neither an input nor
 *   an initialiser of the graph says them.
 */
export function blockConvolutions(
  graph: Graph,
  block: number,
  kernels: ReadonlyMap<string, readonly number[]> = new Map(),
): Graph {
  const stored = new Map<string, readonly number[]>([...graph.initializers].map(([name, { dims }]) => [name, dims]));
  for (const { name, dims = [] } of graph.inputs) {
    const fixed = dims.filter((dim) => typeof dim === "number");
    if (fixed.length === dims.length) stored.set(name, fixed);
  }
  const b = graphBuilder(graph.name, { from: graph, keepOutputs: true });
  const nodes = graph.nodes.flatMap((node) => {
    const [output = ""] = node.outputs;
    const dims = kernels.get(output) ?? stored.get(node.inputs[1] ?? "");
    if (dims === undefined || !fillsBlocks(node, dims, block)) return [node];
    const start = b.build().nodes.length;
    const result = appendBlocked(b, node, dims, block);
    return b
      .build()
      .nodes.slice(start)
      .map((made) => ({ ...made, outputs: made.outputs.map((name) => (name === result ? output : name)) }));
  });
  return { ...b.build(), nodes };
}

/** Kernels of one cell are left alone: a plain matrix product, which the reordering would cost more than it saves. */
function fillsBlocks(node: Node, [outputs = 0, inputs = 0, ...kernel]: readonly number[], block: number): boolean {
  return (
    node.opType === "Conv" &&
    node.domain === "" &&
    kernel.length === 2 &&
    elementCount(kernel) > 1 &&
    outputs % block === 0 &&
    inputs % block === 0 &&
    intAttribute(node, "group", 1) === 1 &&
    stringAttribute(node, "auto_pad", "NOTSET") === "NOTSET"
  );
}

function appendBlocked(b: ReturnType<typeof graphBuilder>, node: Node, dims: readonly number[], block: number): string {
  const [x = "", w = "", ...bias] = node.inputs;
  const [outputs = 1, inputs = 1, ...kernel] = dims;
  // [O/b, b, I/b, b, h, w] → [O/b, I/b, h, w, b inputs, b outputs]
  const split = b.op("Reshape", [w, b.ints([outputs / block, block, inputs / block, block, ...kernel])]);
  const turned = b.op("Transpose", [split], { perm: [0, 2, 4, 5, 3, 1] });
  const blockedKernel = b.op("Reshape", [turned, b.ints(dims)]);
  const image = b.op("ReorderInput", [x], {}, { domain: BLOCKED });
  const attributes = {
    kernel_shape: kernel,
    strides: intsAttribute(node, "strides") ?? [1, 1],
    pads: intsAttribute(node, "pads") ?? [0, 0, 0, 0],
    dilations: intsAttribute(node, "dilations") ?? [1, 1],
    group: 1,
  };
  const y = b.op("Conv", [image, blockedKernel, ...bias], attributes, { domain: BLOCKED });
  return b.op("ReorderOutput", [y], { channels: outputs }, { domain: BLOCKED });
}
