/**
 * @file Gradient of Resize, in every mode that treats axis by axis: nearest, linear and cubic with any coordinates but
 * those of a crop.
 *
 * Such a resize multiplies each axis by a matrix of interpolation weights. Resizing the identity gives that matrix, so
 * forward and backward agree to the last rounding of a coordinate, whatever the mode; nothing here repeats ONNX's
 * rules.
 */

import { WildmarkError } from "../../core/errors.js";
import { elementCount, float32, toNumbers } from "../../core/tensor.js";
import { describeNode, intsAttribute, stringAttribute } from "../../onnx/graph.js";
import type { GradientContext, GradientRules } from "../rule.js";

export const resizeRules: GradientRules = {
  Resize: (context) => {
    refuseUnknownModes(context);
    const resized = resizedAxes(context);
    const blocks = resized.filter((axis) => repeatsEach(context, axis));
    const others = resized.filter((axis) => !blocks.includes(axis));
    const { dims, node, dy } = context;
    let gradient = { name: dy, dims: dims(node.outputs[0] ?? "") };
    if (blocks.length > 0) gradient = sumOfBlocks(context, gradient, blocks);
    for (const axis of others) gradient = timesWeights(context, gradient, axis);
    return [gradient.name];
  },
};

interface Gradient {
  readonly name: string;
  readonly dims: readonly number[];
}

/** One axis of the input, and what becomes of it. */
interface ResizedAxis {
  readonly axis: number;
  readonly from: number;
  readonly to: number;
  /** As given; undefined where the node is given the new size instead. */
  readonly scale: number | undefined;
}

function resizedAxes({ node, input, has, dims, constant }: GradientContext): ResizedAxis[] {
  const from = dims(input(0));
  const to = dims(node.outputs[0] ?? "");
  const axes = (intsAttribute(node, "axes") ?? [...from.keys()]).map((axis) => (axis < 0 ? axis + from.length : axis));
  // Opset 11 asks for scales even beside sizes, and then they are empty.
  const scales = has(2) ? toNumbers(constant(2)) : [];
  return axes.flatMap((axis, i) => {
    const resized = { axis, from: from[axis] ?? 1, to: to[axis] ?? 1, scale: scales[i] };
    return resized.from === resized.to && (resized.scale ?? 1) === 1 ? [] : [resized];
  });
}

/** Whether each element of the axis becomes a run of equal ones, as upsampling by a whole number does. */
function repeatsEach({ node }: GradientContext, { from, to, scale }: ResizedAxis): boolean {
  if (stringAttribute(node, "mode", "nearest") !== "nearest" || to % from !== 0) return false;
  if (scale !== undefined && scale !== to / from) return false;
  const coordinates = stringAttribute(node, "coordinate_transformation_mode", "half_pixel");
  const rounding = stringAttribute(node, "nearest_mode", "round_prefer_floor");
  return coordinates === "asymmetric"
    ? rounding === "floor"
    : (coordinates === "half_pixel" || coordinates === "pytorch_half_pixel") && rounding.startsWith("round_") && to > 1;
}

function sumOfBlocks({ b }: GradientContext, gradient: Gradient, blocks: readonly ResizedAxis[]): Gradient {
  const of = (axis: number): ResizedAxis | undefined => blocks.find((block) => block.axis === axis);
  const split = gradient.dims.flatMap((dim, axis) => {
    const block = of(axis);
    return block === undefined ? [dim] : [block.from, block.to / block.from];
  });
  // Each block axis has moved by those put in before it, and its copies lie on the axis after it.
  const copies = blocks.map(({ axis }) => axis + 1 + blocks.filter((other) => other.axis < axis).length);
  const name = b.op("ReduceSum", [b.op("Reshape", [gradient.name, b.ints(split)]), b.ints(copies)], { keepdims: 0 });
  return { name, dims: gradient.dims.map((dim, axis) => of(axis)?.from ?? dim) };
}

/** The gradient times the transposed weights of one axis. */
function timesWeights(context: GradientContext, gradient: Gradient, resized: ResizedAxis): Gradient {
  const { b } = context;
  const { axis, from, to } = resized;
  const before = elementCount(gradient.dims.slice(0, axis));
  const after = elementCount(gradient.dims.slice(axis + 1));
  const weights = interpolationWeights(context, resized);
  const product =
    after === 1
      ? b.op("Gemm", [b.op("Reshape", [gradient.name, b.ints([before, to])]), weights], { transB: 1 })
      : b.op("MatMul", [weights, b.op("Reshape", [gradient.name, b.ints([before, to, after])])]);
  const dims = gradient.dims.with(axis, from);
  return { name: b.op("Reshape", [product, b.ints(dims)]), dims };
}

/** [from, to]: row i is what the i-th unit vector is resized to. */
function interpolationWeights({ b, node }: GradientContext, { from, to, scale }: ResizedAxis): string {
  const identity = new Float32Array(from * from);
  for (let i = 0; i < from; i++) identity[i * (from + 1)] = 1;
  const eye = b.initializer("identity", float32([1, 1, from, from], identity));
  const { axes: _, ...attributes } = node.attributes;
  const how =
    scale === undefined ? ["", b.ints([1, 1, from, to])] : [b.initializer("scales", float32([4], [1, 1, 1, scale]))];
  return b.op("Reshape", [b.op("Resize", [eye, "", ...how], attributes), b.ints([from, to])]);
}

function refuseUnknownModes({ node }: GradientContext): void {
  const coordinates = stringAttribute(node, "coordinate_transformation_mode", "half_pixel");
  const policy = stringAttribute(node, "keep_aspect_ratio_policy", "stretch");
  const what =
    coordinates === "tf_crop_and_resize"
      ? "crops a region"
      : policy !== "stretch"
        ? `keeps proportions ("${policy}")`
        : "";
  if (what === "") return;
  throw new WildmarkError(
    "unsupported-operator",
    `${describeNode(node)} ${what}; there is a gradient rule for resizing whole axes to given sizes or scales only.`,
    { hint: "Freeze what lies before it: train only the weights that come after this node." },
  );
}
