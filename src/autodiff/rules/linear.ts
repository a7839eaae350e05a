/** @file Gradients of matrix products. */

import { elementCount } from "../../core/tensor.js";
import { float, type GraphBuilder } from "../../onnx/builder.js";
import { floatAttribute, intAttribute } from "../../onnx/graph.js";
import type { GradientContext, GradientRules } from "../rule.js";
import { reshapeTo, sumTo } from "./broadcast.js";

export const linearRules: GradientRules = {
  /** Y = alpha · A′B′ + beta · C, where A′ = Aᵀ with transA, B′ = Bᵀ with transB, and C broadcasts. */
  Gemm: (context) => {
    const { b, dy, node, input, needs, dims } = context;
    const alpha = floatAttribute(node, "alpha", 1);
    const left = { name: input(0), transposed: intAttribute(node, "transA", 0) === 1 };
    const right = { name: input(1), transposed: intAttribute(node, "transB", 0) === 1 };
    return [
      needs(0) ? gradientOfLeft(b, dy, left, right, alpha) : undefined,
      needs(1) ? gradientOfRight(b, dy, left, right, alpha) : undefined,
      needs(2)
        ? sumTo(b, scaled(b, dy, floatAttribute(node, "beta", 1)), outputDims(context), dims(input(2)))
        : undefined,
    ];
  },

  MatMul: (context) => {
    const { b, dy, input, needs, dims } = context;
    const left = { name: input(0), transposed: false };
    const right = { name: input(1), transposed: false };
    const rightRank = dims(input(1)).length;
    if (dims(input(0)).length === 2 && rightRank === 2) {
      return [
        needs(0) ? gradientOfLeft(b, dy, left, right, 1) : undefined,
        needs(1) ? gradientOfRight(b, dy, left, right, 1) : undefined,
      ];
    }
    return rightRank === 2 ? matMulByMatrix(context) : matMulOfBatches(context);
  },
};

interface Factor {
  readonly name: string;
  /** Whether the product is of its transpose. */
  readonly transposed: boolean;
}

/** alpha · dY · B′ᵀ, transposed as A is. */
function gradientOfLeft(b: GraphBuilder, dy: string, left: Factor, right: Factor, alpha: number): string {
  return left.transposed
    ? gemm(b, right, { name: dy, transposed: true }, alpha)
    : gemm(b, { name: dy, transposed: false }, { ...right, transposed: !right.transposed }, alpha);
}

/** alpha · A′ᵀ · dY, transposed as B is. */
function gradientOfRight(b: GraphBuilder, dy: string, left: Factor, right: Factor, alpha: number): string {
  return right.transposed
    ? gemm(b, { name: dy, transposed: true }, left, alpha)
    : gemm(b, { ...left, transposed: !left.transposed }, { name: dy, transposed: false }, alpha);
}

function gemm(b: GraphBuilder, left: Factor, right: Factor, alpha: number): string {
  return b.op("Gemm", [left.name, right.name], {
    transA: Number(left.transposed),
    transB: Number(right.transposed),
    ...(alpha === 1 ? {} : { alpha: float(alpha) }),
  });
}

function scaled(b: GraphBuilder, value: string, factor: number): string {
  return factor === 1 ? value : b.op("Mul", [value, b.scalar(factor)]);
}

function outputDims({ node, dims }: GradientContext): readonly number[] {
  return dims(node.outputs[0] ?? "");
}

/** [… , k] · [k, n]: all leading axes of the left operand are rows of one matrix. */
function matMulByMatrix(context: GradientContext): (string | undefined)[] {
  const { b, dy, input, needs, dims } = context;
  const xDims = dims(input(0));
  const [k = 1, n = 1] = dims(input(1));
  const rows = elementCount(xDims) / k;
  const dyRows = reshapeTo(b, dy, outputDims(context), [rows, n]);
  const right = { name: input(1), transposed: false };
  const rowsOfLeft = (): Factor => ({ name: reshapeTo(b, input(0), xDims, [rows, k]), transposed: false });
  return [
    needs(0)
      ? reshapeTo(b, gemm(b, { name: dyRows, transposed: false }, { ...right, transposed: true }, 1), [rows, k], xDims)
      : undefined,
    needs(1) ? gradientOfRight(b, dyRows, rowsOfLeft(), right, 1) : undefined,
  ];
}

/**
 * [… , m, k] · [… , k, n] with broadcast leading axes; one axis alone is a row on the left and a column on the right.
 */
function matMulOfBatches(context: GradientContext): (string | undefined)[] {
  const { b, dy, input, needs, dims } = context;
  const [leftDims, rightDims] = [dims(input(0)), dims(input(1))];
  const leftMatrix = leftDims.length === 1 ? [1, ...leftDims] : leftDims;
  const rightMatrix = rightDims.length === 1 ? [...rightDims, 1] : rightDims;
  const m = leftMatrix.at(-2) ?? 1;
  const k = leftMatrix.at(-1) ?? 1;
  const n = rightMatrix.at(-1) ?? 1;
  // A row or column leaves no axis in the output, so its leading axes are what is left without those of the other side.
  const batch = outputDims(context).slice(
    0,
    outputDims(context).length - Number(leftDims.length > 1) - Number(rightDims.length > 1),
  );
  const product = reshapeTo(b, dy, outputDims(context), [...batch, m, n]);
  const left = (): string => transposeLast(b, reshapeTo(b, input(0), leftDims, leftMatrix), leftMatrix);
  const right = (): string => transposeLast(b, reshapeTo(b, input(1), rightDims, rightMatrix), rightMatrix);
  const reduced = (
    gradient: string,
    from: readonly number[],
    matrix: readonly number[],
    to: readonly number[],
  ): string => reshapeTo(b, sumTo(b, gradient, from, matrix), matrix, to);
  return [
    needs(0) ? reduced(b.op("MatMul", [product, right()]), [...batch, m, k], leftMatrix, leftDims) : undefined,
    needs(1) ? reduced(b.op("MatMul", [left(), product]), [...batch, k, n], rightMatrix, rightDims) : undefined,
  ];
}

/** Exchanges the last two axes. ONNX Runtime fuses this into the product that follows. */
function transposeLast(b: GraphBuilder, value: string, { length: rank }: readonly number[]): string {
  const perm = Array.from({ length: rank }, (_, axis) => axis);
  return b.op("Transpose", [value], { perm: [...perm.slice(0, -2), rank - 1, rank - 2] });
}
