/**
 * @file What a gradient rule is: a function from a node and the gradients of its outputs to the gradients of its
 * inputs.
 *
 * Rules write textbook formulas with standard operators, or with the primitives of `primitives.ts` where ONNX has
 * no operator for a derivative; how a primitive is computed fast is the business of `runtime/lowering`.
 */

import type { ElementType, Tensor } from "../core/tensor.js";
import type { GraphBuilder } from "../onnx/builder.js";
import type { Node } from "../onnx/graph.js";

export interface GradientContext {
  readonly node: Node;
  /** Where the rule appends its nodes. */
  readonly b: GraphBuilder;
  /** The gradient of the loss with respect to each output; undefined where the output does not reach the loss. */
  readonly outputGradients: readonly (string | undefined)[];
  /** The gradient of output 0, which most operators have only. */
  readonly dy: string;
  /** Name of input i; throws when it is left out. */
  input(i: number): string;
  /** Whether input i is present. */
  has(i: number): boolean;
  /** Whether the loss's gradient with respect to input i is asked for; others may be left undefined. */
  needs(i: number): boolean;
  /** Static dimensions of a value of the forward graph. */
  dims(value: string): readonly number[];
  /** Element type of a value of the forward graph. */
  type(value: string): ElementType;
  /**
   * The constant value of input i (axes, pads, shape), which the operator needs to be static; throws when it is not.
   */
  constant(i: number): Tensor;
  /** The same, but undefined where input i is left out or depends on what is fed or trained. */
  fixed(i: number): Tensor | undefined;
}

/** One gradient name an input, undefined where none is needed or none flows. */
export type GradientRule = (context: GradientContext) => readonly (string | undefined)[];

/** Rules by operator: "Relu", or "com.microsoft.Gelu" outside the standard domain. */
export type GradientRules = Readonly<Record<string, GradientRule>>;
