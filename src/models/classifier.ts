/** @file What all built-in architectures have in common: "image" goes in, "logits" come out, any number at once. */

import type { RandomStream } from "../core/random.js";
import { graphBuilder } from "../onnx/builder.js";
import type { Graph } from "../onnx/graph.js";
import type { ArchitectureInput } from "./architecture.js";
import type { LayerContext } from "./layers.js";

/** Declares the input "image", [batch, C, H, W] with values in [0, 1]. */
export function startClassifier(
  name: string,
  { channels, height, width }: ArchitectureInput,
  random: RandomStream,
): { readonly context: LayerContext; readonly image: string } {
  const b = graphBuilder(name);
  const image = b.input("image", "float32", ["batch", channels, height, width]);
  return { context: { b, random }, image };
}

/** Declares `scores` the output "logits", [batch, classes]. */
export function finishClassifier({ b }: LayerContext, scores: string, { classes }: ArchitectureInput): Graph {
  b.append({ name: "logits", opType: "Identity", domain: "", inputs: [scores], outputs: ["logits"], attributes: {} });
  b.output("logits", "float32", ["batch", classes]);
  return b.build();
}
