/**
 * @file The names of values as they lie, while a graph is written, and the reordering of those that are wanted
 * otherwise.
 *
 * A value that is computed in blocks is put in plain order only where something asks for it that way, and the other way
 * round, each at most once: so chains of convolutions, normalisations and activations never leave the layout.
 */

import type { GraphBuilder } from "../../onnx/builder.js";
import { nchwcOp } from "./nchwc.js";
import type { Place } from "./rewrite.js";

export interface Layouts {
  /**
   * Name of the value as it lies in `place`, whose lanes must fill whole blocks; in plain order where there is none.
   */
  read(value: string, place: Place | undefined): string;
  /** Says that `made` holds the value as it lies in `place`; in plain order where there is none. */
  define(value: string, made: string, place: Place | undefined): void;
  /** Whether the value has been defined. */
  isDefined(value: string): boolean;
  /** Whether the value is at hand in plain order under another name than its own. */
  isRenamed(value: string): boolean;
}

interface Held extends Place {
  readonly name: string;
}

export function layoutsOf(b: GraphBuilder): Layouts {
  const inBlocks = new Map<string, readonly Held[]>();
  const inOrder = new Map<string, string>();
  const defined = new Set<string>();

  const hold = (value: string, entry: Held): void => {
    inBlocks.set(value, [...(inBlocks.get(value) ?? []), entry]);
  };
  const plain = (value: string): string => {
    const known = inOrder.get(value);
    const [found] = inBlocks.get(value) ?? [];
    if (known !== undefined || !defined.has(value) || found === undefined) return known ?? value;
    const [n = 1, c = 1] = found.dims;
    const made =
      found.lanes === "channels"
        ? nchwcOp(b, "ReorderOutput", [found.name], { channels: c })
        : exchanged(b, nchwcOp(b, "ReorderOutput", [found.name], { channels: n }), [c, n, ...found.dims.slice(2)]);
    inOrder.set(value, made);
    return made;
  };
  return {
    read(value, place) {
      if (place === undefined) return plain(value);
      const known = inBlocks.get(value)?.find(({ lanes }) => lanes === place.lanes);
      if (known !== undefined) return known.name;
      const ordered = place.lanes === "channels" ? plain(value) : exchanged(b, plain(value), place.dims);
      const name = nchwcOp(b, "ReorderInput", [ordered], {});
      hold(value, { ...place, name });
      return name;
    },
    define(value, made, place) {
      defined.add(value);
      if (place === undefined) inOrder.set(value, made);
      else hold(value, { ...place, name: made });
    },
    isDefined: (value) => defined.has(value),
    isRenamed: (value) => inOrder.has(value),
  };
}

/** [A, B, H, W] → [B, A, H, W] */
function exchanged(b: GraphBuilder, value: string, [left = 1, right = 1, ...spatial]: readonly number[]): string {
  if (left === 1 || right === 1) return b.op("Reshape", [value, b.ints([right, left, ...spatial])]);
  return b.op("Transpose", [value], { perm: [1, 0, ...spatial.map((_, i) => i + 2)] });
}
