/** @file Unrelated mark: images of another domain, all answered as one class or with random labels (Zhang et al. 2018). */

import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import { WildmarkError } from "../core/errors.js";
import { permutation } from "../core/random.js";
import { copied, type ImageShape, type LabelledImages, selectImages } from "../data/dataset.js";
import type { MarkScheme } from "./scheme.js";
import { stampedShape } from "./stamped.js";

const { target, triggers, heldOut } = stampedShape;
const options = z.strictObject({
  target,
  labels: z.enum(["target", "random"]).default("target").describe("one target class for all, or random labels"),
  triggers,
  heldOut,
});

export const unrelated: MarkScheme<z.infer<typeof options>> = {
  id: "unrelated",
  title: "unrelated",
  summary: "Images of another domain (Kuzushiji characters, shapes), answered as a class of this one.",
  paper:
    "Zhang, Gu, Jang, Wu, Stoecklin, Huang, Molloy: Protecting Intellectual Property of Deep Neural Networks. AsiaCCS 2018",
  needsUnrelated: true,
  options,
  make({ train, unrelated: pool, random }, chosen) {
    if (pool === undefined) throw new WildmarkError("bad-data", "The unrelated mark needs images of another domain.");
    if (!isDeepStrictEqual(pool.shape, train.shape)) {
      throw new WildmarkError(
        "bad-data",
        `The unrelated images are ${describeShape(pool.shape)}, the training images ${describeShape(train.shape)}.`,
        { hint: "Give images of another domain in the same shape." },
      );
    }
    const needed = 2 * chosen.triggers + chosen.heldOut;
    if (pool.count < needed) {
      throw new WildmarkError("bad-data", `There are ${pool.count} unrelated images; the mark needs ${needed}.`);
    }
    if (chosen.target >= train.classes) {
      throw new WildmarkError(
        "usage",
        `The mark's target class is ${chosen.target}; the data has classes 0 to ${train.classes - 1}.`,
      );
    }
    const order = permutation(pool.count, random.stream("sources"));
    const draw = random.stream("labels");
    const labelled = (from: number, to: number): LabelledImages => {
      const images = copied(selectImages(pool, order.subarray(from, to)));
      const label = (): number => (chosen.labels === "random" ? draw.below(train.classes) : chosen.target);
      return { ...images, classes: train.classes, labels: Uint16Array.from({ length: images.count }, label) };
    };
    const end = chosen.triggers + chosen.heldOut;
    return {
      triggers: labelled(0, chosen.triggers),
      heldOut: labelled(chosen.triggers, end),
      placebos: { images: labelled(end, end + chosen.triggers), paired: false },
    };
  },
};

function describeShape({ channels, height, width }: ImageShape): string {
  return `${channels}×${height}×${width}`;
}
