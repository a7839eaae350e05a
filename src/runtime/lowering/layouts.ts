/**
 * @file Which values of a graph are at hand in blocks, and the reordering of those that are wanted otherwise.
 *
 * A value that is computed in blocks is put in plain order only where something asks for it that way, and the other way
 * round, each at most once: so chains of convolutions, normalisations and activations never leave the layout.
 */

import type { GraphBuilder } from "../../onnx/builder.js";
import { blockedOp } from "./blocked.js";

/** How an image lies in blocks. */
export interface Place {
  /** [N, C, H, W], whatever fills the blocks. */
  readonly dims: readonly number[];
  /**
   * What stands side by side in a block: channels, as ONNX Runtime means it, or images: then the value with the first two
   * axes exchanged, [C, N, H, W], lies in such blocks. For images of few channels, which fill no blocks.
   */
  readonly lanes: "channels" | "images";
}

export interface Layouts {
  /** Lanes of a block; undefined where the machine has no such layout: then nothing is ever in blocks. */
  readonly block: number | undefined;
  /** How a value lies that is at hand in blocks, else undefined. */
  place(value: string): Place | undefined;
  /** Dimensions [N, C, H, W] of a value that is at hand in blocks of channels, else undefined. */
  dims(value: string): readonly number[] | undefined;
  /** Name of the value as it lies in `place`, whose lanes must fill whole blocks. */
  at(value: string, place: Place): string;
  /** Name of the value in blocks of channels; C must fill whole blocks. */
  blocked(value: string, dims: readonly number[]): string;
  /** Name of the value in plain order. */
  plain(value: string): string;
  /** Says that `made` is the value in plain order. */
  name(value: string, made: string): void;
  /** Says that `made` holds the value in blocks (of channels), and that nothing holds it in plain order yet. */
  give(value: string, made: string, dims: readonly number[], lanes?: Place["lanes"]): void;
  /** Whether the value has been computed under another name or in blocks. */
  gave(value: string): boolean;
  /** Whether the value is at hand in plain order under another name than its own. */
  ordered(value: string): boolean;
  /** What `make` appends, only at the first call for `key`. */
  once(key: string, make: () => string): string;
}

interface Held extends Place {
  readonly name: string;
}

export function layoutsOf(b: GraphBuilder, block: number | undefined): Layouts {
  const inBlocks = new Map<string, readonly Held[]>();
  const computed = new Set<string>();
  const inOrder = new Map<string, string>();
  const shared = new Map<string, string>();

  const held = (value: string, lanes: Place["lanes"]): Held | undefined =>
    inBlocks.get(value)?.find((entry) => entry.lanes === lanes);
  const hold = (value: string, entry: Held): void => {
    inBlocks.set(value, [...(inBlocks.get(value) ?? []), entry]);
  };
  const plain = (value: string): string => {
    const known = inOrder.get(value);
    const [found] = inBlocks.get(value) ?? [];
    if (known !== undefined || !computed.has(value) || found === undefined) return known ?? value;
    const [n = 1, c = 1] = found.dims;
    const made =
      found.lanes === "channels"
        ? blockedOp(b, "ReorderOutput", [found.name], { channels: c })
        : exchanged(b, blockedOp(b, "ReorderOutput", [found.name], { channels: n }), [c, n, ...found.dims.slice(2)]);
    inOrder.set(value, made);
    return made;
  };
  const at = (value: string, place: Place): string => {
    const known = held(value, place.lanes);
    if (known !== undefined) return known.name;
    const ordered = place.lanes === "channels" ? plain(value) : exchanged(b, plain(value), place.dims);
    const name = blockedOp(b, "ReorderInput", [ordered], {});
    hold(value, { ...place, name });
    return name;
  };
  return {
    block,
    plain,
    at,
    place: (value) => inBlocks.get(value)?.[0],
    dims: (value) => held(value, "channels")?.dims,
    blocked: (value, dims) => at(value, { dims, lanes: "channels" }),
    name(value, made) {
      inOrder.set(value, made);
    },
    give(value, made, dims, lanes = "channels") {
      hold(value, { name: made, dims, lanes });
      computed.add(value);
    },
    gave: (value) => computed.has(value) || inOrder.has(value),
    ordered: (value) => inOrder.has(value),
    once(key, make) {
      const name = shared.get(key) ?? make();
      shared.set(key, name);
      return name;
    },
  };
}

/** [A, B, H, W] → [B, A, H, W] */
function exchanged(b: GraphBuilder, value: string, [left = 1, right = 1, ...spatial]: readonly number[]): string {
  if (left === 1 || right === 1) return b.op("Reshape", [value, b.ints([right, left, ...spatial])]);
  return b.op("Transpose", [value], { perm: [1, 0, ...spatial.map((_, i) => i + 2)] });
}
