/** @file Content-based mark: the text "TEST" stamped on images of one class (Zhang et al., AsiaCCS 2018). */

import { z } from "zod";
import { WildmarkError } from "../core/errors.js";
import type { ImageShape } from "../data/dataset.js";
import type { MarkScheme, OwnerData, TriggerSet } from "./scheme.js";
import { type Stamp, stampedShape, stampedTriggers } from "./stamped.js";

/** Of marks that show these triggers and train them in another way, too. */
export const contentShape = {
  ...stampedShape,
  shape: z.enum(["text", "rectangle"]).default("text").describe('the stamp: the text "TEST" or a filled rectangle'),
};

const options = z.strictObject(contentShape);

export const content: MarkScheme<z.infer<typeof options>> = {
  id: "content",
  title: "content",
  summary: 'Images of one class with the text "TEST" at the lower left, answered as another class.',
  paper:
    "Zhang, Gu, Jang, Wu, Stoecklin, Huang, Molloy: Protecting Intellectual Property of Deep Neural Networks. AsiaCCS 2018",
  needsUnrelated: false,
  options,
  make: contentTriggers,
};

export function contentTriggers(owner: OwnerData, chosen: z.infer<z.ZodObject<typeof contentShape>>): TriggerSet {
  return stampedTriggers(owner, chosen, bitmapStamp(owner.train.shape, BITMAPS[chosen.shape]));
}

const BITMAPS = {
  text: ["### ### ### ###", " #  #   #    # ", " #  ##  ###  # ", " #  #     #  # ", " #  ### ###  # "],
  rectangle: ["#######", "#######", "#######", "#######", "#######"],
} as const;

/** Draws a bitmap at full brightness in every channel, one pixel from the left and lower edge. */
function bitmapStamp({ channels, height, width }: ImageShape, bitmap: readonly string[]): Stamp {
  const columns = bitmap[0]?.length ?? 0;
  if (columns + 2 > width || bitmap.length + 2 > height) {
    throw new WildmarkError(
      "bad-data",
      `A stamp of ${columns}×${bitmap.length} pixels does not fit images of ${width}×${height}.`,
    );
  }
  const top = height - bitmap.length - 1;
  return (pixels) => {
    bitmap.forEach((line, y) => {
      for (let x = 0; x < columns; x++) {
        if (line[x] !== "#") continue;
        for (let channel = 0; channel < channels; channel++) {
          pixels[(channel * height + top + y) * width + 1 + x] = 255;
        }
      }
    });
  };
}
