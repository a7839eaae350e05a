/**
 * @file Chooses a lowering for each node of a graph that has several: by rule, from what was measured before, or by
 * measuring now.
 *
 * Layers of the same shape share one choice. Whatever is wrong with the cache is said and costs at most the measuring:
 * it never stops the work.
 */

import { availableParallelism, loadavg } from "node:os";
import { WildmarkError } from "../../core/errors.js";
import type { Graph, Node } from "../../onnx/graph.js";
import { type KernelChoice, kernelChoices, type LowerOptions } from "../lowering/index.js";
import { type ChoiceIdentity, identityKey, identityOf, type Target } from "./identity.js";
import { standsAlone } from "./lone-node.js";
import { measureLowerings } from "./measure.js";
import type { Autotuning } from "./mode.js";
import { type Measured, quickest } from "./rule.js";
import { choicesFolder, findChoice, type KeptChoice, keepChoice } from "./store.js";

/** The lowering of one node. */
export interface LayerChoice {
  /** With its shapes: a primitive's, or for a Conv the primitive of the same name. */
  readonly node: Node;
  /** The value that it gives. */
  readonly value: string;
  readonly lowering: string;
  /** All that there are, the static choice first. */
  readonly candidates: readonly string[];
  /**
   * Why this one: it is the `only` one; by the `static` rule, nothing being measured; because of an earlier measurement
   * (`cached`); or of one just now (`measured`).
   */
  readonly why: "only" | "static" | "cached" | "measured";
  /** Of each candidate, in their order; absent where nothing is known. */
  readonly measured?: readonly Measured[];
}

/** Who is told while lowerings are chosen. */
export interface AutotuningWatch {
  /** After each measurement: `done` of `total`. May throw, to stop. */
  readonly onMeasured?: (done: number, total: number) => void;
  /** A damaged cache file, a cache that cannot be written; what came of measuring. */
  readonly onNote?: (line: string) => void;
}

export interface AutotuningOptions extends AutotuningWatch {
  readonly autotuning: Autotuning;
  readonly target: Target;
  /** Where choices are kept; default `choicesFolder()`. */
  readonly folder?: string;
}

interface Layer extends KernelChoice {
  /** Whose measurement is wanted; absent where none is. */
  readonly wanted?: { readonly identity: ChoiceIdentity; readonly key: string };
}

interface Known {
  readonly choice: KeptChoice;
  readonly why: "cached" | "measured";
}

/** What this process measured and could not keep, by folder and key: its choices do not flip either. */
const notKept = new Map<string, KeptChoice>();

/** The choice for every node of `graph` that kernels compute, in their order, as values lie under the static ones. */
export async function chooseLowerings(graph: Graph, options: AutotuningOptions): Promise<readonly LayerChoice[]> {
  const { autotuning, target } = options;
  const layers = kernelChoices(graph, target).map((choice): Layer => {
    if (autotuning === "off" || choice.candidates.length === 1 || !standsAlone(choice.node)) return choice;
    const identity = identityOf(choice.node, choice.candidates, target);
    return { ...choice, wanted: { identity, key: identityKey(identity) } };
  });
  const shapes = new Map(
    layers.flatMap(({ wanted, ...layer }) => (wanted ? [[wanted.key, { ...layer, ...wanted }]] : [])),
  );
  const known = await lookUp(shapes, options);
  return layers.map(({ node, value, candidates, wanted }): LayerChoice => {
    const [lowering = ""] = candidates;
    const found = wanted && known.get(wanted.key);
    if (candidates.length === 1) return { node, value, candidates, lowering, why: "only" };
    if (found === undefined) return { node, value, candidates, lowering, why: "static" };
    const { choice, why } = found;
    return { node, value, candidates, lowering: choice.lowering, why, measured: choice.measured };
  });
}

/** What is known of each choice: from the cache, or measured now where that is asked for. */
async function lookUp(
  wanted: ReadonlyMap<string, KernelChoice & { readonly identity: ChoiceIdentity }>,
  { autotuning, target, folder = choicesFolder(), onMeasured = () => {}, onNote = () => {} }: AutotuningOptions,
): Promise<ReadonlyMap<string, Known>> {
  const known = new Map<string, Known>();
  for (const [key, { identity }] of wanted) {
    const choice = notKept.get(`${folder} ${key}`) ?? (await fromCache(folder, identity, onNote));
    if (choice !== undefined) known.set(key, { choice, why: "cached" });
  }
  const missing = autotuning === "full" ? [...wanted].filter(([key]) => !known.has(key)) : [];
  const start = performance.now();
  const load = loadavg()[0] ?? 0;
  for (const [i, [key, { node, candidates, identity }]] of missing.entries()) {
    onMeasured(i, missing.length);
    const measured = await measureLowerings(node, candidates, target);
    const own = { identity, measured, lowering: quickest(measured), at: new Date().toISOString() };
    const choice = await keepChoice(folder, own).catch((error) => {
      if (!(error instanceof WildmarkError)) throw error;
      if (notKept.size === 0) onNote(`measured lowerings cannot be kept: ${error.message}`);
      notKept.set(`${folder} ${key}`, own);
      return own;
    });
    known.set(key, { choice, why: "measured" });
    onMeasured(i + 1, missing.length);
  }
  const others = missing.filter(([key, { candidates }]) => known.get(key)?.choice.lowering !== candidates[0]).length;
  if (missing.length > 0) {
    const seconds = ((performance.now() - start) / 1000).toFixed(1);
    onNote(
      `measured the lowerings of ${missing.length} shapes in ${seconds} s: for ${others} another than the usual one`,
    );
    if (load > availableParallelism()) {
      onNote(
        `the machine was busy (load ${load.toFixed(1)} on ${availableParallelism()} cores): to measure ` +
          `again, delete ${folder}`,
      );
    }
  }
  return known;
}

/** The choices as `lowerPrimitives` asks for them. */
export function asChosen(choices: readonly LayerChoice[]): NonNullable<LowerOptions["choose"]> {
  const lowerings = new Map(choices.map(({ value, lowering }) => [value, lowering]));
  return ({ outputs: [value = ""] }, names) => names.find((name) => name === lowerings.get(value));
}

async function fromCache(
  folder: string,
  identity: ChoiceIdentity,
  onNote: (line: string) => void,
): Promise<KeptChoice | undefined> {
  const found = await findChoice(folder, identity);
  if (found.kind === "damaged") onNote(`${found.why}; it is taken for not measured`);
  return found.kind === "found" ? found.choice : undefined;
}
