/** @file A suspect that sees images only after something happened to them on the way. */

import type { Chain } from "../../data/through.js";
import type { Suspect } from "../suspect.js";

/**
 * The same suspect behind a way that images take (`throughChain`).
 *
 * @param said how the way was written, for documents: "jpeg:75,resize:224".
 */
export function suspectThrough(suspect: Suspect, chain: Chain, said: string): Suspect {
  return {
    ...suspect,
    name: `${suspect.name} through ${said}`,
    ask: async (images) => suspect.ask(await chain(images)),
  };
}
