/**
 * @file Objectives: the scalar that a training step lowers, written as a forward graph.
 *
 * An objective appends nodes to the model's own graph; `autodiff` differentiates the whole, so no objective writes a
 * gradient. A batch is `batch` images with one row of target probabilities each; an objective may look at several
 * **views** of every image (WILD: clean and erased). The model sees the views stacked, all of view 0 first.
 */

import type { GraphBuilder } from "../onnx/builder.js";

export interface ObjectiveContext {
  readonly b: GraphBuilder;
  /** Images in a batch; the model sees `views · batch` rows. */
  readonly batch: number;
  /** The graph's input, [views · batch, C, H, W]: for objectives that show the images to a second model. */
  readonly images: string;
  /** [views · batch, classes]: scores before any softmax. */
  readonly logits: string;
  /** [views · batch, …]: the feature tensor, by default the input of the last dense layer. */
  readonly features: string;
  /** [batch, classes]: target probabilities, one-hot for hard labels. */
  readonly targets: string;
}

export interface Objective {
  readonly views: number;
  /**
   * Whether the loss of a batch is the mean of the losses of its images, so that parts of a batch can be computed
   * apart. Default: false.
   */
  readonly meanOfImages?: boolean;
  readonly build: (context: ObjectiveContext) => BuiltObjective;
}

export interface BuiltObjective {
  /** Name of the scalar to lower. */
  readonly loss: string;
  /** Values through which no gradient flows back. */
  readonly stopAt?: readonly string[];
  /** Scalars that are told beside the loss, by what they are called: `compileGradient`. */
  readonly watch?: Readonly<Record<string, string>>;
  /**
   * A float32 scalar among the graph's inputs, declared by the objective, that each step feeds its learning rate to.
   */
  readonly learningRate?: string;
}

/**
 * Mean cross-entropy of one view against the targets: the ordinary objective of a classifier.
 *
 * @param labelSmoothing share of each target, in [0, 1), that is spread evenly over all classes (Szegedy et al., CVPR
 *   2016, section 7).
 */
export function crossEntropyObjective(labelSmoothing: number = 0): Objective {
  return {
    views: 1,
    meanOfImages: true,
    build({ b, logits, targets }) {
      if (labelSmoothing === 0) return { loss: meanCrossEntropy(b, logits, targets) };
      // Linear in the targets: no smoothed targets are made, and their gradient is the sum of two.
      const logQ = b.op("LogSoftmax", [logits], { axis: -1 });
      const sharp = b.op("Mul", [meanNegatedDot(b, targets, logQ), b.scalar(1 - labelSmoothing)]);
      const even = b.op("Mul", [b.op("ReduceMean", [logQ], { keepdims: 0 }), b.scalar(labelSmoothing)]);
      return { loss: b.op("Sub", [sharp, even]) };
    },
  };
}

/** Mean cross-entropy of all views of each image against its target: images and copies of them count alike. */
export function viewsCrossEntropy({ b, logits, targets }: ObjectiveContext, views: number): string {
  return meanCrossEntropy(b, logits, b.op("Concat", new Array<string>(views).fill(targets), { axis: 0 }));
}

/**
 * −mean over rows of Σ targets · log softmax(logits).
 *
 * @param logits [rows, classes]
 * @param targets [rows, classes], rows summing to 1
 */
export function meanCrossEntropy(b: GraphBuilder, logits: string, targets: string): string {
  return meanNegatedDot(b, targets, b.op("LogSoftmax", [logits], { axis: -1 }));
}

/** −mean over rows of Σ p · logQ, both [rows, n]. */
export function meanNegatedDot(b: GraphBuilder, p: string, logQ: string): string {
  const perRow = b.op("ReduceSum", [b.op("Mul", [p, logQ]), b.ints([-1])], { keepdims: 0 });
  return b.op("Neg", [b.op("ReduceMean", [perRow], { keepdims: 0 })]);
}

/** Rows `from` to `to` (exclusive) along the first axis: one view of a stacked batch. */
export function rows(b: GraphBuilder, value: string, from: number, to: number): string {
  return b.op("Slice", [value, b.ints([from]), b.ints([to]), b.ints([0])]);
}
