/** @file What an architecture is: a record that builds a graph with freshly drawn weights. */

import type { RandomStream } from "../core/random.js";
import type { Graph } from "../onnx/graph.js";

export interface ArchitectureInput {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  readonly classes: number;
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
}
