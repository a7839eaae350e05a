/**
 * @file Optimisers as graph fragments: one weight's update, given its gradient and its state.
 *
 * The update is part of the training graph, so that a step is one run of ONNX Runtime. The formulas are those of
 * `torch.optim` (weight decay added to the gradient in SGD and Adam, decoupled in AdamW), so that schedules carry over;
 * Muon's are those of its author (Jordan 2024: "Muon: An optimizer for hidden layers in neural networks").
 */

import { z } from "zod";
import { elementCount } from "../core/tensor.js";
import { float, type GraphBuilder } from "../onnx/builder.js";

export const optimizerSchema = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("sgd"),
    momentum: z.number().min(0).max(1).default(0.9),
    nesterov: z.boolean().default(false),
    weightDecay: z.number().min(0).default(0),
    /** `kernels`: biases, and the scales and shifts of normalisation, do not decay. Absent: all weights do. */
    decayOn: z.enum(["all", "kernels"]).optional(),
  }),
  z.strictObject({
    kind: z.enum(["adam", "adamw"]),
    beta1: z.number().min(0).max(1).default(0.9),
    beta2: z.number().min(0).max(1).default(0.999),
    epsilon: z.number().positive().default(1e-8),
    weightDecay: z.number().min(0).default(0),
  }),
  /** For kernels and matrices: what looks at a weight as a whole is of no use for biases. */
  z.strictObject({
    kind: z.literal("muon"),
    momentum: z.number().min(0).lt(1).default(0.95),
    nesterov: z.boolean().default(true),
    /** Of Newton and Schulz's method: with 5 of them singular values come to between 0.7 and 1.2. */
    iterations: z.int().min(1).max(20).default(5),
    /** Whether each weight, [outputs, …], starts its step at length √outputs: only where normalisation follows it. */
    unit: z.boolean().default(false),
  }),
]);

export type Optimizer = z.infer<typeof optimizerSchema>;

/** What one weight's update is made from: names of values in the training graph. */
export interface UpdateInputs {
  readonly weight: string;
  readonly dims: readonly number[];
  /** Whether it is a kernel or a matrix, and not a bias or a scale. */
  readonly kernel: boolean;
  readonly gradient: string;
  /** One tensor of the weight's shape for each of `optimizerSlots`. */
  readonly slots: readonly string[];
  /** One float32 scalar for each of `optimizerScalars`. */
  readonly scalars: readonly string[];
}

export interface UpdateOutputs {
  readonly weight: string;
  readonly slots: readonly string[];
}

/** Names of the state tensors that each weight carries; they start at zero. */
export function optimizerSlots(optimizer: Optimizer): readonly string[] {
  switch (optimizer.kind) {
    case "sgd":
    case "muon":
      return optimizer.momentum === 0 ? [] : ["momentum"];
    case "adam":
    case "adamw":
      return ["first_moment", "second_moment"];
  }
}

/** Whether an element's update depends on the weight's other elements, so that weights cannot move as one vector. */
export const looksAtWhole = ({ kind }: Optimizer): boolean => kind === "muon";

/** The scalars that change from step to step, for step `t` counted from 1, in the order `appendUpdate` takes them. */
export function optimizerScalars(optimizer: Optimizer, learningRate: number, t: number): readonly number[] {
  switch (optimizer.kind) {
    case "sgd":
    case "muon":
      return [learningRate];
    case "adam":
    case "adamw":
      return [learningRate, learningRate / (1 - optimizer.beta1 ** t), 1 / Math.sqrt(1 - optimizer.beta2 ** t)];
  }
}

/** Appends the nodes of one weight's update. */
export function appendUpdate(b: GraphBuilder, optimizer: Optimizer, inputs: UpdateInputs): UpdateOutputs {
  switch (optimizer.kind) {
    case "sgd":
      return appendSgd(b, optimizer, inputs);
    case "adam":
    case "adamw":
      return appendAdam(b, optimizer, inputs);
    case "muon":
      return appendMuon(b, optimizer, inputs);
  }
}

function appendSgd(b: GraphBuilder, optimizer: Optimizer & { kind: "sgd" }, inputs: UpdateInputs): UpdateOutputs {
  const { weight, slots } = inputs;
  const [rate = ""] = inputs.scalars;
  const decay = optimizer.decayOn === "kernels" && !inputs.kernel ? 0 : optimizer.weightDecay;
  const gradient = plusScaled(b, inputs.gradient, weight, decay);
  const { direction, slots: moved } = withMomentum(b, optimizer, gradient, slots);
  return { weight: b.op("Sub", [weight, b.op("Mul", [direction, rate])]), slots: moved };
}

