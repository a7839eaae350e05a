/**
 * @file What model hubs keep beside a model of its preprocessing: `preprocessor_config.json` of Hugging Face's image
 * processors, and the `pretrained_cfg` of timm's `config.json`.
 *
 * Both say how pixels become numbers, and to which size images are brought first. The size is told, not done: data come
 * in the size that the user brings them to.
 */

import { z } from "zod";
import { parsedJson } from "../core/json.js";
import type { PreprocessingSource } from "./preprocessing.js";

/** The files, in the order in which they are looked for. */
export const HUB_FILES = ["preprocessor_config.json", "config.json"] as const;

export interface HubConfig {
  readonly says: PreprocessingSource["says"];
  /** How images are brought to size, in words: "resized to 256, cut to 224×224"; undefined where it does not say. */
  readonly size?: string | undefined;
}

const numbers = z.array(z.number()).min(1);
const side = z.number().positive();
const sizeSchema = z.union([
  side,
  z.looseObject({ height: side, width: side }),
  z.looseObject({ shortest_edge: side }),
]);

/** `do_…` are true where they are left out, as in the processors that wrote such files first. */
const processorSchema = z.looseObject({
  do_resize: z.boolean().default(true),
  do_rescale: z.boolean().default(true),
  do_normalize: z.boolean().default(true),
  do_center_crop: z.boolean().default(false),
  do_flip_channel_order: z.boolean().default(false),
  rescale_factor: z
    .number()
    .positive()
    .default(1 / 255),
  image_mean: numbers.optional(),
  image_std: numbers.optional(),
  size: sizeSchema.optional(),
  crop_size: sizeSchema.optional(),
});

const timmSchema = z.looseObject({
  pretrained_cfg: z.looseObject({
    mean: numbers,
    std: numbers,
    input_size: z.tuple([side, side, side]).optional(),
    crop_pct: z.number().positive().optional(),
  }),
});

/** What a file beside a model says; undefined where it is none of these, or says nothing of images. */
export function parseHubConfig(text: string): HubConfig | undefined {
  const json = parsedJson(text);
  const timm = timmSchema.safeParse(json);
  if (timm.success) {
    const { mean, std, input_size: [, height, width] = [], crop_pct: share = 1 } = timm.data.pretrained_cfg;
    const size =
      height && width && `${share === 1 ? "" : `resized to ${Math.round(height / share)}, `}${cut(height, width)}`;
    return { says: { range: [0, 1], mean, std }, size: size || undefined };
  }
  const processor = processorSchema.safeParse(json);
  const known = ["image_mean", "image_std", "image_processor_type", "feature_extractor_type"];
  const isProcessor = typeof json === "object" && json !== null && known.some((key) => key in json);
  if (!processor.success || !isProcessor) return undefined;
  const { do_rescale, do_normalize, rescale_factor, image_mean, image_std, do_flip_channel_order } = processor.data;
  return {
    says: {
      // Files hold the factor with as many digits as their writer printed.
      range: [0, do_rescale ? Number((255 * rescale_factor).toPrecision(9)) : 255],
      mean: do_normalize && image_mean !== undefined ? image_mean : [0],
      std: do_normalize && image_std !== undefined ? image_std : [1],
      ...(do_flip_channel_order ? { channelOrder: "BGR" } : {}),
    },
    size: sizeInWords(processor.data),
  };
}

function sizeInWords(config: z.infer<typeof processorSchema>): string | undefined {
  const resized = config.do_resize && config.size !== undefined ? `resized to ${sides(config.size)}` : undefined;
  const cropped =
    config.do_center_crop && config.crop_size !== undefined ? `cut to ${sides(config.crop_size)}` : undefined;
  return [resized, cropped].filter((words) => words !== undefined).join(", ") || undefined;
}

function sides(size: z.infer<typeof sizeSchema>): string {
  if (typeof size === "number") return `${size}×${size}`;
  if ("height" in size && typeof size.height === "number") return `${size.height}×${String(size.width)}`;
  return `${String(size.shortest_edge)} at the shorter side`;
}

function cut(height: number, width: number): string {
  return `cut to ${height}×${width}`;
}
