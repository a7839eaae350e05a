/**
 * @file Which values of a graph are at hand in blocks, and the reordering of those that are wanted otherwise.
 *
 * A value that is computed in blocks is put in plain order only where something asks for it that way, and the other way
 * round, each at most once: so chains of convolutions, normalisations and activations never leave the layout.
 */

import type { GraphBuilder } from "../../onnx/builder.js";
import { blockedOp } from "./blocked.js";

export interface Layouts {
  /** Channels of a block; undefined where the machine has no such layout: then nothing is ever in blocks. */
  readonly block: number | undefined;
  /** Dimensions [N, C, H, W] of a value that is at hand in blocks, else undefined. */
  dims(value: string): readonly number[] | undefined;
  /** Name of the value in blocks; C must fill whole blocks. */
  blocked(value: string, dims: readonly number[]): string;
  /** Name of the value in plain order. */
  plain(value: string): string;
  /** Says that `made` is the value in plain order. */
  name(value: string, made: string): void;
  /** Says that `made` holds the value in blocks, and that nothing holds it in plain order yet. */
  give(value: string, made: string, dims: readonly number[]): void;
  /** Whether the value has been computed under another name or in blocks. */
  gave(value: string): boolean;
  /** Whether the value is at hand in plain order under another name than its own. */
  ordered(value: string): boolean;
  /** What `make` appends, only at the first call for `key`. */
  once(key: string, make: () => string): string;
}

export function layoutsOf(b: GraphBuilder, block: number | undefined): Layouts {
  const inBlocks = new Map<string, { readonly name: string; readonly dims: readonly number[] }>();
  const computed = new Set<string>();
  const inOrder = new Map<string, string>();
  const shared = new Map<string, string>();
  const plain = (value: string): string => {
    const known = inOrder.get(value);
    if (known !== undefined || !computed.has(value)) return known ?? value;
    const { name = "", dims = [] } = inBlocks.get(value) ?? {};
    const made = blockedOp(b, "ReorderOutput", [name], { channels: dims[1] ?? 1 });
    inOrder.set(value, made);
    return made;
  };
  return {
    block,
    plain,
    dims: (value) => inBlocks.get(value)?.dims,
    blocked(value, dims) {
      const name = inBlocks.get(value)?.name ?? blockedOp(b, "ReorderInput", [plain(value)], {});
      if (!inBlocks.has(value)) inBlocks.set(value, { name, dims });
      return name;
    },
    name(value, made) {
      inOrder.set(value, made);
    },
    give(value, made, dims) {
      inBlocks.set(value, { name: made, dims });
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
