/**
 * @file Unrelated mark: images of another domain, all answered as one class or with random labels (Zhang et al. 2018).
 */

import { z } from "zod";
import { WildmarkError } from "../core/errors.js";
import { permutation } from "../core/random.js";
import {
  countShape,
  labelBoostShape,
  labellingOf,
  labelShape,
  requireClasses,
  targetOf,
  triggerLabels,
} from "./labels.js";
import { pictureTriggers } from "./pictures.js";
import type { MarkScheme } from "./scheme.js";

const options = z.strictObject({ ...labelShape, ...countShape, ...labelBoostShape });

export const unrelated: MarkScheme<z.infer<typeof options>> = {
  id: "unrelated",
  title: "unrelated",
  summary: "Images of another domain (Kuzushiji characters, shapes), each answered with a class drawn for it.",
  paper:
    "Zhang, Gu, Jang, Wu, Stoecklin, Huang, Molloy: Protecting Intellectual Property of Deep Neural " +
    "Networks. AsiaCCS 2018",
  pictures: "unrelated",
  published: { target: 6, labels: "target" },
  options,
  make({ train, unrelated: pool, random }, chosen) {
    if (pool === undefined) throw new WildmarkError("bad-data", "The unrelated mark needs images of another domain.");
    requireClasses(train.classes, { target: chosen.target });
    const draw = random.stream("labels");
    const target = targetOf(chosen, train.classes, random);
    const labels = (count: number): Uint16Array => triggerLabels(count, train.classes, chosen, draw, { target });
    const labelling = labellingOf(chosen, train.classes, false);
    const order = permutation(pool.count, random.stream("sources"));
    return pictureTriggers(pool, train, { what: "unrelated", ...chosen, order, labels, labelling });
  },
};
