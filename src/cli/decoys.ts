/** @file Ordinary images among those of a key, so that triggers do not stand out. */

import { z } from "zod";
import { WildmarkError } from "../core/errors.js";
import { describeShape, type ImageShape } from "../core/image.js";
import { permutation, type RandomStream } from "../core/random.js";
import { type LabelledImages, select } from "../data/dataset.js";
import { isPath } from "../data/load.js";
import { type DataCall, dataFlags, loadChosen } from "./data.js";

export const decoyFlags = {
  decoys: z.int().min(0).default(0).meta({
    description: "how many ordinary test images of --dataset go with the key's, so that triggers do not stand out",
    placeholder: "N",
  }),
  dataset: z.string().optional().meta({
    description: "where they come from: digits, mnist, … (wildmark data list), or the path of one",
    placeholder: "NAME",
  }),
  resize: dataFlags.resize,
  dataDir: dataFlags.dataDir,
};

export type DecoyFlags = z.infer<z.ZodObject<typeof decoyFlags>>;

/**
 * Test images drawn at random, each once.
 *
 * @param random nobody else's: who can repeat the draw can tell decoys from the rest.
 * @throws WildmarkError `usage` where no data set is named or it has too few images; `bad-data` where they do not have
 *   the key's shape.
 */
export async function decoysFor(
  flags: DecoyFlags,
  shape: ImageShape,
  random: RandomStream,
  call: DataCall,
): Promise<LabelledImages | undefined> {
  const { decoys, dataset: source, resize, dataDir } = flags;
  if (decoys === 0) return undefined;
  if (source === undefined) {
    throw new WildmarkError("usage", `--decoys ${decoys}: of which data set?`, {
      hint: "Say which with --dataset NAME: the one that the suspect's task is about.",
    });
  }
  // Of the training images none is needed; a path is split at random, and that takes all of them.
  const limit = isPath(source) ? undefined : 1;
  const { test } = await loadChosen({ dataset: source, resize, dataDir, limit }, call);
  if (describeShape(test.shape) !== describeShape(shape)) {
    throw new WildmarkError(
      "bad-data",
      `the images of ${source} are ${describeShape(test.shape)}, the key's ${describeShape(shape)}.`,
      { hint: "Decoys must look like the key's images: take the data set that the key was made from, or --resize." },
    );
  }
  if (decoys > test.count) {
    throw new WildmarkError("usage", `--decoys ${decoys}: ${source} has ${test.count} test images.`);
  }
  return select(test, permutation(test.count, random).subarray(0, decoys));
}
