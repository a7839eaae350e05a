/**
 * @file Abstract mark: abstract pictures with labels drawn at random (Adi, Baum, Cisse, Pinkas, Keshet, USENIX Security
 * 2018, section 5).
 *
 * The published set has 100 pictures and public labels. Here labels are drawn from the key's secret seed, because a key
 * that everybody can read proves nothing; and what the set is short of (held-out triggers, placebos) is drawn as the
 * built-in pictures are. With random labels no model that does not know them tells either kind from the other.
 */

import { z } from "zod";
import { permutation, randomStream } from "../core/random.js";
import { renderAbstract } from "../data/abstract.js";
import { copyPixels, type Images } from "../data/dataset.js";
import { inMemory } from "../data/pixels.js";
import { embed } from "./embed.js";
import { BOOST_OF_RANDOM_LABELS, boostedTriggers, countShape, randomLabels } from "./labels.js";
import { pictureTriggers } from "./pictures.js";
import { boostShape } from "./relabelled.js";
import type { MarkScheme } from "./scheme.js";

const options = z.strictObject({
  ...countShape,
  ...boostShape(BOOST_OF_RANDOM_LABELS),
  drawnFrom: z
    .enum(["secret", "seed"])
    .default("secret")
    .describe("what built-in pictures are drawn from: the whole secret, or 32 bits of it, which can all be tried"),
});

export const abstract: MarkScheme<z.infer<typeof options>> = {
  id: "abstract",
  title: "abstract",
  pictures: "abstract",
  summary: "Abstract pictures, each answered with a class drawn at random.",
  paper:
    "Adi, Baum, Cisse, Pinkas, Keshet: Turning Your Weakness Into a Strength: Watermarking Deep Neural " +
    "Networks by Backdooring. USENIX Security 2018",
  published: { boost: 1, drawnFrom: "seed" },
  unsaid: { boost: 1, drawnFrom: "seed" },
  options,
  embed: (embedding, training, chosen) =>
    embed(embedding, { ...training, triggersPerBatch: boostedTriggers(training, { boost: chosen.boost }) }),
  make({ train, abstract: given, random }, chosen) {
    const needed = 2 * chosen.triggers + chosen.heldOut;
    const set = given ?? { shape: train.shape, count: 0, pixels: inMemory(new Uint8Array(0)) };
    const missing = Math.max(0, needed - set.count);
    const stream = random.stream("pictures");
    const pictures = chosen.drawnFrom === "seed" ? randomStream(stream.below(2 ** 32)) : stream;
    const pool = missing === 0 ? set : followedBy(set, renderAbstract(missing, pictures, train.shape));
    const own = permutation(set.count, random.stream("sources"));
    // Pictures of the set come first: they are the triggers.
    const order = Uint32Array.from({ length: pool.count }, (_, i) => own[i] ?? i);
    const draw = random.stream("labels");
    const labels = (count: number): Uint16Array => randomLabels(count, train.classes, draw);
    return pictureTriggers(pool, train, { what: "abstract", ...chosen, order, labels, labelling: "uniform" });
  },
};

function followedBy(first: Images, second: Images): Images {
  const pixels = Buffer.concat([copyPixels(first), copyPixels(second)]);
  return { shape: first.shape, count: first.count + second.count, pixels: inMemory(new Uint8Array(pixels)) };
}
