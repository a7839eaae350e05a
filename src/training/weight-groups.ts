/**
 * @file Weights that one update moves together, as one vector.
 *
 * Ten small weights have as many updates of some microseconds each, and ONNX Runtime's binding takes as long again to
 * take and to give their tensors; a GPU takes longer to start an update than to do it. In a vector, elements move as
 * those of its weights would; what looks at a weight as a whole looks at its piece of the vector.
 */

import { elementCount, type FloatTensor, float32 } from "../core/tensor.js";
import type { GraphBuilder } from "../onnx/builder.js";
import { looksAtWhole } from "./optimizer.js";
import type { StepPlan } from "./step-plan.js";
import { treatmentOf, treatmentsOf } from "./treatments.js";

export interface WeightGroup {
  /** Of the vector: the weight's own where it is alone. */
  readonly name: string;
  /** The vector's, [elements], or the weight's own where it is alone. */
  readonly dims: readonly number[];
  /** In the order in which they lie in the vector. */
  readonly pieces: readonly Piece[];
  /** Whether all are kernels and matrices: of two dimensions or more, and not biases or scales. */
  readonly kernels: boolean;
}

/** A weight in the vector of its group. */
interface Piece {
  readonly weight: string;
  readonly dims: readonly number[];
  /** Of its first element. */
  readonly start: number;
}

/** A weight by itself, in its own dimensions. */
export const alone = (weight: string, { dims }: FloatTensor): WeightGroup => ({
  name: weight,
  dims,
  pieces: [{ weight, dims, start: 0 }],
  kernels: isKernel(dims),
});

/** Elements of the longest vector: 128 MiB, which any WebGPU device can bind. */
const LONGEST = 2 ** 25;

/**
 * All weights together that move alike, but those that decay apart from those that do not; each by itself where its
 * name or its dimensions say what becomes of it.
 *
 * @param longest most elements of a vector; a weight with more is alone.
 */
export function weightGroups(
  plan: StepPlan,
  weights: ReadonlyMap<string, FloatTensor>,
  longest = LONGEST,
): readonly WeightGroup[] {
  if (plan.project !== undefined || plan.joinsGradients === true) {
    return [...weights].map(([weight, tensor]) => alone(weight, tensor));
  }
  const vectors = treatmentsOf(plan).flatMap(({ optimizer }, i) => {
    const treated = [...weights].filter(([weight]) => treatmentOf(plan, weight) === i);
    if (looksAtWhole(optimizer)) return treated.map((weight) => [weight]);
    const apart = optimizer.kind === "sgd" && optimizer.decayOn === "kernels";
    const kinds = apart ? [true, false] : [undefined];
    return kinds.flatMap((kind) => {
      const ofKind = treated.filter(([, { dims }]) => kind === undefined || isKernel(dims) === kind);
      return cut(ofKind, longest);
    });
  });
  return vectors.map((vector, i) => groupOf(`wildmark/weights/${i}`, new Map(vector)));
}

/** Together in the vector `name`, in their order; a single weight by itself. */
export function groupOf(name: string, weights: ReadonlyMap<string, FloatTensor>): WeightGroup {
  const [[weight, tensor] = [], ...others] = weights;
  if (weight !== undefined && tensor !== undefined && others.length === 0) return alone(weight, tensor);
  const pieces: Piece[] = [];
  let length = 0;
  for (const [weight, { dims }] of weights) {
    pieces.push({ weight, dims, start: length });
    length += elementCount(dims);
  }
  return { name, dims: [length], pieces, kernels: pieces.every(({ dims }) => isKernel(dims)) };
}

/** Whether a weight of these dimensions is a kernel or a matrix, and not a bias or a scale. */
export const isKernel = (dims: readonly number[]): boolean => dims.length >= 2;

/** The weights in their order, in runs of at most `longest` elements or of one weight. */
function cut(
  weights: readonly (readonly [string, FloatTensor])[],
  longest: number,
): (readonly [string, FloatTensor])[][] {
  const runs: (readonly [string, FloatTensor])[][] = [];
  let length = Number.POSITIVE_INFINITY;
  for (const weight of weights) {
    const elements = weight[1].data.length;
    if (length + elements > longest) {
      runs.push([]);
      length = 0;
    }
    runs.at(-1)?.push(weight);
    length += elements;
  }
  return runs;
}

/** The weights in their group's vector: views of its data. */
export const weightsIn = ({ pieces }: WeightGroup, { data }: FloatTensor): ReadonlyMap<string, FloatTensor> =>
  new Map(
    pieces.map(({ weight, dims, start }) => [weight, float32(dims, data.subarray(start, start + elementCount(dims)))]),
  );

/** The group's vector, zero where `weights` has nothing. */
export function vectorOf(group: WeightGroup, weights: ReadonlyMap<string, FloatTensor>): FloatTensor {
  const vector = float32(group.dims, new Float32Array(elementCount(group.dims)));
  for (const [weight, { data }] of weightsIn(group, vector)) {
    const given = weights.get(weight);
    if (given !== undefined) data.set(given.data);
  }
  return vector;
}

/**
 * A value of a group's elements, as one vector and as one flat piece for each weight: one of them is there, the other
 * is appended when it is asked for. If a weight stands alone, both are the value itself.
 */
export interface GroupValue {
  vector(): string;
  pieces(): readonly string[];
}

/** The value whose elements are those of the value `vector`. */
export const inVector = (b: GraphBuilder, { pieces }: WeightGroup, vector: string): GroupValue => ({
  vector: () => vector,
  pieces() {
    const lengths = pieces.map(({ dims }) => elementCount(dims));
    return pieces.length === 1 ? [vector] : b.ops("Split", [vector, b.ints(lengths)], lengths.length, { axis: 0 });
  },
});

/** The value whose elements are those of one value for each weight, in the weight's own dimensions. */
export function inWeights(b: GraphBuilder, values: readonly string[]): GroupValue {
  const pieces = (): readonly string[] =>
    values.length === 1 ? values : values.map((value) => b.op("Reshape", [value, b.ints([-1])]));
  return { pieces, vector: () => appendVector(b, pieces()) };
}

/** The vector of flat pieces; a single one as it is. */
export const appendVector = (b: GraphBuilder, pieces: readonly string[]): string =>
  pieces.length === 1 ? (pieces[0] ?? "") : b.op("Concat", pieces, { axis: 0 });
