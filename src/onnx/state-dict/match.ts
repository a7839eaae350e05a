/**
 * @file Finds which tensor of a state_dict is which stored tensor of the model that was exported from it.
 *
 * By value: the unmarked model and the state_dict hold the same numbers. Names only break ties, and where they do not,
 * the order does: a state_dict lists layers as they were made, a graph as they run. A tensor that nothing equals may
 * have been folded together with the normalisation behind it. What is left then is an error that lists it: a state_dict
 * that is right but for one layer loads without a word and is wrong.
 */

import { createHash } from "node:crypto";
import { WildmarkError } from "../../core/errors.js";
import type { SafeTensors } from "../../core/safetensors.js";
import { elementCount, type FloatTensor } from "../../core/tensor.js";
import type { Graph } from "../graph.js";
import { layersOf } from "../layers.js";
import { storedTensors } from "../traverse.js";
import { type FoldedLayer, scaleOf } from "./folded.js";
import { type Folded, floatsOf, type Same, type StateDictMapping } from "./mapping.js";
import { permuted, storedOrders } from "./permute.js";

/** ε of the frameworks: PyTorch, Keras, timm and others. */
const EPSILONS = [1e-5, 1e-3, 1e-4, 1e-6, 1e-8, 1e-2, 0] as const;

/** How far a folded kernel may lie from a multiple of the original, as a share of its largest weight. */
const ROUNDING = 1e-4;

/**
 * @param graph of the model as it was exported, before anything was trained.
 * @throws WildmarkError `bad-data` that lists what is found nowhere in the model, or in several places; `unmatched:
 *   "keep"` leaves the former as they are.
 */
export function matchStateDict(
  graph: Graph,
  stateDict: SafeTensors,
  { unmatched = "refuse" }: { readonly unmatched?: "refuse" | "keep" } = {},
): StateDictMapping {
  const values = floatsOf(stateDict);
  const names = [...stateDict.tensors].filter(([, { type }]) => isFloat(type)).map(([name]) => name);
  refuseShort(stateDict);
  const stored = floatsStored(graph);
  const { same, several, notes } = equals(names, values, stored);
  const taken = new Set(same.map((each) => each.stored));
  const missing = names.filter((name) => !same.some((each) => each.name === name) && !several.includes(name));
  const folded = foldedLayers(graph, missing, names, { values, stored, taken });
  const explained = new Set(folded.flatMap(({ layer }) => namesOf(layer)));
  // What a folded layer explains needs no equal; but for its scale and shift an equal by chance would mislead.
  const parts = [...same.filter(({ name }) => !explained.has(name)), ...folded];
  const open = several.filter((name) => !explained.has(name));
  const lost = missing.filter((name) => !explained.has(name));
  if (open.length > 0) {
    throw new WildmarkError("bad-data", "Some tensors are found in the model more than once, under other names:", {
      details: open.map((name) => describe(name, values)),
      hint: "They are all alike, as in a network that was not trained. Export it once it is.",
    });
  }
  if (lost.length > 0 && unmatched === "refuse") {
    throw new WildmarkError("bad-data", "The model holds nothing that these tensors of the state_dict would be:", {
      details: lost.map((name) => describe(name, values)),
      hint:
        "Give the ONNX file as it was exported from this very state_dict. What was not exported (a second head) stays " +
        "as it is with --keep-unmatched.",
    });
  }
  const kept = [...[...stateDict.tensors.keys()].filter((name) => !names.includes(name)), ...lost];
  const inFolded =
    folded.length === 0 ? [] : [`${folded.length} normalisations were folded into the layers before them: undone.`];
  return { parts, kept, notes: [...notes, ...inFolded] };
}

/** The names in the model that a mapping tells of. */
export function storedNames({ parts }: StateDictMapping): ReadonlySet<string> {
  return new Set(
    parts.flatMap((part) =>
      part.kind === "same" ? [part.stored] : [part.layer.stored.kernel, part.layer.stored.bias],
    ),
  );
}

function isFloat(type: string): boolean {
  return type === "float32" || type === "float64" || type === "float16" || type === "bfloat16";
}

function refuseShort({ tensors }: SafeTensors): void {
  const short = [...tensors].find(([, { type }]) => type === "float16" || type === "bfloat16");
  if (short === undefined) return;
  throw new WildmarkError("bad-data", `"${short[0]}" is ${short[1].type}: a mark would be lost in rounding.`, {
    hint: "Save the state_dict in 32 bits: {k: v.float() for k, v in net.state_dict().items()}.",
  });
}

