/**
 * @file Makes a drawn key again from its secret and its base data, byte for byte: the proof that nobody chose a
 * picture.
 */

import { isDeepStrictEqual } from "node:util";
import { WildmarkError } from "../core/errors.js";
import { findMark } from "../watermarks/registry.js";
import { type BaseData, baseOf, drawTriggers } from "./draw-key.js";
import { type Key, type KeyBase, type KeyImages, MADE_ELSEWHERE } from "./key.js";
import { makeKey } from "./make-key.js";

/**
 * @throws WildmarkError `bad-key` for a key that was not drawn, or that holds other images or labels than its secret
 *   gives; `bad-data` where the base data are not those that it was drawn from.
 */
export async function requireRegenerable(key: Key, data: BaseData, where: string): Promise<void> {
  const { drawn } = key;
  if (drawn === undefined) {
    throw new WildmarkError("bad-key", `${where} cannot be made again: it was not drawn from a secret`, {
      hint: "Only keys that `wildmark embed` draws follow from a secret; this one holds what somebody chose.",
    });
  }
  if (key.scheme === MADE_ELSEWHERE) {
    throw new WildmarkError("bad-key", `${where} cannot be made again: its images were made elsewhere`, {
      hint: "Its labels are drawn, which is checked whenever it is read; nothing more can be asked of it.",
    });
  }
  const mark = findMark(key.scheme).choose(key.options);
  requireBase(drawn.base, baseOf(mark, data), where);
  const { classNames } = key;
  const { classNames: _, ...unnamed } = data;
  // What the classes are called is the key's own word, which its labels are bound to.
  const again = await drawTriggers(mark, classNames === undefined ? unnamed : { ...unnamed, classNames }, drawn.secret);
  const { modelSha256, seed } = key;
  const made = makeKey({ mark, set: again.set, seed, modelSha256, drawn: again });
  const parts: readonly (readonly [name: string, has: KeyImages | undefined, gives: KeyImages | undefined])[] = [
    ["triggers", key.triggers, made.triggers],
    ["placebos", key.placebos, made.placebos],
    ["held-out triggers", key.heldOut, made.heldOut],
  ];
  for (const [name, has, gives] of parts) {
    if (equal(has?.images, gives?.images)) continue;
    throw new WildmarkError("bad-key", `${where}: its ${name} are not those that its secret gives with these data`, {
      hint: "Somebody changed the key's images after they were drawn, or another version of Wildmark drew them.",
    });
  }
  // A key may say of itself that its labels are chosen where its scheme draws them: only here that comes out.
  const said: readonly (readonly [name: string, has: unknown, gives: unknown])[] = [
    ["labels", key.triggers.labels, made.triggers.labels],
    ["labels of the held-out triggers", key.heldOut?.labels, made.heldOut?.labels],
    ["classes of the originals", key.sourceLabels, made.sourceLabels],
    ["way of drawing labels", drawn.labelling, made.drawn?.labelling],
    ["coins", drawn.exchangeable, made.drawn?.exchangeable],
    ["pairs", key.placebos?.paired, made.placebos?.paired],
  ];
  const other = said.find(([, has, gives]) => !isDeepStrictEqual(has, gives));
  if (other === undefined) return;
  throw new WildmarkError("bad-key", `${where}: its ${other[0]} are not what its scheme gives with its secret`, {
    hint: "Somebody chose them: the key proves nothing.",
  });
}

/** @throws WildmarkError `bad-data` naming what differs. */
function requireBase(wanted: KeyBase, found: KeyBase, where: string): void {
  const differences: readonly (readonly [
    what: string,
    wanted: string | undefined,
    found: string | undefined,
    hint: string,
  ])[] = [
    ["training images", wanted.sha256, found.sha256, `Give the same --dataset and --limit: ${wanted.count} images.`],
    ["pictures", wanted.picturesSha256, found.picturesSha256, "Give the same --unrelated or --abstract."],
    ["starting model", wanted.modelSha256, found.modelSha256, "Give the model that was marked: --base-model FILE."],
  ];
  for (const [what, sha256, other, hint] of differences) {
    if (sha256 === other) continue;
    const short = (hash: string | undefined): string => (hash === undefined ? "none" : `SHA-256 ${hash.slice(0, 12)}…`);
    throw new WildmarkError(
      "bad-data",
      `${where} was drawn from other ${what}: expected ${short(sha256)}, found ${short(other)}`,
      { hint },
    );
  }
}

function equal(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return Buffer.compare(a, b) === 0;
}
