/**
 * @file Ways past the learned layers: from the image to the scores without a weight that training made. After
 * PAIT-ONNX-200 ("a parallel path from input to output"), with what is drawn by hand, shapes, and shortcuts behind the
 * first learned layer left out.
 */

import type { GraphDetector } from "./detector.js";
import type { Finding } from "./finding.js";
import { type Flow, nameOf, wayThrough } from "./flow.js";
import type { Node } from "../onnx/graph.js";
import { structureOf } from "./inspection.js";

export const bypass: GraphDetector = {
  id: "bypass",
  kind: "graph",
  title: "bypass",
  summary: "Looks for ways from the image to the scores past all learned layers.",
  source: "After the rule PAIT-ONNX-200; what counts as learned, and as past, is ours.",
  blind:
    "A layer with weights of four values or more counts as learned, be they drawn by hand; a way that passes one of " +
    "those is none to it.",
  async run(subject) {
    const { flow } = structureOf(subject);
    const merges = flow.graph.nodes.filter((node) => isMerge(node, flow));
    const late = merges.filter((node) => isLate(node, flow));
    const early = merges.filter((node) => !late.includes(node));
    return [
      ...finding(flow, late, "suspicious", "straight to the scores"),
      ...finding(flow, early, "note", "and then through further layers to the scores"),
    ];
  },
};

/** Whether what no learned layer touched meets what one made. */
function isMerge(node: Node, flow: Flow): boolean {
  const { past, learned, layers, leading } = flow;
  const raw = node.inputs.some((name) => past.has(name) && !learned.has(name));
  const made = node.inputs.some((name) => learned.has(name));
  return raw && made && !layers.has(node) && node.outputs.some((name) => leading.has(name));
}

function isLate(node: Node, flow: Flow): boolean {
  return node.outputs.some((name) => flow.late.has(name));
}

function finding(flow: Flow, merges: readonly Node[], level: Finding["level"], goes: string): readonly Finding[] {
  const [first] = merges;
  if (first === undefined) return [];
  const raw = first.inputs.find((name) => flow.past.has(name) && !flow.learned.has(name)) ?? "";
  const maker = flow.producers.get(raw);
  const path = wayThrough(flow, maker === undefined ? [first] : [maker, first]);
  return [
    {
      detector: "bypass",
      level,
      what:
        `A way leads from the image past all learned layers to "${nameOf(first)}" (${first.opType}), ${goes}` +
        `${merges.length === 1 ? "" : `; ${merges.length - 1} more such places`}.`,
      nodes: merges.map(nameOf),
      path,
      sure:
        level === "suspicious"
          ? "The way is there: that it is a gate, it does not say."
          : "The way is there; layers behind it may be trained to expect it.",
      innocent:
        level === "suspicious"
          ? "A feature made by hand that is added to the scores; a mask."
          : "The image beside a feature map, its brightness beside the features, an image turned by what is seen in it.",
      advice: "Follow the path. What stands on it should have a use that whoever made the model can name.",
    },
  ];
}
