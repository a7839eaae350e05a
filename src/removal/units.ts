/**
 * @file The units of a network's hidden layers: what methods look at, perturb and take out. A convolution's unit is an
 * output channel, a dense layer's an output.
 */

import { type FloatTensor, float32 } from "../core/tensor.js";
import type { Classifier } from "../onnx/classifier.js";
import { type Graph, intAttribute, type Node } from "../onnx/graph.js";
import { type Layer, layersOf } from "../onnx/layers.js";
import { isOperator } from "../onnx/traverse.js";

/** A stored tensor with one entry, or one slice, for each unit. */
export interface UnitTensor {
  readonly name: string;
  readonly axis: number;
}

export interface UnitLayer {
  /**
   * `inputs`: the units that enter the layer that makes the scores, for networks of which nothing before it may change.
   */
  readonly kind: "convolution" | "dense" | "inputs";
  readonly units: number;
  /** What a unit's value is proportional to: the scale of its normalisation, else its kernel. */
  readonly weight: UnitTensor;
  /** What is added to it last; undefined where nothing is. */
  readonly bias: UnitTensor | undefined;
  /** All of a unit's weights: with zeros in its place in each of these, `value` might as well be zero there. */
  readonly tensors: readonly UnitTensor[];
  /** Name of the value before the activation function. */
  readonly value: string;
  /** Name of the value behind it, behind the sum of a residual block too; `value` itself where no function follows. */
  readonly activation: string;
  /** Axes of one image in both: [C, …] of a convolution with its units first, or with the units last. */
  readonly unitsLast: boolean;
  /** Number of axes behind that of the units. */
  readonly inner: number;
}

/**
 * Hidden layers whose weights are free to change, in graph order: all with a kernel of their own but the one that makes
 * the scores. Where there is none, the inputs of that one; none at all where it hides them (a convolution with groups,
 * a reshaped kernel, no layer).
 *
 * @param graph in canonical form (`canonicalGraph`, `imageGraph`).
 * @param frozen names of stored tensors that must stay.
 */
export function unitLayers(
  graph: Graph,
  { trainable, lastLayer }: Classifier,
  frozen: ReadonlySet<string>,
): readonly UnitLayer[] {
  const readers = readersOf(graph);
  const free = (name: string): boolean =>
    trainable.includes(name) && !frozen.has(name) && (readers.get(name)?.length ?? 0) === 1;
  const layers = layersOf(graph);
  const hidden = layers.flatMap((layer) =>
    lastLayer.includes(layer.kernel) ? [] : (hiddenUnits(graph, layer, readers, free) ?? []),
  );
  if (hidden.length > 0) return hidden;
  const last = layers.find((layer) => lastLayer.includes(layer.kernel) && free(layer.kernel));
  return last === undefined ? [] : inputUnits(graph, last);
}

/** The shape that lets one number a unit multiply `value` and `activation`. */
export function unitShape({ units, inner }: UnitLayer): readonly number[] {
  return [units, ...new Array<number>(inner).fill(1)];
}

type Readers = ReadonlyMap<string, readonly Node[]>;

