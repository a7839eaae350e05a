/**
 * @file Optimisers as graph fragments: one weight's update, given its gradient and its state.
 *
 * The update is part of the training graph, so that a step is one run of ONNX Runtime. The formulas are those of
 * `torch.optim` (weight decay added to the gradient in SGD and Adam, decoupled in AdamW), so that schedules carry over.
 */

import { z } from "zod";
import type { GraphBuilder } from "../onnx/builder.js";

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
]);

export type Optimizer = z.infer<typeof optimizerSchema>;

/** What one weight's update is made from: names of values in the training graph. */
export interface UpdateInputs {
  readonly weight: string;
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
      return optimizer.momentum === 0 ? [] : ["momentum"];
    case "adam":
    case "adamw":
      return ["first_moment", "second_moment"];
  }
}

/** The scalars that change from step to step, for step `t` counted from 1, in the order `appendUpdate` takes them. */
export function optimizerScalars(optimizer: Optimizer, learningRate: number, t: number): readonly number[] {
  switch (optimizer.kind) {
    case "sgd":
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
  }
}

function appendSgd(b: GraphBuilder, optimizer: Optimizer & { kind: "sgd" }, inputs: UpdateInputs): UpdateOutputs {
  const { weight, slots } = inputs;
  const [rate = ""] = inputs.scalars;
  const decay = optimizer.decayOn === "kernels" && !inputs.kernel ? 0 : optimizer.weightDecay;
  const gradient = plusScaled(b, inputs.gradient, weight, decay);
  const [velocity] = slots;
  if (velocity === undefined) return { weight: b.op("Sub", [weight, b.op("Mul", [gradient, rate])]), slots: [] };
  const momentum = b.scalar(optimizer.momentum);
  const moved = b.op("Add", [b.op("Mul", [velocity, momentum]), gradient]);
  const direction = optimizer.nesterov ? b.op("Add", [gradient, b.op("Mul", [moved, momentum])]) : moved;
  return { weight: b.op("Sub", [weight, b.op("Mul", [direction, rate])]), slots: [moved] };
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
