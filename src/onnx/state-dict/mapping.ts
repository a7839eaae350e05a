/**
 * @file How the tensors of a framework's state_dict and the stored tensors of a model that was exported from it follow
 * from each other: by value, since exporters rename, transpose and fold.
 */

import { WildmarkError } from "../../core/errors.js";
import type { SafeTensors } from "../../core/safetensors.js";
import { elementCount, type FloatTensor, float32, type Tensor } from "../../core/tensor.js";
import { type FoldedLayer, folded, unfolded } from "./folded.js";
import { permuted } from "./permute.js";

/** One tensor of the state_dict is a stored tensor of the model, its axes perhaps in another order. */
export interface Same {
  readonly kind: "same";
  readonly name: string;
  readonly stored: string;
  /** Axis `perm[i]` of the stored tensor is axis i of the state_dict's. */
  readonly perm: readonly number[];
}

/** A layer into which the normalisation behind it was folded. */
export interface Folded {
  readonly kind: "folded";
  readonly layer: FoldedLayer;
}

export interface StateDictMapping {
  readonly parts: readonly (Same | Folded)[];
  /** Tensors that no model holds, such as counters: they stay as they are. */
  readonly kept: readonly string[];
  /** What deserves a look, in sentences. */
  readonly notes: readonly string[];
}

/** The stored float tensors of a model, by name. */
export type Stored = ReadonlyMap<string, Tensor>;

/**
 * The state_dict with the values of a model whose weights have changed.
 *
 * @param like the state_dict that the mapping was found with.
 * @param stored of the changed model.
 */
export function stateDictFrom({ parts }: StateDictMapping, like: SafeTensors, stored: Stored): SafeTensors {
  const tensors = new Map(like.tensors);
  const put = (name: string, values: FloatTensor): void => {
    tensors.set(name, inTypeOf(tensors.get(name), values));
  };
  for (const part of parts) {
    if (part.kind === "same") {
      const found = permuted(floatNamed(stored, part.stored), part.perm);
      put(part.name, float32(dimsOf(like, part.name), found.data));
      continue;
    }
    for (const [name, values] of unfolded(part.layer, (name) => floatNamed(stored, name), floatsOf(like))) {
      put(name, values);
    }
  }
  return { metadata: like.metadata, tensors };
}

/** The stored tensors of a model with the values of a state_dict: the other way. */
export function storedFrom(
  { parts }: StateDictMapping,
  stateDict: SafeTensors,
  original: Stored,
): ReadonlyMap<string, FloatTensor> {
  const values = floatsOf(stateDict);
  const found = new Map<string, FloatTensor>();
  for (const part of parts) {
    if (part.kind === "folded") {
      for (const [name, tensor] of folded(part.layer, (name) => floatNamed(original, name), values)) {
        found.set(name, tensor);
      }
      continue;
    }
    const { dims } = floatNamed(original, part.stored);
    const inverse = part.perm.map((_, axis) => part.perm.indexOf(axis));
    const given = values(part.name);
    const shaped = float32(
      part.perm.map((axis) => dims[axis] ?? 1),
      given.data,
    );
    if (elementCount(shaped.dims) !== given.data.length) throw unlike(part.name);
    const next = permuted(shaped, inverse);
    const other = found.get(part.stored);
    if (other !== undefined && !next.data.every((value, i) => value === other.data[i])) throw merged(part.name);
    found.set(part.stored, next);
  }
  return found;
}

/** The float tensors of a state_dict as float32. @throws WildmarkError `bad-data` for one that is not there. */
export function floatsOf({ tensors }: SafeTensors): (name: string) => FloatTensor {
  return (name) => {
    const tensor = tensors.get(name);
    if (tensor?.type === "float32") return tensor;
    if (tensor?.type === "float64") return float32(tensor.dims, Float32Array.from(tensor.data));
    throw new WildmarkError("bad-data", `The state_dict holds no tensor "${name}" of 32 or 64 bits.`);
  };
}

function floatNamed(stored: Stored, name: string): FloatTensor {
  const tensor = stored.get(name);
  if (tensor?.type === "float32") return tensor;
  throw new WildmarkError("bad-model", `The model stores no tensor "${name}", which the original holds.`, {
    hint: "Give the model and the file that it was made from.",
  });
}

function dimsOf({ tensors }: SafeTensors, name: string): readonly number[] {
  return tensors.get(name)?.dims ?? [];
}

function inTypeOf(old: Tensor | undefined, values: FloatTensor): Tensor {
  if (old?.type === "float64") return { type: "float64", dims: old.dims, data: Float64Array.from(values.data) };
  return { ...values, dims: old?.dims ?? values.dims };
}

/** Exporters store equal tensors once: then the model has room for one of them. */
function merged(name: string): WildmarkError {
  return new WildmarkError(
    "bad-data",
    `"${name}" was equal to another tensor when the model was exported, which stores both once; now they differ.`,
    { hint: "Export the network again." },
  );
}

function unlike(name: string): WildmarkError {
  return new WildmarkError("bad-data", `"${name}" has another size than in the state_dict that the model came from.`);
}
