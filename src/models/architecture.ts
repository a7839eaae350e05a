/** @file What an architecture is: a record that builds a graph with freshly drawn weights. */

import type { RandomStream } from "../core/random.js";
import type { FloatTensor, Tensor } from "../core/tensor.js";
import type { Graph } from "../onnx/graph.js";

export interface ArchitectureInput {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  readonly classes: number;
}

/** Weights that a fresh model starts with because of the images that it is going to learn. */
export interface StartFromImages {
  /** How many training images are looked at, at most. */
  readonly count: number;
  /**
   * @param drawn all that the graph stores, as it was drawn.
   * @param pixels [n, C, H, W], values in [0, 1]; n is at least 1.
   * @returns what takes the place of some of it, by name.
   */
  readonly weights: (
    drawn: ReadonlyMap<string, Tensor>,
    pixels: Float32Array,
    input: ArchitectureInput,
  ) => ReadonlyMap<string, FloatTensor>;
}

export interface Architecture {
  readonly id: string;
  readonly title: string;
  /** The smallest image side that the layers leave something of. */
  readonly smallest: number;
  /** Channels of the first stage, where they can be chosen: `findArchitecture("resnet18-16")`. */
  readonly width?: number;
  /**
   * The graph with freshly drawn weights: input "image" [batch, C, H, W] in [0, 1], output "logits" [batch, classes].
   */
  readonly build: (input: ArchitectureInput, random: RandomStream) => Graph;
  /** Absent: images say nothing of how it starts. */
  readonly fromImages?: StartFromImages;
}

/** An architecture for each width. */
export interface ArchitectureFamily {
  readonly id: string;
  readonly title: (width: number) => string;
  /** The width that the bare id means. */
  readonly width: number;
  readonly smallest: number;
  /** @param name of the graph: the architecture's id. */
  readonly build: (name: string, width: number, input: ArchitectureInput, random: RandomStream) => Graph;
  readonly fromImages?: StartFromImages;
}
