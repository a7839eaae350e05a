/**
 * @file What a rewrite is: the kernels by which nodes of some operator can be computed, whatever the reason to replace
 * them.
 *
 * A kernel is matched with a node where it stands, and where it fits says how it reads the node's inputs, how its
 * result lies, and what to append instead. Three passes use this (`index.ts`): operators that a device lacks are
 * decomposed, then kernels are chosen while layouts are propagated, and then the graph is written. All kernels of a
 * node give the same up to rounding; which is quickest depends on shape and machine, so where several match they are
 * offered to autotuning.
 *
 * To add a kernel: write `{ name, match }` in the operator's file and put it into its rewrite, at the place in the
 * order that the static rule gives it. Nothing else knows of it: tests of all kernels, autotuning and `info
 * --autotuning` find it there.
 */

import type { GraphBuilder } from "../../onnx/builder.js";
import type { Node } from "../../onnx/graph.js";
import type { Device } from "../options.js";

/** How an image lies in blocks. */
export interface Place {
  /** [N, C, H, W], whatever fills the blocks. */
  readonly dims: readonly number[];
  /**
   * What stands side by side in a block: channels, as ONNX Runtime's nchwc layout has it, or images: then the value
   * with the first two axes exchanged, [C, N, H, W], lies in such blocks. For images of few channels, which fill no
   * blocks.
   */
  readonly lanes: "channels" | "images";
}

/** A node where it stands in its graph. */
export interface Site {
  readonly node: Node;
  /** Where the graph will run. */
  readonly device: Device;
  /** Lanes of a block of the machine's nchwc layout; undefined where it has none: then nothing is ever in blocks. */
  readonly block: number | undefined;
  /** How a value lies that is at hand in blocks here, else undefined. */
  place(value: string): Place | undefined;
  /** Dimensions [N, C, H, W] of a value that is at hand in blocks of channels, else undefined. */
  channelBlocks(value: string): readonly number[] | undefined;
  /** Static dimensions of a value, where the graph says them. */
  dims(value: string): readonly number[] | undefined;
  /** The numbers of a value, where it is an initialiser of integers. */
  integers(value: string): readonly number[] | undefined;
  /** The only node that reads a value that is no output of the graph; undefined where there are several or none. */
  soleReader(value: string): Node | undefined;
}

/** What a kernel makes of a node. */
export interface Replacement {
  /** How each input is read; in plain order where nothing is said. */
  readonly reads?: readonly (Place | undefined)[];
  /** How the first output lies; in plain order where nothing is said. */
  readonly gives?: Place;
  /** The sole reader of the output, which is computed along: then its output is what the kernel gives. */
  readonly along?: Node | undefined;
  /** Appends to the place where the node stood; @returns its outputs. */
  append(emission: Emission): string | readonly string[];
}

/** The graph that is being written, as a kernel sees it. */
export interface Emission {
  readonly b: GraphBuilder;
  /** Name of input i of the node, as the replacement reads it; "" where it is left out. Reordered at the first call. */
  input(i: number): string;
  /** What `make` appends, only at the first call for `key`: what several kernels want. */
  once(key: string, make: () => string): string;
  /** The node of the written graph that computes `value`. */
  producer(value: string): Node | undefined;
  /** Puts `replacement`, which gives at least the same outputs, in the place of a `producer`. */
  replace(node: Node, replacement: Node): void;
}

export interface Kernel {
  /** Stable: what was measured is kept under it. */
  readonly name: string;
  /** The replacement, where this kernel can compute the node as things stand. */
  match(site: Site): Replacement | undefined;
}

export interface Rewrite {
  /** With its domain: "Conv", "wildmark.ConvGradWeight". */
  readonly operator: string;
  /**
   * Kernels that follow the layout. Where one of them matches, no others are offered: what they would save, bringing
   * images out of blocks and back costs more.
   */
  readonly inBlocks?: readonly Kernel[];
  readonly kernels?: readonly Kernel[];
  /** The static rule. @param names of kernels that match, at least two. Default: the first. */
  choose?(site: Site, names: readonly string[]): string;
  /** The node with all its shapes, as autotuning measures it by itself; default: the node. */
  alone?(site: Site): Node | undefined;
}

/** A kernel that fits where `supports` says so, and reads and gives everything in plain order. */
export const plainKernel = (
  name: string,
  supports: (site: Site) => boolean,
  append: (emission: Emission, site: Site) => string | readonly string[],
): Kernel => ({
  name,
  match: (site) => (supports(site) ? { append: (emission) => append(emission, site) } : undefined),
});

export const always = (): boolean => true;
export const onCpu = ({ device }: Site): boolean => device === "cpu";
export const onGpu = ({ device }: Site): boolean => device !== "cpu";

/** A kernel for nodes whose first input is at hand in blocks of channels, [N, C, H, W]. */
export const channelKernel = (replace: (dims: readonly number[], site: Site) => Replacement): Kernel => ({
  name: "nchwc",
  match(site) {
    const dims = site.channelBlocks(site.node.inputs[0] ?? "");
    return dims && replace(dims, site);
  },
});

/** An image [N, C, H, W] in blocks of channels. */
export const channelsOf = (dims: readonly number[]): Place => ({ dims, lanes: "channels" });

/** An image [N, C, H, W] with images side by side in blocks. */
export const imagesOf = (dims: readonly number[]): Place => ({ dims, lanes: "images" });
