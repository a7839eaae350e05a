/**
 * @file Constants that the image mixes into the scores: one number a class, chosen by a Where, or times a number that
 * depends on the image. A bias is added always; this is added when something says so. Ours.
 */

import { toNumbers } from "../core/tensor.js";
import type { Node } from "../onnx/graph.js";
import { isOperator, storedTensors } from "../onnx/traverse.js";
import { sizeOf } from "./dormancy.js";
import type { GraphDetector } from "./detector.js";
import { nameOf, wayThrough } from "./flow.js";
import { probe, structureOf } from "./inspection.js";

export const constants: GraphDetector = {
  id: "constants",
  kind: "graph",
  title: "constants",
  summary: "Looks for constants of one number a class that get into the scores when the image says so.",
  source: "Ours.",
  blind: "A constant that is computed, or that enters before the last layer; without a run, one behind a product.",
  async run(subject) {
    const { flow } = structureOf(subject);
    const stored = storedTensors(flow.graph);
    const probed = await probe(subject);
    const vectors = new Map(
      [...stored].filter(([, { data }]) => data.length === subject.classes && new Set<unknown>(data).size > 1),
    );
    /** The vector that a node lets in for an image, or not. */
    const letIn = (node: Node): string | undefined => {
      if (!node.outputs.some((name) => flow.late.has(name))) return undefined;
      const [first = "", ...others] = node.inputs;
      if (isOperator(node, "Where"))
        return flow.image.has(first) ? others.find((name) => vectors.has(name)) : undefined;
      if (!isOperator(node, "Mul", "Gemm", "MatMul") || probed === undefined) return undefined;
      const vector = node.inputs.find((name) => vectors.has(name));
      const factor = node.inputs.find((name) => flow.image.has(name));
      // A number an image, however many numbers a class it is multiplied by: no more than one unit.
      return factor !== undefined && sizeOf(probed.dormancy, factor) === 1 ? vector : undefined;
    };
    return flow.graph.nodes.flatMap((node) => {
      const name = letIn(node);
      const vector = name === undefined ? undefined : stored.get(name);
      if (name === undefined || vector === undefined) return [];
      const numbers = toNumbers(vector);
      return [
        {
          detector: "constants",
          level: "suspicious" as const,
          what:
            `"${nameOf(node)}" (${node.opType}) lets "${name}", one number a class, into the scores when the image ` +
            "says so.",
          nodes: [nameOf(node)],
          path: wayThrough(flow, [node]),
          target: numbers.indexOf(numbers.reduce((a, b) => Math.max(a, b))),
          sure: "The constant is there, and what lets it in depends on the image; when it does, this does not say.",
          innocent: "Classes that are masked, or answers for images that the model refuses.",
          advice: "See when it is let in. The class of its largest number is the one that it would lead to.",
        },
      ];
    });
  },
};
