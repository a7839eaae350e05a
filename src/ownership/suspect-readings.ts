/**
 * @file Under which reading of its images a suspect answers a key best: what a suspect's own file says of its
 * preprocessing is a word among others, and a thief may have written it ("range 1 to 0" turns every verdict over).
 *
 * All plausible readings are asked the triggers. The best of them is the suspect, and the p-value is multiplied by
 * their number (Bonferroni): whichever was right, it was one of them. What the user says by flags is fixed, and not
 * varied.
 */

import { WildmarkError } from "../core/errors.js";
import { inMemory } from "../data/pixels.js";
import type { Model } from "../onnx/model.js";
import type { Preprocessing } from "../onnx/preprocessing.js";
import { plausibleReadings, type Reading, readAs } from "../onnx/readings.js";
import type { RuntimeOptions } from "../runtime/session.js";
import type { Key } from "./key.js";
import { modelSuspect } from "./suspect.js";

/** One reading, and how many triggers were answered with the key's labels under it. */
export interface ReadingTried extends Preprocessing {
  readonly name: string;
  /** Null where the model cannot be asked so. */
  readonly matches: number | null;
}

export interface ReadSuspect {
  readonly model: Model;
  /** The best one first; of equals the one that flags, sidecar or file say, then the more usual. */
  readonly tried: readonly ReadingTried[];
}

/** @throws WildmarkError as asking the model does, where it can be asked under no reading. */
export async function readSuspect(model: Model, key: Key, runtime?: RuntimeOptions): Promise<ReadSuspect> {
  const { shape, triggers } = key;
  const [said, ...others] = plausibleReadings(model, shape);
  const images = { shape, count: triggers.count, pixels: inMemory(triggers.images) };
  const matchesUnder = async (read: Model): Promise<number> => {
    const answers = await modelSuspect(read, "", runtime).ask(images);
    return triggers.labels.reduce((sum, label, i) => sum + (answers[i] === label ? 1 : 0), 0);
  };
  // As it is said the model must answer, or nothing can be asked of it.
  const tried: { readonly reading: Reading; readonly matches: number | null }[] = [
    { reading: said, matches: await matchesUnder(model) },
  ];
  for (const reading of others)
    tried.push({ reading, matches: await orNull(() => matchesUnder(readAs(model, reading))) });
  const best = tried.reduce((most, next) => ((next.matches ?? -1) > (most.matches ?? -1) ? next : most));
  const sorted = [best, ...tried.filter((each) => each !== best)];
  return {
    model: best.reading === said ? model : readAs(model, best.reading),
    tried: sorted.map(({ reading: { against: _, ...reading }, matches }) => ({ ...reading, matches })),
  };
}

/** A reading under which pixels become too large for the network is no reading of it. */
async function orNull(ask: () => Promise<number>): Promise<number | null> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof WildmarkError && error.code !== "interrupted") return null;
    throw error;
  }
}
