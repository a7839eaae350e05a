/**
 * @file Which images of a key are put to a suspect that should not see all of it.
 *
 * A key of n triggers is asked in its own order, so that nobody can choose the triggers that suit. Placebo j belongs to
 * trigger j mod n: paired placebos to their own trigger, others in turn. So the first N triggers come with their
 * placebos, and pairs stay together.
 */

import { WildmarkError } from "../../core/errors.js";
import type { ImageShape } from "../../core/image.js";
import { type Images, selectImages } from "../../data/dataset.js";
import { imageHashes } from "../../data/image-id.js";
import { inMemory } from "../../data/pixels.js";
import { NOT_ASKED, type Suspect } from "../suspect.js";

/** Images as a key holds them. */
export interface HeldImages {
  readonly images: Uint8Array;
  readonly count: number;
}

/** What of a key is put to suspects; every key fits. */
export interface AskableKey {
  readonly shape: ImageShape;
  readonly classes: number;
  readonly triggers: HeldImages;
  readonly placebos?: HeldImages | undefined;
  readonly heldOut?: HeldImages | undefined;
}

export interface KeyQueries {
  readonly triggers: Images;
  readonly placebos: Images | undefined;
}

/**
 * The first `queries` triggers of a key with their placebos; all of both where `queries` is left out.
 *
 * @throws WildmarkError `usage` where the key has not so many triggers.
 */
export function firstQueries(key: AskableKey, queries = key.triggers.count): KeyQueries {
  const { triggers, placebos, shape } = key;
  if (!Number.isInteger(queries) || queries < 1 || queries > triggers.count) {
    throw new WildmarkError("usage", `--queries ${queries}: the key holds ${triggers.count} triggers.`, {
      hint: `Choose a whole number from 1 to ${triggers.count}.`,
    });
  }
  const first = ({ images, count }: HeldImages): Images => {
    const indices = Array.from({ length: count }, (_, i) => i).filter((i) => i % triggers.count < queries);
    return selectImages({ shape, count, pixels: inMemory(images) }, indices);
  };
  return {
    triggers: first(triggers),
    placebos: placebos === undefined || placebos.count === 0 ? undefined : first(placebos),
  };
}

/** What of a key nobody else should know, by the images' hashes. */
export type Secret = "trigger" | "placebo" | "held-out";

/** Every image of a key under its hash; what is a trigger and something else too counts as a trigger. */
export function keySecrets(key: AskableKey): ReadonlyMap<string, Secret> {
  const hashes = (held: HeldImages | undefined, what: Secret): [string, Secret][] =>
    held === undefined
      ? []
      : imageHashes({ shape: key.shape, count: held.count, pixels: inMemory(held.images) }).map((hash) => [hash, what]);
  return new Map([
    ...hashes(key.placebos, "placebo"),
    ...hashes(key.heldOut, "held-out"),
    ...hashes(key.triggers, "trigger"),
  ]);
}

/**
 * The same suspect, which is asked no image of the key but the first `queries` triggers and their placebos: the rest
 * answers `NOT_ASKED`. Images that are not the key's (null models' triggers, fresh keys) are asked as they come.
 *
 * @throws WildmarkError `usage` as `firstQueries` does.
 */
export function askedFirst(suspect: Suspect, key: AskableKey, queries: number): Suspect {
  const secrets = keySecrets(key);
  const { triggers, placebos } = firstQueries(key, queries);
  const asked = new Set([...imageHashes(triggers), ...(placebos === undefined ? [] : imageHashes(placebos))]);
  return onlyAsked(suspect, (hash) => !secrets.has(hash) || asked.has(hash));
}

/** The same suspect, which is asked only images whose hash passes. */
function onlyAsked(suspect: Suspect, passes: (hash: string) => boolean): Suspect {
  return {
    ...suspect,
    ask: async (images) => {
      const asked = imageHashes(images).flatMap((hash, i) => (passes(hash) ? [i] : []));
      const found = new Int32Array(images.count).fill(NOT_ASKED);
      if (asked.length === 0) return found;
      const answers = await suspect.ask(selectImages(images, asked));
      for (const [at, i] of asked.entries()) found[i] = answers[at] ?? NOT_ASKED;
      return found;
    },
  };
}
