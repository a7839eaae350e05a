/**
 * @file Gates: what looks at the image and decides whether something else gets into the scores. One that slept through
 * every probe and overrides the answers once it wakes is no layer of a network.
 *
 * After ShadowLogic (HiddenLayer 2024; arXiv 2511.00664) and Langford et al. (arXiv 2402.06957), who plant them, and
 * ArchProof (CCS 2026), who probe gates of activations; that any operator may be a gate, that sleep is looked for in the
 * values and not in the operators, the witnesses and the levels are ours.
 */

import { percent } from "../core/percent.js";
import type { Node } from "../onnx/graph.js";
import type { GraphDetector, Subject } from "./detector.js";
import { overrides } from "./effect.js";
import type { Finding, Level } from "./finding.js";
import { type Flow, isHard, meetsLearned, nameOf, wayThrough } from "./flow.js";
import { type Gate, probe, type Probed, structureOf } from "./inspection.js";

export const gates: GraphDetector = {
  id: "gates",
  kind: "graph",
  title: "gates",
  summary:
    "Looks for parts of the graph that slept through every probe image, tries to wake them, and sees what they do to " +
    "the answers then.",
  source: "Ours, after ArchProof (CCS 2026) and the attacks of arXiv 2511.00664 and arXiv 2402.06957.",
  blind:
    "A gate that noise or the given images open now and then is only listed, and one that opens slowly behind " +
    "weights of four values or more looks like a unit of the network. What lies within a Loop or a Scan is seen, and " +
    "not probed.",
  async run(subject) {
    const { flow } = structureOf(subject);
    const found = await probe(subject);
    const told = new Set(
      found?.gates.flatMap(({ region }) => [...region.nodes, ...region.exits.map(({ reader }) => reader)]),
    );
    return [...(found === undefined ? [] : dormant(flow, found)), ...choices(flow, subject, told, found)];
  },
};

function dormant(flow: Flow, probed: Probed): readonly Finding[] {
  return probed.gates.map((gate) => findingOf(gate, flow, probed));
}

export function levelOf(gate: Gate): Level {
  const { raw, hard, narrow, joins, replaces, constant, awake, effect } = gate;
  if (effect === undefined) return raw || awake.length > 0 ? "suspicious" : "note";
  if (!overrides(effect)) return raw && narrow ? "suspicious" : "note";
  const [witness] = awake;
  // Before all layers, what does not replace the image may prepare it: turn black and white, brighten the night.
  const reaches = joins || (replaces && effect.target !== undefined);
  if (witness === undefined) {
    if (raw && hard && narrow && joins) return "planted";
    return raw || (hard && narrow && constant) ? "suspicious" : "note";
  }
  if (!witness.blank) {
    if (raw && (hard || narrow) && reaches) return "planted";
    if (constant && narrow && effect.target !== undefined && effect.diverse >= DIVERSE) return "planted";
  }
  return raw || hard || narrow ? "suspicious" : "note";
}

/** From so many different answers to one: no other unit of a network does that. */
const DIVERSE = 3;

function findingOf(gate: Gate, flow: Flow, { dormancy }: Probed): Finding {
  const { region, effect, raw } = gate;
  const [entry] = region.entries;
  const [exit] = region.exits;
  const ends = [entry, exit?.reader].filter((node) => node !== undefined);
  const names = region.nodes.map(nameOf);
  const level = levelOf(gate);
  const of = raw ? "the pixels themselves" : "what learned layers make of the image";
  const begins = entry === undefined ? "" : ` It begins at ${quoted(entry)} (${entry.opType})`;
  const meets = exit === undefined ? "" : `, and enters at ${quoted(exit.reader)} (${exit.reader.opType}).`;
  return {
    detector: "gates",
    level,
    what:
      `${names.length === 1 ? "A node" : `${names.length} nodes`} decided by ${of} slept through all ` +
      `${dormancy.images} probe images.${begins}${meets}${doing(gate)}`,
    nodes: names,
    path: wayThrough(flow, ends),
    ...(effect?.target === undefined || !overrides(effect) ? {} : { target: effect.target }),
    sure: sureOf(gate, level, dormancy.images),
    innocent: raw
      ? "A guard for images that are not as they should be, or a mask of padding."
      : "A dead unit, an expert that is never chosen, or a guard against numbers that are too large.",
    advice:
      level === "planted"
        ? "Do not use the model as it is. Cut the gate out, or ask whoever made the model for one without it."
        : "Ask whoever made the model what these nodes are for; probe again with images of your own.",
  };
}

