/** @file The built-in architectures: one record each. */

import { WildmarkError } from "../core/errors.js";
import { type RandomStream, randomStream } from "../core/random.js";
import { encodeGraph } from "../onnx/encode.js";
import type { Graph } from "../onnx/graph.js";
import { decodeModel, type Model } from "../onnx/model.js";
import { lenet5, lenetCaffe } from "./lenet5.js";

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
  /** The graph with freshly drawn weights: input "image" [batch, C, H, W] in [0, 1], output "logits" [batch, classes]. */
  readonly build: (input: ArchitectureInput, random: RandomStream) => Graph;
}

export const architectures: readonly Architecture[] = [lenet5, lenetCaffe];

/** @throws WildmarkError `usage` naming the architectures there are. */
export function findArchitecture(id: string): Architecture {
  const found = architectures.find((architecture) => architecture.id === id);
  if (found !== undefined) return found;
  throw new WildmarkError("usage", `No architecture "${id}".`, {
    hint: `Choose one of: ${architectures.map((architecture) => architecture.id).join(", ")}.`,
  });
}

/** A new model with weights drawn from the "init" stream of `seed`. */
export function newModel(architecture: Architecture, input: ArchitectureInput, seed: number): Model {
  if (Math.min(input.height, input.width) < architecture.smallest) {
    throw new WildmarkError(
      "bad-data",
      `${architecture.title} needs images of at least ${architecture.smallest} pixels a side; found ${input.height}×${input.width}.`,
    );
  }
  const graph = architecture.build(input, randomStream(seed, "init"));
  return decodeModel(encodeGraph(graph), architecture.id);
}
