/**
 * @file Kernels that no training makes: of three values at most, or of numbers far larger than trained ones. After
 * Langford et al. (arXiv 2402.06957), whose constant detectors are 3 × 3 kernels of ±255 with a bias near their sum.
 */

import { type Node, operatorName } from "../onnx/graph.js";
import type { Tensor } from "../core/tensor.js";
import { storedTensors } from "../onnx/traverse.js";
import type { GraphDetector } from "./detector.js";
import type { Finding } from "./finding.js";
import { FEW_VALUES, nameOf, wayThrough } from "./flow.js";
import { structureOf } from "./inspection.js";

/** Half of a trained kernel's weights are smaller by orders of magnitude (ours; the attack's are 255). */
const HUGE = 50;

export const kernels: GraphDetector = {
  id: "kernels",
  kind: "graph",
  title: "kernels",
  summary: "Looks for convolutions and matrices whose weights no training makes: of few values, or far too large.",
  source: "After Langford et al. (arXiv 2402.06957); the bounds are ours.",
  blind: "Weights of four values or more that are not large: noise of a thousandth on a drawn kernel hides it here.",
  async run(subject) {
    const { flow } = structureOf(subject);
    const stored = storedTensors(flow.graph);
    const findings: Finding[] = [];
    const drawn: Node[] = [];
    for (const node of flow.graph.nodes) {
      if (!KINDS.has(operatorName(node)) || !node.outputs.some((name) => flow.leading.has(name))) continue;
      const [first = "", second = ""] = node.inputs;
      const name = flow.image.has(first) ? second : first;
      const kernel = stored.get(name);
      if (kernel === undefined || !node.inputs.some((each) => flow.image.has(each)) || kernel.data.length < 2) continue;
      if (kernel.type !== "float32" && kernel.type !== "float64") continue;
      const few = distinct(kernel) <= FEW_VALUES;
      const size = median(kernel);
      if (size >= HUGE) {
        findings.push({
          detector: "kernels",
          level: "suspicious",
          what:
            `The kernel "${name}" of "${nameOf(node)}" (${node.opType}) holds ${few ? "few values" : "numbers"} of ` +
            `about ±${size.toPrecision(3)}.`,
          nodes: [nameOf(node)],
          path: wayThrough(flow, [node]),
          sure: "Trained kernels stay below one in most of their weights; this is written by hand.",
          innocent: "Preprocessing that brings bytes to another range, or weights that were never scaled back.",
          advice: "See which pattern of pixels it answers to, and what its answer is for.",
        });
      } else if (few && !isZero(kernel)) drawn.push(node);
    }
    const [first] = drawn;
    if (first !== undefined) {
      findings.push({
        detector: "kernels",
        level: "note",
        what:
          `${drawn.length === 1 ? "One kernel has" : `${drawn.length} kernels have`} three distinct values at most: ` +
          `drawn, not trained.`,
        nodes: drawn.map(nameOf),
        path: wayThrough(flow, [first]),
        sure: "The values are so; what they are for, they do not say.",
        innocent: "Networks of one or two bits, blurring before an image is made smaller, grey made of colours.",
        advice: "Look at the first of them.",
      });
    }
    return findings;
  },
};

const KINDS = new Set(["Conv", "ConvTranspose", "Gemm", "MatMul"]);

function distinct({ data }: Tensor): number {
  const seen = new Set<number | bigint>();
  for (const value of data) if (seen.add(value).size > FEW_VALUES) break;
  return seen.size;
}

/** Of the sizes of what is not zero. */
function median({ data }: Tensor): number {
  let most = 0;
  for (const value of data) most = Math.max(most, Math.abs(Number(value)));
  if (most < HUGE) return 0;
  const sizes: number[] = [];
  for (const value of data) if (Number(value) !== 0) sizes.push(Math.abs(Number(value)));
  return sizes.toSorted((a, b) => a - b)[Math.floor(sizes.length / 2)] ?? 0;
}

function isZero({ data }: Tensor): boolean {
  for (const value of data) if (Number(value) !== 0) return false;
  return true;
}