/** Where momentum takes the weight: the gradient itself where there is none. */
function withMomentum(
  b: GraphBuilder,
  { momentum: share, nesterov }: { readonly momentum: number; readonly nesterov: boolean },
  gradient: string,
  [velocity]: readonly string[],
): { readonly direction: string; readonly slots: readonly string[] } {
  if (velocity === undefined) return { direction: gradient, slots: [] };
  const momentum = b.scalar(share);
  const moved = b.op("Add", [b.op("Mul", [velocity, momentum]), gradient]);
  const direction = nesterov ? b.op("Add", [gradient, b.op("Mul", [moved, momentum])]) : moved;
  return { direction, slots: [moved] };
}

/**
 * W ← W − rate · √max(1, outputs / rest) · O, where O is the momentum as a matrix [outputs, rest] with all singular
 * values brought near 1.
 */
function appendMuon(b: GraphBuilder, optimizer: Optimizer & { kind: "muon" }, inputs: UpdateInputs): UpdateOutputs {
  const { dims, gradient } = inputs;
  const [rate = ""] = inputs.scalars;
  const [outputs = 1] = dims;
  const rest = elementCount(dims) / outputs;
  const { direction, slots } = withMomentum(b, optimizer, gradient, inputs.slots);
  const matrix = b.op("Reshape", [direction, b.ints([outputs, rest])]);
  const even = b.op("Reshape", [orthogonalised(b, matrix, outputs > rest, optimizer.iterations), b.ints(dims)]);
  const scale = Math.sqrt(Math.max(1, outputs / rest));
  const step = b.op("Mul", [even, scale === 1 ? rate : b.op("Mul", [rate, b.scalar(scale)])]);
  const weight = optimizer.unit ? ofLength(b, inputs.weight, Math.sqrt(outputs)) : inputs.weight;
  return { weight: b.op("Sub", [weight, step]), slots };
}

/**
 * U S′ Vᵀ of a matrix U S Vᵀ, S′ near 1: Newton and Schulz's method with the polynomial of degree 5 that rises most
 * steeply at 0 (Jordan 2024).
 *
 * @param tall whether it has more rows than columns: then it is turned, so that the products are of the shorter side.
 */
function orthogonalised(b: GraphBuilder, matrix: string, tall: boolean, iterations: number): string {
  const turned = (value: string): string => (tall ? b.op("Transpose", [value], { perm: [1, 0] }) : value);
  const [first, third, fifth] = QUINTIC;
  const length = b.op("Sqrt", [b.op("ReduceSumSquare", [matrix], { keepdims: 0 })]);
  let x = turned(b.op("Div", [matrix, b.op("Add", [length, b.scalar(1e-7)])]));
  for (let i = 0; i < iterations; i++) {
    const squared = b.op("Gemm", [x, x], { transB: 1 });
    const factor = b.op("Gemm", [squared, squared, squared], { alpha: float(fifth), beta: float(third) });
    x = b.op("Gemm", [factor, x, x], { beta: float(first) });
  }
  return turned(x);
}

/** Of x, x³ and x⁵. */
const QUINTIC = [3.4445, -4.775, 2.0315] as const;

/** The same direction at another length. */
function ofLength(b: GraphBuilder, weight: string, length: number): string {
  const found = b.op("Sqrt", [b.op("ReduceSumSquare", [weight], { keepdims: 0 })]);
  return b.op("Mul", [weight, b.op("Div", [b.scalar(length), found])]);
}

function appendAdam(
  b: GraphBuilder,
  optimizer: Optimizer & { kind: "adam" | "adamw" },
  inputs: UpdateInputs,
): UpdateOutputs {
  const [rate = "", correctedRate = "", rootCorrection = ""] = inputs.scalars;
  const [first = "", second = ""] = inputs.slots;
  const { beta1, beta2, epsilon, weightDecay } = optimizer;
  const decoupled = optimizer.kind === "adamw" && weightDecay > 0;
  const gradient = decoupled ? inputs.gradient : plusScaled(b, inputs.gradient, inputs.weight, weightDecay);
  const weight = decoupled
    ? b.op("Sub", [inputs.weight, b.op("Mul", [inputs.weight, b.op("Mul", [rate, b.scalar(weightDecay)])])])
    : inputs.weight;
  const mean = average(b, first, gradient, beta1);
  const square = average(b, second, b.op("Mul", [gradient, gradient]), beta2);
  const root = b.op("Add", [b.op("Mul", [b.op("Sqrt", [square]), rootCorrection]), b.scalar(epsilon)]);
  const step = b.op("Div", [b.op("Mul", [mean, correctedRate]), root]);
  return { weight: b.op("Sub", [weight, step]), slots: [mean, square] };
}

/** a + factor · b, or just a where the factor is 0. */
function plusScaled(b: GraphBuilder, a: string, other: string, factor: number): string {
  return factor === 0 ? a : b.op("Add", [a, b.op("Mul", [other, b.scalar(factor)])]);
}

/** beta · old + (1 − beta) · new. */
function average(b: GraphBuilder, old: string, value: string, beta: number): string {
  return b.op("Add", [b.op("Mul", [old, b.scalar(beta)]), b.op("Mul", [value, b.scalar(1 - beta)])]);
}
