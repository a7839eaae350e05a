/** @file Matrix products. */

import { floatAttribute, intAttribute } from "../../../onnx/graph.js";
import { at, broadcastDims, type Kernels, type RefTensor, tabulate } from "./kernel.js";

export const linearKernels: Kernels = {
  /** Y = alpha · A′ · B′ + beta · C, where A′ and B′ are transposed as the attributes say. */
  Gemm: ({ input, optional, node }) => {
    const a = intAttribute(node, "transA", 0) === 0 ? input(0) : transposed(input(0));
    const b = intAttribute(node, "transB", 0) === 0 ? input(1) : transposed(input(1));
    const c = optional(2);
    const alpha = floatAttribute(node, "alpha", 1);
    const beta = floatAttribute(node, "beta", 1);
    const product = matmul(a, b);
    return [
      tabulate(product.dims, (index) => alpha * at(product, index) + (c === undefined ? 0 : beta * at(c, index))),
    ];
  },
  /** As numpy.matmul: a 1-D operand is a row on the left and a column on the right, and that axis is dropped again. */
  MatMul: ({ input }) => {
    const [a, b] = [input(0), input(1)];
    const rowless = a.dims.length === 1;
    const columnless = b.dims.length === 1;
    const product = matmul(
      rowless ? { ...a, dims: [1, ...a.dims] } : a,
      columnless ? { ...b, dims: [...b.dims, 1] } : b,
    );
    const rank = product.dims.length;
    const dims = product.dims.filter(
      (_, axis) => !(rowless && axis === rank - 2) && !(columnless && axis === rank - 1),
    );
    return [{ dims, data: product.data }];
  },
};

function transposed(matrix: RefTensor): RefTensor {
  return tabulate(matrix.dims.toReversed(), (index) => at(matrix, index.toReversed()));
}

/** [… , m, k] · [… , k, n] with broadcast leading axes. */
function matmul(a: RefTensor, b: RefTensor): RefTensor {
  const batch = broadcastDims(a.dims.slice(0, -2), b.dims.slice(0, -2));
  const inner = a.dims.at(-1) ?? 1;
  return tabulate([...batch, a.dims.at(-2) ?? 1, b.dims.at(-1) ?? 1], (index) => {
    const [row = 0, column = 0] = index.slice(-2);
    const leading = index.slice(0, -2);
    let total = 0;
    for (let k = 0; k < inner; k++) total += at(a, [...leading, row, k]) * at(b, [...leading, k, column]);
    return total;
  });
}