function floatsStored(graph: Graph): ReadonlyMap<string, FloatTensor> {
  const all = [...storedTensors(graph)];
  return new Map(all.flatMap(([name, tensor]) => (tensor.type === "float32" ? [[name, tensor] as const] : [])));
}

interface Equals {
  readonly same: readonly Same[];
  /** Names of those that cannot be told from others. */
  readonly several: readonly string[];
  readonly notes: readonly string[];
}

/** Every tensor with the stored one that is equal to it. */
function equals(
  names: readonly string[],
  values: (name: string) => FloatTensor,
  stored: ReadonlyMap<string, FloatTensor>,
): Equals {
  const byContent = new Map<string, { readonly stored: string; readonly perm: readonly number[] }[]>();
  for (const [name, tensor] of stored) {
    for (const perm of storedOrders(tensor.dims.length)) {
      const key = contentOf(permuted(tensor, perm));
      const known = byContent.get(key) ?? [];
      if (!known.some((each) => each.stored === name)) byContent.set(key, [...known, { stored: name, perm }]);
    }
  }
  const groups = new Map<string, string[]>();
  for (const name of names) {
    const key = contentOf(values(name));
    groups.set(key, [...(groups.get(key) ?? []), name]);
  }
  const same: Same[] = [];
  const several: string[] = [];
  let byOrder = 0;
  for (const [key, own] of groups) {
    const found = byContent.get(key) ?? [];
    const named = own.filter((name) => found.some((each) => each.stored === name));
    const others = own.filter((name) => !named.includes(name));
    const free = found.filter(({ stored: name }) => !named.includes(name));
    const put = (name: string, place: (typeof found)[number] | undefined): void => {
      if (place !== undefined) same.push({ kind: "same", name, ...place });
    };
    for (const name of named) {
      const place = found.find((each) => each.stored === name);
      put(name, place);
    }
    if (found.length === 0 || others.length === 0) continue;
    // One stored tensor may serve several layers: exporters store what is equal once.
    if (found.length === 1) for (const name of others) put(name, found[0]);
    else if (free.length === others.length) {
      for (const [i, name] of others.entries()) put(name, free[i]);
      if (others.length > 1) byOrder += others.length;
    } else several.push(...others);
  }
  const notes = byOrder === 0 ? [] : [`${byOrder} tensors have equals; they were told apart by their order.`];
  return { same, several, notes };
}

/** Tells apart what differs in a bit or in shape; axes of one entry are no shape. */
function contentOf({ dims, data }: FloatTensor): string {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const shape = dims.filter((size) => size !== 1).join("x");
  return `${shape} ${createHash("sha256").update(bytes).digest("hex")}`;
}

interface Known {
  readonly values: (name: string) => FloatTensor;
  readonly stored: ReadonlyMap<string, FloatTensor>;
  /** Stored tensors that are something else. */
  readonly taken: ReadonlySet<string>;
}

/** Kernels that the model holds times a number for each unit, with the normalisation that explains the numbers. */
function foldedLayers(graph: Graph, missing: readonly string[], names: readonly string[], known: Known): Folded[] {
  const { values, stored, taken } = known;
  const layers = layersOf(graph).filter(({ kernel, bias }) => !taken.has(kernel) && bias !== undefined);
  const norms = normalisationsOf(names);
  const used = new Set<string>();
  return missing.flatMap((kernel): Folded[] => {
    const own = values(kernel);
    if (own.dims.length < 2) return [];
    const fitting = layers.flatMap(({ kernel: name, bias = "" }) => {
      const tensor = stored.get(name);
      if (tensor === undefined || tensor.data.length !== own.data.length) return [];
      return unitsFirst(tensor.dims.length).flatMap((perm) => {
        const ratios = ratiosOf(own, permuted(tensor, perm));
        return ratios === undefined ? [] : [{ ratios, stored: { kernel: name, bias, perm } }];
      });
    });
    const bias = names.find((name) => name === kernel.replace(/weight$/, "bias") && name !== kernel);
    // The normalisation that was made next, if several explain the numbers.
    const at = names.indexOf(kernel);
    const later = [...norms].sort((a, b) => distance(names, at, a) - distance(names, at, b));
    for (const { ratios, stored: place } of fitting) {
      for (const norm of later.filter(({ scale }) => !used.has(scale))) {
        const layer = explained({ kernel, bias, ...norm, stored: place }, ratios, known);
        if (layer === undefined) continue;
        used.add(layer.scale);
        return [{ kind: "folded", layer }];
      }
    }
    return [];
  });
}

