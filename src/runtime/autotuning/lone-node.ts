/**
 * @file A primitive's node taken out of its graph, with inputs of its shapes: what is measured in place of the whole.
 *
 * A max pooling's gradient keeps the pooling before it, because some of its lowerings have that give the places of the
 * maxima, which costs time too.
 */

import { WILDMARK_DOMAIN } from "../../autodiff/primitives.js";
import { convGeometry, leftover, poolAttributes, poolGeometry } from "../../autodiff/windows.js";
import { randomStream } from "../../core/random.js";
import { elementCount, type FloatTensor, float32 } from "../../core/tensor.js";
import { type GraphBuilder, graphBuilder } from "../../onnx/builder.js";
import type { Graph, Node } from "../../onnx/graph.js";

export interface LoneNode {
  readonly graph: Graph;
  /** Numbers from a normal distribution. */
  readonly feeds: ReadonlyMap<string, FloatTensor>;
  /** Name of the graph's one output. */
  readonly output: string;
}

/** The values that a primitive reads, appended to an empty graph. */
const inputsOf: Readonly<Record<string, (b: GraphBuilder, node: Node) => readonly string[]>> = {
  /** Without its bias, which costs every kernel the same. */
  Conv(b, node) {
    const { xDims, wDims } = convGeometry(node);
    return [b.input("x", "float32", xDims), b.input("w", "float32", wDims)];
  },
  ConvGradInput(b, node) {
    const { yDims, wDims } = convGeometry(node);
    return [b.input("dy", "float32", yDims), b.input("w", "float32", wDims)];
  },
  ConvGradWeight(b, node) {
    const { xDims, yDims } = convGeometry(node);
    return [b.input("x", "float32", xDims), b.input("dy", "float32", yDims)];
  },
  MaxPoolGrad(b, node) {
    const geometry = poolGeometry(node);
    const { x_shape: _x, y_shape: _y, ...windows } = poolAttributes(geometry);
    const ceil_mode = geometry.axes.some((axis) => leftover(axis) < 0) ? 1 : 0;
    const x = b.input("x", "float32", geometry.xDims);
    return [x, b.op("MaxPool", [x], { ...windows, ceil_mode }), b.input("dy", "float32", geometry.yDims)];
  },
  AveragePoolGrad(b, node) {
    return [b.input("dy", "float32", poolGeometry(node).yDims)];
  },
};

/** Whether the node can be measured by itself. */
export function standsAlone({ opType, domain }: Node): boolean {
  return domain === WILDMARK_DOMAIN && opType in inputsOf;
}

/** @throws Error for a node that does not stand alone (`standsAlone`). */
export function loneNode(node: Node): LoneNode {
  const b = graphBuilder("lone node");
  const inputs = inputsOf[node.opType]?.(b, node);
  if (inputs === undefined) throw new Error(`${node.opType} cannot be measured by itself`);
  const output = "out";
  b.append({ ...node, name: "", inputs, outputs: [output] });
  b.output(output);
  const graph = b.build();
  const random = randomStream(0, "lone node");
  const feeds = new Map(
    graph.inputs.map(({ name, dims = [] }) => {
      const sizes = dims.filter((dim) => typeof dim === "number");
      const data = Float32Array.from({ length: elementCount(sizes) }, () => random.normal());
      return [name, float32(sizes, data)] as const;
    }),
  );
  return { graph, feeds, output };
}