function hiddenUnits(
  graph: Graph,
  { node, kind, kernel, unitAxis, bias }: Layer,
  readers: Readers,
  free: (name: string) => boolean,
): UnitLayer | undefined {
  const dims = graph.initializers.get(kernel)?.dims ?? [];
  const units = unitAxis === undefined ? undefined : dims[unitAxis];
  if (unitAxis === undefined || units === undefined || !free(kernel)) return undefined;
  if (bias !== undefined && !free(bias)) return undefined;
  const unitsLast = kind === "dense";
  const inner = unitsLast ? 0 : dims.length - 2;
  const axisOf = (name: string): number | undefined => {
    const stored = graph.initializers.get(name)?.dims ?? [];
    const axis = stored.length - 1 - inner;
    return free(name) && stored[axis] === units ? axis : undefined;
  };

  let value = node.outputs[0] ?? "";
  let scale: UnitTensor = { name: kernel, axis: unitAxis };
  let shift: UnitTensor | undefined = bias === undefined ? undefined : { name: bias, axis: 0 };
  const tensors = [scale, ...(shift === undefined ? [] : [shift])];
  for (;;) {
    const [next, ...others] = readers.get(value) ?? [];
    const [output] = next?.outputs ?? [];
    if (next === undefined || output === undefined || others.length > 0) break;
    if (isOperator(next, "BatchNormalization") && free(next.inputs[1] ?? "") && free(next.inputs[2] ?? "")) {
      scale = { name: next.inputs[1] ?? "", axis: 0 };
      shift = { name: next.inputs[2] ?? "", axis: 0 };
      tensors.push(scale, shift);
    } else if (isOperator(next, "Add")) {
      const added = next.inputs.find((input) => input !== value) ?? "";
      const axis = axisOf(added);
      if (axis === undefined) break;
      shift = { name: added, axis };
      tensors.push(shift);
    } else if (!isOperator(next, "Identity", "Dropout")) break;
    value = output;
  }
  const activation = activationAfter(value, readers, graph);
  return { kind, units, weight: scale, bias: shift, tensors, value, activation, unitsLast, inner };
}

function inputUnits(graph: Graph, { node, kind, kernel, unitAxis }: Layer): readonly UnitLayer[] {
  const dims = graph.initializers.get(kernel)?.dims ?? [];
  const axis = unitAxis === undefined ? undefined : 1 - unitAxis;
  const units = axis === undefined ? undefined : dims[axis];
  if (axis === undefined || units === undefined || intAttribute(node, "group", 1) !== 1) return [];
  const weight = { name: kernel, axis };
  const [value = ""] = node.inputs;
  const unitsLast = kind === "dense";
  const inner = unitsLast ? 0 : dims.length - 2;
  return [
    { kind: "inputs", units, weight, bias: undefined, tensors: [weight], value, activation: value, unitsLast, inner },
  ];
}

const ACTIVATIONS: readonly string[] = [
  ...["Relu", "LeakyRelu", "PRelu", "ThresholdedRelu", "Clip", "Elu", "Selu", "Celu", "Gelu", "Mish"],
  ...["Sigmoid", "HardSigmoid", "HardSwish", "Tanh", "Softplus", "Softsign"],
];

function activationAfter(value: string, readers: Readers, graph: Graph): string {
  const [next, ...others] = readers.get(value) ?? [];
  const [output] = next?.outputs ?? [];
  if (next === undefined || output === undefined || others.length > 0) return value;
  if (isOperator(next, ...ACTIVATIONS)) return output;
  if (!isOperator(next, "Add") || next.inputs.some((input) => graph.initializers.has(input))) return value;
  const behind = activationAfter(output, readers, graph);
  return behind === output ? value : behind;
}

function readersOf(graph: Graph): Readers {
  const readers = new Map<string, Node[]>();
  for (const node of graph.nodes) {
    for (const input of node.inputs) readers.set(input, [...(readers.get(input) ?? []), node]);
  }
  return readers;
}

/** A copy of a tensor with zeros in the place of some units. */
export function withoutUnits({ dims, data }: FloatTensor, axis: number, gone: ReadonlySet<number>): FloatTensor {
  const units = dims[axis] ?? 1;
  const inner = dims.slice(axis + 1).reduce((product, dim) => product * dim, 1);
  return float32(
    dims,
    data.map((value, i) => (gone.has(Math.floor(i / inner) % units) ? 0 : value)),
  );
}

/** Ones and, for the units that are gone, zeros: in a shape that multiplies a tensor of `dims` along `axis`. */
export function unitMask(dims: readonly number[], axis: number, gone: ReadonlySet<number>): FloatTensor {
  const shape = dims.map((dim, i) => (i === axis ? dim : 1));
  return withoutUnits(float32(shape, new Float32Array(dims[axis] ?? 1).fill(1)), axis, gone);
}
