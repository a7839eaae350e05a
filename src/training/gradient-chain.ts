/**
 * @file Gradient transformations: what becomes of gradients before the optimiser takes them.
 *
 * Each is a pair, what it appends to the graph once and what that is fed in each step, and a chain of them is one
 * again, as in optax: gradients from elsewhere join, then each is shortened by itself, then all together. They see the
 * gradients of groups of weights (`weight-groups.ts`), so that they need not know how weights lie.
 */

import { elementCount, type FloatTensor, float32 } from "../core/tensor.js";
import type { GraphBuilder } from "../onnx/builder.js";
import { floatInitializer } from "./objective-gradients.js";
import type { StepPlan } from "./step-plan.js";
import { appendVector, type GroupValue, inVector, type WeightGroup } from "./weight-groups.js";

/** A group of weights in the graph of an update. */
export interface GroupGradient {
  readonly group: WeightGroup;
  readonly weights: GroupValue;
  /** Undefined where nothing depends on the group: it stays as it is. */
  readonly gradient: GroupValue | undefined;
}

export interface GradientTransformation {
  /** Appends what becomes of the gradients; groups and their order stay. */
  append(b: GraphBuilder, groups: readonly GroupGradient[]): readonly GroupGradient[];
  /** @param added gradients from elsewhere, by weight. @returns what the appended nodes are fed, by name. */
  feeds(added: ReadonlyMap<string, FloatTensor>): ReadonlyMap<string, FloatTensor>;
}

/** The transformations that a plan asks for. */
export function gradientChain(plan: StepPlan): GradientTransformation {
  return chain([
    ...(plan.joinsGradients === true ? [joined(plan)] : []),
    ...(plan.clipRatio === undefined ? [] : [clippedEach(plan.clipRatio)]),
    ...(plan.clipNorm === undefined ? [] : [clippedTogether(plan.clipNorm)]),
  ]);
}

/** One after another. */
export function chain(transformations: readonly GradientTransformation[]): GradientTransformation {
  return {
    append: (b, groups) => transformations.reduce((now, transformation) => transformation.append(b, now), groups),
    feeds: (added) => new Map(transformations.flatMap((transformation) => [...transformation.feeds(added)])),
  };
}

/**
 * Adds the gradients from elsewhere to those of the objective: each weight is alone in its group. Missing ones are
 * zero.
 */
function joined({ graph, trainable }: StepPlan): GradientTransformation {
  const name = (weight: string): string => `wildmark/added/${weight}`;
  const zeros = trainable.map((weight) => {
    const { dims, data } = floatInitializer(graph, weight);
    return [weight, float32(dims, new Float32Array(data.length))] as const;
  });
  return {
    append: (b, groups) =>
      groups.map((each) => {
        const added = b.input(name(each.group.name), "float32", each.group.dims);
        const sum = each.gradient === undefined ? added : b.op("Add", [each.gradient.vector(), added]);
        return { ...each, gradient: inVector(b, each.group, sum) };
      }),
    feeds: (added) => new Map(zeros.map(([weight, zero]) => [name(weight), added.get(weight) ?? zero])),
  };
}

/**
 * Scales each weight's gradient that is longer than `ratio` times the weight to just that length; others keep every
 * bit.
 *
 * Adaptive gradient clipping (Brock, De, Smith, Simonyan, ICML 2021, section 4), by tensor instead of by unit.
 */
function clippedEach(ratio: number): GradientTransformation {
  const clipped = (b: GraphBuilder, { group, weights, gradient }: GroupGradient): GroupValue | undefined => {
    if (gradient === undefined) return undefined;
    // One number a weight, as a vector, so that a group has these few operators once.
    const vector = group.pieces.length > 1;
    const lengths = (values: readonly string[]): string => {
      const squares = values.map((value, i) =>
        sumOfSquares(b, value, elementCount(group.pieces[i]?.dims ?? []), vector),
      );
      return b.op("Sqrt", [appendVector(b, squares)]);
    };
    const [ofWeights, ofGradient] = [weights.pieces(), gradient.pieces()];
    const least = group.pieces.map(({ dims }) => LEAST_ELEMENT * Math.sqrt(elementCount(dims)));
    const floor = vector ? b.initializer("least", float32([least.length], least)) : b.scalar(least[0] ?? 0);
    const given = b.op("Max", [lengths(ofWeights), floor]);
    const longest = b.op("Mul", [given, b.scalar(ratio)]);
    const found = b.op("Max", [lengths(ofGradient), longest]);
    const factors = b.op("Div", [longest, found]);
    const shortened = ofGradient.map((piece, i) =>
      b.op("Mul", [piece, vector ? b.op("Gather", [factors, b.ints([i])]) : factors]),
    );
    return inVector(b, group, appendVector(b, shortened));
  };
  return {
    append: (b, groups) => groups.map((each) => ({ ...each, gradient: clipped(b, each) })),
    feeds: () => new Map(),
  };
}

/** A weight that is nearly nothing may still move: its length counts as at least so much for each of its elements. */
const LEAST_ELEMENT = 1e-3;

/** Scales all gradients by the same factor where their common norm is above `longest` (Pascanu et al., ICML 2013). */
function clippedTogether(longest: number): GradientTransformation {
  return {
    append(b, groups) {
      const values = groups.map(({ gradient }) => gradient?.vector());
      const squares = values.flatMap((value) =>
        value === undefined ? [] : b.op("ReduceSumSquare", [value], { keepdims: 0 }),
      );
      if (squares.length === 0) return groups;
      const norm = b.op("Sqrt", [squares.reduce((sum, square) => b.op("Add", [sum, square]))]);
      const factor = b.op("Div", [b.scalar(longest), b.op("Max", [norm, b.scalar(longest)])]);
      return groups.map((each, i) => {
        const value = values[i];
        return value === undefined
          ? each
          : { ...each, gradient: inVector(b, each.group, b.op("Mul", [value, factor])) };
      });
    },
    feeds: () => new Map(),
  };
}

/** Rows of a long vector whose squares a GPU adds up at the same time. */
const ROWS = 256;

/** A number, or a vector of one. */
function sumOfSquares(b: GraphBuilder, value: string, elements: number, vector: boolean): string {
  if (!vector) return b.op("ReduceSumSquare", [value], { keepdims: 0 });
  if (elements < ROWS * ROWS || elements % ROWS !== 0) return b.op("ReduceSumSquare", [value]);
  // All at once is one long sum for a GPU: a millisecond for 2.4 million elements of an H100's.
  const rows = b.op("Reshape", [value, b.ints([ROWS, -1])]);
  return b.op("ReduceSum", [b.op("ReduceSumSquare", [rows, b.ints([1])], { keepdims: 0 })]);
}
