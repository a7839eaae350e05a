/**
 * @file Convolutions and their gradients as products of matrices of gathered rows (`rows.ts`), for GPUs.
 */

import { convGeometry, taps } from "../../autodiff/windows.js";
import { elementCount } from "../../core/tensor.js";
import type { Node } from "../../onnx/graph.js";
import { type Emission, plainKernel, type Site } from "./rewrite.js";
import { gatheredRows, imagesOfRows, kernelMatrix, readsOfCells, readsOfWindows } from "./rows.js";

/** Cells or windows of an image up to which a GPU multiplies gathered rows sooner than it convolves. */
const FEW_POSITIONS = 64;

/**
 * Whether rows are the better form for what is computed from images of dimensions `dims`, measured on an NVIDIA H100: a
 * convolution of 512 channels on 4×4 images took 1.7 ms, rows 0.3; of 256 on 8×8 0.7 and 0.5; of 64 on 32×32 0.6 and
 * 0.7. A step of a ResNet-18 of width 64 took 53 ms without rows, 43 with them up to 8×8, 47 up to 16×16.
 */
export const fewPositions = ([, , ...spatial]: readonly number[]): boolean => elementCount(spatial) <= FEW_POSITIONS;

const supports = ({ node, device }: Site): boolean => device !== "cpu" && convGeometry(node).group === 1;

/** y = the rows that windows read of x, times the kernel. */
export const convByRows = plainKernel("rows", supports, (emission, { node }) => {
  const { b, input } = emission;
  const { xDims, wDims, yDims, axes } = convGeometry(node);
  const rows = asMatrix(emission, gatheredRows(emission, input(0), xDims, readsOfWindows(axes)));
  const products = b.op("MatMul", [rows, kernelMatrix(emission, input(1), wDims, "windows")]);
  return imagesOfRows(emission, input(2) === "" ? products : b.op("Add", [products, input(2)]), yDims);
});

/** dx = the rows of windows that read its cells, times the kernel. */
export const convGradInputByRows = plainKernel("rows", supports, (emission, { node }) => {
  const { b, input } = emission;
  const { xDims, wDims, yDims, axes } = convGeometry(node);
  const rows = asMatrix(emission, gatheredRows(emission, input(0), yDims, readsOfCells(axes)));
  return imagesOfRows(emission, b.op("MatMul", [rows, kernelMatrix(emission, input(1), wDims, "cells")]), xDims);
});

/**
 * dw = dy times the rows that windows read of x, image by image, and then the sum: as much at a time as a GPU may do.
 */
export const convGradWeightByImageRows = plainKernel("image-rows", supports, (emission, { node }) => {
  const { b, input } = emission;
  const { xDims, yDims, axes } = convGeometry(node);
  const [n = 1, m = 1, ...windows] = yDims;
  const rows = gatheredRows(emission, input(0), xDims, readsOfWindows(axes));
  const gradient = b.op("Reshape", [input(1), b.ints([n, m, elementCount(windows)])]);
  const sum = b.op("ReduceSum", [b.op("MatMul", [gradient, rows]), b.ints([0])], { keepdims: 0 });
  return kernelOfMatrix(emission, node, sum);
});

/** The same as one product over all windows of all images. */
export const convGradWeightByRows = plainKernel("rows", supports, (emission, { node }) => {
  const { b, input } = emission;
  const { xDims, yDims, axes } = convGeometry(node);
  const [n = 1, m = 1, ...windows] = yDims;
  const rows = asMatrix(emission, gatheredRows(emission, input(0), xDims, readsOfWindows(axes)));
  const flat = b.op("Reshape", [input(1), b.ints([n, m, elementCount(windows)])]);
  const turned = b.op("Transpose", [flat], { perm: [1, 0, 2] });
  const gradient = b.op("Reshape", [turned, b.ints([m, n * elementCount(windows)])]);
  return kernelOfMatrix(emission, node, b.op("MatMul", [gradient, rows]));
});

/** [N, places, width] → [N · places, width] */
function asMatrix({ b }: Emission, rows: string): string {
  return b.op("Flatten", [rows], { axis: 2 });
}

/** [M, taps, C], whatever its dimensions, as the kernel. */
function kernelOfMatrix({ b }: Emission, node: Node, matrix: string): string {
  const { wDims, axes } = convGeometry(node);
  const [m = 1, c = 1] = wDims;
  const split = b.op("Reshape", [matrix, b.ints([m, taps(axes).length, c])]);
  return b.op("Reshape", [b.op("Transpose", [split], { perm: [0, 2, 1] }), b.ints(wDims)]);
}
