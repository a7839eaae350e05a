/**
 * @file MaxPoolGrad(x, y, dy): each window's gradient goes to the cell that was its first maximum.
 *
 * ONNX's MaxPool can give the place of each maximum, flat over the whole tensor, beside the maxima. Where a lowering
 * wants the places and y comes from a MaxPool of x, that node is asked for them, so that nothing is searched twice.
 * ONNX Runtime has no `Indices` on WebGPU.
 */

import {
  disjoint,
  leftover,
  poolAttributes,
  poolGeometry,
  taps,
  tiling,
  transposeAttributes,
} from "../../autodiff/windows.js";
import { elementCount, float32, int64 } from "../../core/tensor.js";
import { intAttribute, type Node } from "../../onnx/graph.js";
import { cellsAt, paddedForWindows } from "./cells.js";
import { nchwcMaxPoolGrad } from "./max-pool-grad-nchwc.js";
import { always, type Emission, onCpu, plainKernel, type Rewrite } from "./rewrite.js";

/** `MaxUnpool`, which overwrites: for windows that share no cell. */
const unpool = plainKernel(
  "unpool",
  ({ node, device }) => device === "cpu" && disjoint(poolGeometry(node).axes),
  (emission, { node }) => {
    const { b, input } = emission;
    const { xDims, axes } = poolGeometry(node);
    return b.op("MaxUnpool", [input(2), indicesOf(emission, node), b.ints(xDims)], {
      kernel_shape: axes.map((axis) => axis.kernel),
      strides: axes.map((axis) => axis.stride),
    });
  },
);

/** `ScatterElements` that adds, over the flat tensor: any windows. */
const scatter = plainKernel("scatter", onCpu, (emission, { node }) => {
  const { b, input } = emission;
  const { xDims } = poolGeometry(node);
  const zeros = b.op("ConstantOfShape", [b.ints([elementCount(xDims)])], {
    value: { kind: "tensor", value: float32([1], [0]) },
  });
  const places = b.op("Reshape", [indicesOf(emission, node), b.ints([-1])]);
  const gradient = b.op("Reshape", [input(2), b.ints([-1])]);
  const flat = b.op("ScatterElements", [zeros, places, gradient], { axis: 0, reduction: "add" });
  return b.op("Reshape", [flat, b.ints(xDims)]);
});

/** For square windows that tile the image: `SpaceToDepth` lays the cells of each position side by side. */
const tiles = plainKernel(
  "tiles",
  ({ node, device }) => device === "cpu" && tilesSquarely(node),
  (emission, { node }) => {
    const { b, input } = emission;
    const { xDims, axes } = poolGeometry(node);
    const [, c = 1] = xDims;
    const blocksize = axes[0]?.kernel ?? 1;
    const places = blocksize * blocksize;
    const deep = b.op("SpaceToDepth", [input(0)], { blocksize });
    return shared(emission, node, b.ops("Split", [deep, b.ints(Array<number>(places).fill(c))], places, { axis: 1 }));
  },
);

/** The same for devices without `SpaceToDepth`. */
const slices = plainKernel(
  "slices",
  ({ node, device }) => device !== "cpu" && tilesSquarely(node),
  (emission, { node }) => {
    const { axes } = poolGeometry(node);
    const cells = taps(axes).map((place) => cellsAt(emission.b, emission.input(0), axes, place));
    return shared(emission, node, cells);
  },
);

/**
 * Each position that holds the maximum takes what earlier ones have left of the gradient; `DepthToSpace` puts all back.
 *
 * @param cells x at each position of its window, row by row.
 */
function shared({ b, input }: Emission, node: Node, cells: readonly string[]): string {
  const blocksize = poolGeometry(node).axes[0]?.kernel ?? 1;
  let left = input(2);
  const shares = cells.slice(0, -1).map((cell) => {
    const share = b.op("Where", [b.op("Equal", [cell, input(1)]), left, b.scalar(0)]);
    left = b.op("Sub", [left, share]);
    return share;
  });
  return b.op("DepthToSpace", [b.op("Concat", [...shares, left], { axis: 1 })], { blocksize });
}

/**
 * Without the places: the windows' cells side by side, the first maximum among them by `ArgMax`, and each cell back to
 * its place by a `ConvTranspose` whose kernels are the unit vectors. Any windows, any device.
 */
const argMax = plainKernel("arg-max", always, ({ b, input }, { node }) => {
  const { xDims, yDims, axes } = poolGeometry(node);
  const [n = 1, c = 1, ...spatial] = xDims;
  const [, , ...windows] = yDims;
  const kernel = axes.map((axis) => axis.kernel);
  const places = taps(axes);
  const image = b.op("Reshape", [input(0), b.ints([n * c, 1, ...spatial])]);
  const padded = paddedForWindows(b, image, axes, Number.NEGATIVE_INFINITY);
  const cells = places.map((place) => cellsAt(b, padded, axes, place));
  const stacked = b.op("Concat", cells, { axis: 1 });
  const winner = b.op("ArgMax", [stacked], { axis: 1, keepdims: 1 });
  const numbers = b.initializer("taps", int64([1, places.length, ...windows.map(() => 1)], places.keys()));
  const gradient = b.op("Reshape", [input(2), b.ints([n * c, 1, ...windows])]);
  const routed = b.op("Where", [b.op("Equal", [winner, numbers]), gradient, b.scalar(0)]);
  const units = new Float32Array(places.length * places.length);
  for (const i of places.keys()) units[i * places.length + i] = 1;
  const kernels = b.initializer("units", float32([places.length, 1, ...kernel], units));
  const dx = b.op("ConvTranspose", [routed, kernels], transposeAttributes(axes));
  return b.op("Reshape", [dx, b.ints(xDims)]);
});

function tilesSquarely(node: Node): boolean {
  const { axes } = poolGeometry(node);
  const [first] = axes;
  return axes.length === 2 && tiling(axes) && axes.every((axis) => axis.kernel === first?.kernel);
}

/** The flat place of each window's first maximum: a second output of the node that computed y, or of a MaxPool anew. */
function indicesOf({ b, input, producer, replace }: Emission, node: Node): string {
  const { axes } = poolGeometry(node);
  const pool = producer(input(1));
  if (pool?.opType === "MaxPool" && pool.inputs[0] === input(0) && intAttribute(pool, "storage_order", 0) === 0) {
    const [y = "", existing = ""] = pool.outputs;
    if (existing !== "") return existing;
    const indices = b.unique(`${y}_indices`);
    replace(pool, { ...pool, outputs: [y, indices] });
    return indices;
  }
  const { kernel_shape = [], strides = [], pads = [], dilations = [] } = poolAttributes(poolGeometry(node));
  const [, indices = ""] = b.ops("MaxPool", [input(0)], 2, {
    kernel_shape,
    strides,
    pads,
    dilations,
    ceil_mode: axes.some((axis) => leftover(axis) < 0) ? 1 : 0,
  });
  return indices;
}

export const maxPoolGrad: Rewrite = {
  operator: "wildmark.MaxPoolGrad",
  inBlocks: [nchwcMaxPoolGrad],
  /** The quickest first, as measured on two cores; `tiles` comes close to `unpool` on one core. */
  kernels: [unpool, tiles, slices, scatter, argMax],
};
