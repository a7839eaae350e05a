/**
 * @file Keys that anybody can make: of the same scheme and options, drawn from the same base data with fresh secrets.
 * What a suspect answers to them is what a claim has to beat.
 */

import type { ChosenMark } from "../watermarks/registry.js";
import { type BaseData, drawTriggers, newSecret } from "./draw-key.js";
import { type Key, NO_MODEL } from "./key.js";
import { makeKey } from "./make-key.js";

/** How many are drawn unless told otherwise: as few as reach the usual level 0.05 where only their ranks count. */
export const STRANGERS = 19;

/**
 * Draws `count` keys. The secrets are new each time, so that nobody can have prepared a suspect for them; a verdict may
 * therefore move a little where it is repeated.
 *
 * @param secretOf the secret of each; fresh by default.
 * @throws WildmarkError as the mark's `make` does.
 */
export async function strangersKeys(
  mark: ChosenMark,
  data: BaseData,
  count = STRANGERS,
  secretOf: (stranger: number) => Uint8Array = newSecret,
): Promise<Key[]> {
  const keys: Key[] = [];
  for (let stranger = 0; stranger < count; stranger++) {
    const drawn = await drawTriggers(mark, data, secretOf(stranger));
    keys.push(makeKey({ mark, set: drawn.set, seed: 0, modelSha256: NO_MODEL, drawn }));
  }
  return keys;
}
