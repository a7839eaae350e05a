/**
 * @file What a lowering is: one way of computing a primitive of domain "wildmark" with standard operators.
 *
 * Each primitive has several, each with a name and all with the same result up to rounding; which is quickest depends on
 * shape and machine. A family holds them with a static choice that is right everywhere and good on an ordinary CPU.
 */

import type { GraphBuilder } from "../../onnx/builder.js";
import type { Node } from "../../onnx/graph.js";
import type { Device } from "../session.js";
import type { Layouts, Place } from "./layouts.js";

export interface LoweringContext {
  /** The primitive to be replaced. */
  readonly node: Node;
  /** Appends to the place where the primitive stood. */
  readonly b: GraphBuilder;
  /** Where the graph will run. */
  readonly device: Device;
  /** Channels of a block of the machine's blocked convolutions, where it has them. */
  readonly block: number | undefined;
  /** Name of input i of the primitive, in plain order. */
  input(i: number): string;
  /** Name of input i in blocks of channels; `dims` are the input's own. */
  blocked(i: number, dims: readonly number[]): string;
  /** How values lie, for those that are wanted in blocks of something else. */
  readonly layouts: Layouts;
  /** The node of the graph that computes `value`, with what earlier lowerings made of it. */
  producer(value: string): Node | undefined;
  /** Puts `replacement`, which gives at least the same outputs, in the place of a `producer`. */
  replace(node: Node, replacement: Node): void;
}

/** An image in blocks, where a lowering gives it so. */
export interface InBlocks extends Place {
  readonly name: string;
}

export interface Lowering {
  /** Stable: autotuning caches and messages use it. */
  readonly name: string;
  /** Whether this form can compute the node, on this device and with blocks of so many channels, if any. */
  supports(node: Node, device: Device, block?: number): boolean;
  /** Appends the nodes and returns the name of the value that the primitive gave. */
  append(context: LoweringContext): string | InBlocks;
}

export interface LoweringFamily {
  /** The primitive's operator name. */
  readonly operator: string;
  readonly lowerings: readonly Lowering[];
  /** Name of the lowering to take when nothing was measured; one that supports the node. */
  choose(node: Node, device: Device, block?: number): string;
}
