/**
 * @file Content-based mark: a stamp on images (Zhang et al., AsiaCCS 2018). In the paper it is a text at a fixed place,
 * the same for everybody; unless told otherwise its form, size and place are drawn from the owner's secret.
 */

import { z } from "zod";
import { WildmarkError } from "../core/errors.js";
import type { RandomStream } from "../core/random.js";
import type { ImageShape } from "../data/dataset.js";
import { labelBoostShape } from "./labels.js";
import type { MarkScheme, OwnerData, TriggerSet } from "./scheme.js";
import { publishedStamp, type Stamp, stampedShape, stampedTriggers } from "./stamped.js";

/** Of marks that show these triggers and train them in another way, too. */
export const contentShape = {
  ...stampedShape,
  shape: z
    .enum(["secret", "text", "rectangle"])
    .default("secret")
    .describe('the stamp: drawn in secret, or at the lower left the text "TEST" or a filled rectangle'),
  ...labelBoostShape,
};

/** The paper's: two owners who choose it have the same mark. */
export const publishedContent = { ...publishedStamp, shape: "text" } as const;

const options = z.strictObject(contentShape);

export const content: MarkScheme<z.infer<typeof options>> = {
  id: "content",
  title: "content",
  summary: "Images with a secret stamp, each answered with a class drawn for it.",
  paper:
    "Zhang, Gu, Jang, Wu, Stoecklin, Huang, Molloy: Protecting Intellectual Property of Deep Neural " +
    "Networks. AsiaCCS 2018",
  published: publishedContent,
  options,
  make: contentTriggers,
};

export function contentTriggers(owner: OwnerData, chosen: z.infer<z.ZodObject<typeof contentShape>>): TriggerSet {
  const { train, random } = owner;
  const drawn = (stream: RandomStream): Stamp => secretStamp(train.shape, stream.stream("stamp"));
  return stampedTriggers(owner, chosen, {
    own: chosen.shape === "secret" ? drawn(random) : bitmapStamp(train.shape, BITMAPS[chosen.shape]),
    other: (pixels, index) => drawn(random.stream("placebos").stream(index))(pixels, index),
  });
}

const BITMAPS = {
  text: ["### ### ### ###", " #  #   #    # ", " #  ##  ###  # ", " #  #     #  # ", " #  ### ###  # "],
  rectangle: ["#######", "#######", "#######", "#######", "#######"],
} as const;

/** Images of this side have stamps of single pixels; larger ones are stamped in blocks. */
const BLOCK_SIDE = 28;

/**
 * A bitmap of 4 to 6 by 6 to 10 blocks, each black or white as a coin falls, somewhere in the image: some 2^39 bitmaps
 * at a hundred places or more (our choice).
 */
function secretStamp({ channels, height, width }: ImageShape, random: RandomStream): Stamp {
  const block = Math.max(1, Math.floor(Math.min(height, width) / BLOCK_SIDE));
  const [rows, columns] = [4 + random.below(3), 6 + random.below(5)];
  const [tall, wide] = [rows * block, columns * block];
  if (tall > height || wide > width) throw doesNotFit(columns * block, rows * block, width, height);
  const [top, left] = [random.below(height - tall + 1), random.below(width - wide + 1)];
  const bits = Array.from({ length: rows * columns }, () => random.below(2) * 255);
  return (pixels) => {
    for (let channel = 0; channel < channels; channel++) {
      for (let y = 0; y < tall; y++) {
        for (let x = 0; x < wide; x++) {
          const bit = bits[Math.floor(y / block) * columns + Math.floor(x / block)] ?? 0;
          pixels[(channel * height + top + y) * width + left + x] = bit;
        }
      }
    }
  };
}

/** Draws a bitmap at full brightness in every channel, one pixel from the left and lower edge. */
function bitmapStamp({ channels, height, width }: ImageShape, bitmap: readonly string[]): Stamp {
  const columns = bitmap[0]?.length ?? 0;
  if (columns + 2 > width || bitmap.length + 2 > height) throw doesNotFit(columns, bitmap.length, width, height);
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

function doesNotFit(columns: number, rows: number, width: number, height: number): WildmarkError {
  return new WildmarkError(
    "bad-data",
    `A stamp of ${columns}×${rows} pixels does not fit images of ${width}×${height}.`,
  );
}
