/**
 * @file Convolutions, poolings and their derivatives in float64 by their definitions, as plain loops.
 *
 * Slow and obviously right: what lowerings and gradient rules are compared with. Any number of spatial axes.
 */

import { elementCount } from "../../../core/tensor.js";
import { intAttribute, intsAttribute, type Node, stringAttribute } from "../../../onnx/graph.js";
import { type ConvGeometry, taps, type WindowAxis, type WindowGeometry } from "../../windows.js";

/**
 * How many windows of a Conv or pooling node fit on each axis, by the definitions in the ONNX operator documentation.
 */
export function windowCounts(node: Node, sizes: readonly number[], kernel: readonly number[]): number[] {
  const strides = intsAttribute(node, "strides") ?? [];
  const dilations = intsAttribute(node, "dilations") ?? [];
  const pads = intsAttribute(node, "pads") ?? [];
  const autoPad = stringAttribute(node, "auto_pad", "NOTSET");
  const ceil = intAttribute(node, "ceil_mode", 0) === 1;
  return sizes.map((size, i) => {
    const stride = strides[i] ?? 1;
    if (autoPad.startsWith("SAME")) return Math.ceil(size / stride);
    const begin = pads[i] ?? 0;
    const extent = ((kernel[i] ?? 1) - 1) * (dilations[i] ?? 1) + 1;
    const steps = (begin + size + (pads[i + kernel.length] ?? 0) - extent) / stride;
    const count = (ceil ? Math.ceil(steps) : Math.floor(steps)) + 1;
    // A window that would start behind the input is none.
    return ceil && (count - 1) * stride >= begin + size ? count - 1 : count;
  });
}

/** Calls `visit(window, tap, cell)`, all row-major flat, for each cell inside the input that each window reads. */
export function forEachCell(
  axes: readonly WindowAxis[],
  visit: (window: number, tap: number, cell: number) => void,
): void {
  const windows = taps(axes.map((axis) => ({ ...axis, kernel: axis.output })));
  const positions = taps(axes);
  windows.forEach((window, w) => {
    positions.forEach((tap, t) => {
      let cell = 0;
      for (const [i, axis] of axes.entries()) {
        const at = (window[i] ?? 0) * axis.stride + (tap[i] ?? 0) * axis.dilation - axis.begin;
        if (at < 0 || at >= axis.input) return;
        cell = cell * axis.input + at;
      }
      visit(w, t, cell);
    });
  });
}

/** Calls `visit(x, w, y)` with flat indices for each product x·w that a convolution adds to y. */
function forEachProduct(geometry: ConvGeometry, visit: (x: number, w: number, y: number) => void): void {
  const { xDims, wDims, yDims, axes, group } = geometry;
  const [batch = 1, channels = 1, ...spatial] = xDims;
  const [outChannels = 1, channelsPerGroup = 1, ...kernel] = wDims;
  const cells = elementCount(spatial);
  const windows = elementCount(yDims.slice(2));
  const places = elementCount(kernel);
  for (let n = 0; n < batch; n++) {
    for (let m = 0; m < outChannels; m++) {
      const firstChannel = Math.floor(m / (outChannels / group)) * channelsPerGroup;
      for (let c = 0; c < channelsPerGroup; c++) {
        const x = (n * channels + firstChannel + c) * cells;
        const w = (m * channelsPerGroup + c) * places;
        const y = (n * outChannels + m) * windows;
        forEachCell(axes, (window, tap, cell) => visit(x + cell, w + tap, y + window));
      }
    }
  }
}

const at = (values: Float64Array, i: number): number => values[i] ?? Number.NaN;

const add = (values: Float64Array, i: number, amount: number): void => {
  values[i] = at(values, i) + amount;
};

/** y of shape yDims, without bias. */
export function convForward(x: Float64Array, w: Float64Array, geometry: ConvGeometry): Float64Array {
  const y = new Float64Array(elementCount(geometry.yDims));
  forEachProduct(geometry, (i, k, o) => add(y, o, at(x, i) * at(w, k)));
  return y;
}

export function convGradInput(dy: Float64Array, w: Float64Array, geometry: ConvGeometry): Float64Array {
  const dx = new Float64Array(elementCount(geometry.xDims));
  forEachProduct(geometry, (i, k, o) => add(dx, i, at(dy, o) * at(w, k)));
  return dx;
}

export function convGradWeight(x: Float64Array, dy: Float64Array, geometry: ConvGeometry): Float64Array {
  const dw = new Float64Array(elementCount(geometry.wDims));
  forEachProduct(geometry, (i, k, o) => add(dw, k, at(x, i) * at(dy, o)));
  return dw;
}

/** For each element of y, the flat index in x of the window's first maximum. */
export function maxPoolPlaces(x: Float64Array, { xDims, yDims, axes }: WindowGeometry): Int32Array {
  const places = new Int32Array(elementCount(yDims)).fill(-1);
  forEachImage(xDims, yDims, (image, firstWindow) => {
    forEachCell(axes, (window, _, cell) => {
      const best = places[firstWindow + window] ?? -1;
      if (best < 0 || at(x, image + cell) > at(x, best)) places[firstWindow + window] = image + cell;
    });
  });
  return places;
}

export function maxPoolForward(x: Float64Array, geometry: WindowGeometry): Float64Array {
  return Float64Array.from(maxPoolPlaces(x, geometry), (place) => at(x, place));
}

export function maxPoolGrad(x: Float64Array, dy: Float64Array, geometry: WindowGeometry): Float64Array {
  const dx = new Float64Array(elementCount(geometry.xDims));
  maxPoolPlaces(x, geometry).forEach((place, o) => {
    add(dx, place, at(dy, o));
  });
  return dx;
}

export function averagePoolForward(x: Float64Array, geometry: WindowGeometry, includePad: boolean): Float64Array {
  const y = new Float64Array(elementCount(geometry.yDims));
  forEachShare(geometry, includePad, (i, o, share) => add(y, o, at(x, i) * share));
  return y;
}

export function averagePoolGrad(dy: Float64Array, geometry: WindowGeometry, includePad: boolean): Float64Array {
  const dx = new Float64Array(elementCount(geometry.xDims));
  forEachShare(geometry, includePad, (i, o, share) => add(dx, i, at(dy, o) * share));
  return dx;
}

/** Calls `visit(x, y, share)` for each cell that a window averages; padding counts as cells of 0 with `includePad`. */
function forEachShare(
  { xDims, yDims, axes }: WindowGeometry,
  includePad: boolean,
  visit: (x: number, y: number, share: number) => void,
): void {
  const counts = new Float64Array(elementCount(yDims.slice(2)));
  const counted = includePad
    ? axes.map((axis) => ({ ...axis, input: axis.input + axis.begin + axis.end, begin: 0 }))
    : axes;
  forEachCell(counted, (window) => add(counts, window, 1));
  forEachImage(xDims, yDims, (image, firstWindow) => {
    forEachCell(axes, (window, _, cell) => visit(image + cell, firstWindow + window, 1 / at(counts, window)));
  });
}

/** Calls `visit` with the offsets in x and y of each channel of each image. */
function forEachImage(xDims: readonly number[], yDims: readonly number[], visit: (x: number, y: number) => void): void {
  const [batch = 1, channels = 1, ...spatial] = xDims;
  const cells = elementCount(spatial);
  const windows = elementCount(yDims.slice(2));
  for (let image = 0; image < batch * channels; image++) visit(image * cells, image * windows);
}
