/**
 * @file What is known of every value of a graph when its inputs have fixed shapes.
 *
 * A training step has a fixed batch size, so every shape is a plain list of numbers, and every integer tensor that is
 * computed from shapes alone (targets of Reshape, pads, slices) is a constant. ONNX Runtime itself supplies the trace
 * by running the forward graph once (`runtime/trace.ts`); nothing here infers shapes.
 */

import type { ElementType, Tensor } from "../core/tensor.js";

export interface TracedValue {
  readonly type: ElementType;
  readonly dims: readonly number[];
  /** The value itself, where it does not depend on what is fed: initialisers, constants, arithmetic on shapes. */
  readonly constant?: Tensor;
}

/** By value name. */
export type Trace = ReadonlyMap<string, TracedValue>;