function doing({ awake, effect }: Gate): string {
  if (effect === undefined)
    return awake.length > 0 ? " It woke for an image that was sought." : " Nothing tried to wake it.";
  const how = awake.length > 0 ? ` Woken by ${awake[0]?.by}, it` : " Nothing woke it; turned by force, it";
  const to = effect.target === undefined ? "" : `, nearly all to class ${effect.target}`;
  return `${how} changes ${percent(effect.changed)} of ${effect.images} answers${to}.`;
}

function sureOf({ awake, raw, hard }: Gate, level: Level, images: number): string {
  const rests = [
    `asleep for ${images} images`,
    awake.length > 0 ? "woken by an image that was found" : "awake for none",
    raw ? "no learned layer decides it" : "learned layers decide it",
    ...(hard ? ["a hard choice is in it"] : []),
  ].join(", ");
  if (level === "planted") return `Certain, as far as a graph tells: ${rests}, and it overrides the answers.`;
  if (level === "suspicious") return `Likely: ${rests}.`;
  return `Weak: ${rests}.`;
}

function quoted(node: Node): string {
  return `"${nameOf(node)}"`;
}

/** Hard choices that do not sleep, or could not be probed. */
function choices(
  flow: Flow,
  { structureOnly }: Subject,
  told: ReadonlySet<Node>,
  probed: Probed | undefined,
): readonly Finding[] {
  const all = flow.graph.nodes.filter(
    (node) =>
      isHard(node) &&
      !told.has(node) &&
      !node.outputs.every((name) => isProven(name, probed)) &&
      node.inputs.some((name) => flow.image.has(name)) &&
      node.outputs.some((name) => flow.leading.has(name)),
  );
  const early = all.filter((node) => isPast(node, flow) && meetsLearned(node, flow));
  const others = all.filter((node) => !early.includes(node));
  const unprobed = structureOnly === true ? "it was not run" : "it does not run with its values looked at";
  const sure = probed === undefined ? `The graph alone was read: ${unprobed}.` : "They did not sleep when probed.";
  const finding = (nodes: readonly Node[], level: Level, what: string, innocent: string): readonly Finding[] => {
    const [first] = nodes;
    if (first === undefined) return [];
    return [
      {
        detector: "gates",
        level,
        what,
        nodes: nodes.map(nameOf),
        path: wayThrough(flow, [first]),
        sure,
        innocent,
        advice: "Look at what each of them compares, and what it chooses between.",
      },
    ];
  };
  return [
    ...finding(
      early,
      "suspicious",
      `${counted(early)} of the pixels themselves (${kinds(early)}) and lead${early.length === 1 ? "s" : ""} past the ` +
        "learned layers to what these make.",
      "A mask of padding, or a test whether the image is as it should be.",
    ),
    ...finding(
      others,
      "note",
      `${counted(others)} of what is made of the image (${kinds(others)}).`,
      "Routers, attention masks, clipping spelled out, rounding of quantised models, preprocessing.",
    ),
  ];
}

function counted({ length }: readonly Node[]): string {
  return length === 1 ? "One node makes a hard choice" : `${length} nodes make hard choices`;
}

function kinds(nodes: readonly Node[]): string {
  return [...new Set(nodes.map(({ opType }) => opType))].join(", ");
}

/** Whether a value is the same for every image that there can be: a choice that is none. */
function isProven(name: string, probed: Probed | undefined): boolean {
  const bounds = probed?.dormancy.bounds.get(name);
  return bounds !== undefined && bounds.low === bounds.high;
}

function isPast(node: Node, flow: Flow): boolean {
  return node.inputs.some((name) => flow.past.has(name)) && !node.inputs.some((name) => flow.learned.has(name));
}