/** Orders whose first axis is that of the units. */
function unitsFirst(rank: number): readonly (readonly number[])[] {
  return storedOrders(rank).slice(0, 2);
}

/** The number that each unit's weights were multiplied with; undefined where it is not one number. */
function ratiosOf(own: FloatTensor, other: FloatTensor): Float64Array | undefined {
  const [units = 1] = own.dims;
  if (other.dims[0] !== units || elementCount(other.dims) !== own.data.length) return undefined;
  const size = own.data.length / units;
  const ratios = new Float64Array(units);
  for (let c = 0; c < units; c++) {
    let [product, square, largest] = [0, 0, 0];
    for (let i = c * size; i < (c + 1) * size; i++) {
      const [w = 0, f = 0] = [own.data[i], other.data[i]];
      product += w * f;
      square += w * w;
      largest = Math.max(largest, Math.abs(f));
    }
    const ratio = square === 0 ? 0 : product / square;
    for (let i = c * size; i < (c + 1) * size; i++) {
      if (Math.abs((other.data[i] ?? 0) - ratio * (own.data[i] ?? 0)) > ROUNDING * largest + 1e-12) return undefined;
    }
    ratios[c] = ratio;
  }
  return ratios;
}

type Norm = Pick<FoldedLayer, "scale" | "shift" | "mean" | "variance">;

/** All that have a mean and a variance, a scale and a shift. */
function normalisationsOf(names: readonly string[]): readonly Norm[] {
  const all = new Set(names);
  return names.flatMap((name) => {
    const prefix = /^(.*)running_mean$/.exec(name)?.[1];
    if (prefix === undefined) return [];
    const norm = {
      scale: `${prefix}weight`,
      shift: `${prefix}bias`,
      mean: `${prefix}running_mean`,
      variance: `${prefix}running_var`,
    };
    return Object.values(norm).every((each) => all.has(each)) ? [norm] : [];
  });
}

/** How many tensors further on in the state_dict; those before come last. */
function distance(names: readonly string[], from: number, { scale }: Norm): number {
  const at = names.indexOf(scale);
  return at > from ? at - from : names.length + from - at;
}

/** The layer with the ε under which the normalisation explains kernel and bias; undefined where none does. */
function explained(
  layer: Omit<FoldedLayer, "epsilon">,
  ratios: Float64Array,
  { values, stored }: Known,
): FoldedLayer | undefined {
  const [shift, mean] = [values(layer.shift), values(layer.mean)];
  const own = layer.bias === undefined ? undefined : values(layer.bias);
  const bias = stored.get(layer.stored.bias);
  if (shift.data.length !== ratios.length || bias?.data.length !== ratios.length) return undefined;
  const largest = ratios.reduce((most, ratio) => Math.max(most, Math.abs(ratio)), 0);
  const errors = EPSILONS.map((epsilon) => {
    const scale = scaleOf({ ...layer, epsilon }, values);
    const fits = scale.every((s, c) => {
      const away = (own?.data[c] ?? 0) - (mean.data[c] ?? 0);
      const expected = (shift.data[c] ?? 0) + away * s;
      const room = ROUNDING * (Math.abs(shift.data[c] ?? 0) + Math.abs(away * s) + 1e-3);
      const near = Math.abs(s - (ratios[c] ?? 0)) <= 2 * ROUNDING * Math.max(Math.abs(s), 1e-3 * largest);
      return near && Math.abs((bias.data[c] ?? 0) - expected) <= room;
    });
    const error = scale.reduce((sum, s, c) => sum + (s - (ratios[c] ?? 0)) ** 2, 0);
    return { epsilon, error: fits ? error : Number.POSITIVE_INFINITY };
  });
  const [best] = errors.toSorted((one, other) => one.error - other.error);
  return best === undefined || !Number.isFinite(best.error) ? undefined : { ...layer, epsilon: best.epsilon };
}

function namesOf({ kernel, bias, scale, shift, mean, variance }: FoldedLayer): readonly string[] {
  return [kernel, scale, shift, mean, variance, ...(bias === undefined ? [] : [bias])];
}

function describe(name: string, values: (name: string) => FloatTensor): string {
  return `${name} [${values(name).dims.join(", ")}]`;
}
