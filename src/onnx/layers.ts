/**
 * @file The layers of a network: nodes that multiply data by a stored kernel, and which axis of the kernel has one
 * entry for each unit (a convolution's output channel, a dense layer's output).
 */

import { type Graph, intAttribute, intsAttribute, type Node } from "./graph.js";
import { isOperator, storedTensors, valuesFrom } from "./traverse.js";

export interface Layer {
  readonly node: Node;
  readonly kind: "convolution" | "dense";
  /** Name of the stored float32 tensor that the data are multiplied by. */
  readonly kernel: string;
  /** The kernel's axis of output units; undefined where a view (Reshape) or groups hide it. */
  readonly unitAxis: number | undefined;
  /** Name of the stored float32 bias that the node itself adds, one number a unit; undefined where there is none. */
  readonly bias: string | undefined;
}

/** In graph order; layers whose kernel is computed, or stored in another type, are left out. */
export function layersOf(graph: Graph): readonly Layer[] {
  const kernels = kernelViews(graph);
  const fromInput = valuesFrom(
    graph,
    graph.inputs.map(({ name }) => name),
  );
  return graph.nodes.flatMap((node) => {
    const [first = "", second = "", third = ""] = node.inputs;
    const onLeft = isOperator(node, "MatMul") && kernels.has(first);
    const view = kernels.get(onLeft ? first : second);
    if (view === undefined || !fromInput.has(onLeft ? second : first)) return [];
    const bias = kernels.get(third)?.name;
    const layer = (kind: Layer["kind"], axis: number | undefined): Layer[] => {
      const unitAxis = axis === undefined ? undefined : view.axes?.[axis];
      return [{ node, kind, kernel: view.name, unitAxis, bias }];
    };
    switch (node.domain === "" ? node.opType : "") {
      case "Conv":
        return layer("convolution", 0);
      case "ConvTranspose":
        return layer("convolution", intAttribute(node, "group", 1) === 1 ? 1 : undefined);
      case "Gemm":
        return layer("dense", intAttribute(node, "transB", 0) === 1 ? 0 : 1);
      case "MatMul":
        return layer("dense", view.axes?.length === 2 && !onLeft ? 1 : undefined);
      default:
        return [];
    }
  });
}

interface View {
  /** The stored tensor's own name. */
  readonly name: string;
  /** For each axis of the value, the stored tensor's axis; undefined where it is another shape. */
  readonly axes: readonly number[] | undefined;
}

/** The stored float32 tensors, and what is computed from one of them by moving its elements alone. */
function kernelViews(graph: Graph): ReadonlyMap<string, View> {
  const views = new Map<string, View>();
  for (const [name, { type, dims }] of storedTensors(graph)) {
    if (type === "float32") views.set(name, { name, axes: dims.map((_, axis) => axis) });
  }
  for (const node of graph.nodes) {
    const view = views.get(node.inputs[0] ?? "");
    const [output] = node.outputs;
    if (view === undefined || output === undefined) continue;
    if (isOperator(node, "Identity")) views.set(output, view);
    else if (isOperator(node, "Reshape")) views.set(output, { name: view.name, axes: undefined });
    else if (isOperator(node, "Transpose")) {
      const order = intsAttribute(node, "perm");
      const axes = order === undefined ? view.axes?.toReversed() : order.map((axis) => view.axes?.[axis] ?? axis);
      views.set(output, { name: view.name, axes: view.axes === undefined ? undefined : axes });
    }
  }
  return views;
}
