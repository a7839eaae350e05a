/** @file Checks of the rules in `rules/linear.ts`. */

import { float } from "../../../onnx/builder.js";
import { type GradientCase, type GradientCases, gradientCase } from "../gradient-case.js";

function gemm(transA: number, transB: number, alpha: number, beta: number, c: readonly number[]): GradientCase {
  return gradientCase(`transA ${transA}, transB ${transB}, alpha ${alpha}, beta ${beta}, C [${c}]`, {
    inputs: {
      a: { dims: transA === 1 ? [4, 2] : [2, 4] },
      b: { dims: transB === 1 ? [3, 4] : [4, 3], initializer: true },
      c: { dims: c },
    },
    build: (g, { a, b, c }) => g.op("Gemm", [a, b, c], { transA, transB, alpha: float(alpha), beta: float(beta) }),
  });
}

function matmul(a: readonly number[], b: readonly number[], bChecked = true, aChecked = true): GradientCase {
  const left = aChecked ? "" : ", left not asked for";
  const right = bChecked ? "" : ", right not asked for";
  return gradientCase(`[${a}] · [${b}]${left}${right}`, {
    inputs: { a: { dims: a, checked: aChecked }, b: { dims: b, checked: bChecked } },
    build: (g, { a, b }) => g.op("MatMul", [a, b]),
  });
}

export const linearCases: GradientCases = {
  Gemm: [
    gemm(0, 0, 1, 1, [3]),
    gemm(0, 1, 1, 1, [2, 3]),
    gemm(1, 0, 0.5, 2, [2, 1]),
    gemm(1, 1, -1.5, 0.5, [1, 3]),
    gemm(0, 1, 2, -1, []),
    gemm(0, 1, 1, 1, [1]),
    gradientCase("without C", {
      inputs: { a: { dims: [2, 4] }, b: { dims: [4, 3] } },
      build: (g, { a, b }) => g.op("Gemm", [a, b]),
    }),
    gradientCase("frozen weights", {
      inputs: { a: { dims: [2, 4] }, b: { dims: [3, 4], checked: false }, c: { dims: [3], checked: false } },
      build: (g, { a, b, c }) => g.op("Gemm", [a, b, c], { transB: 1 }),
    }),
    gradientCase("a matrix with its own transpose", {
      inputs: { a: { dims: [3, 4] } },
      build: (g, { a }) => g.op("Gemm", [a, a], { transB: 1 }),
    }),
  ],
  MatMul: [
    matmul([2, 4], [4, 3]),
    matmul([2, 4], [4, 3], false),
    matmul([2, 5, 4], [4, 3]),
    matmul([2, 5, 4], [4, 3], true, false),
    matmul([2, 3, 5, 4], [4, 1]),
    matmul([2, 3, 4], [2, 4, 5]),
    matmul([3, 4], [2, 4, 5]),
    matmul([2, 1, 3, 4], [5, 4, 2]),
    matmul([1, 3, 4], [2, 4, 5], false),
    matmul([4], [4]),
    matmul([4], [4, 3]),
    matmul([2, 4], [4]),
    matmul([4], [2, 4, 3]),
    matmul([2, 3, 4], [4]),
    matmul([1], [1]),
  ],
};
