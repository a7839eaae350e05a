/** @file An image as an endpoint wants it: the bytes of a PNG or JPEG file, or the numbers of a tensor. */

import sharp from "sharp";
import { WildmarkError } from "../../../core/errors.js";
import { describeShape, type ImageShape } from "../../../core/image.js";
import { interleaved, pngBytes } from "../../../data/png.js";
import type { ImageForm } from "./config.js";

/** An image ready to be sent. */
export type SentImage =
  | { readonly kind: "file"; readonly type: "image/png" | "image/jpeg"; readonly bytes: Uint8Array }
  | {
      readonly kind: "tensor";
      readonly datatype: "FP32" | "UINT8";
      /** With the batch of one. */
      readonly dims: readonly number[];
      readonly values: readonly number[];
    };

/**
 * @param pixels C×H×W bytes, grey or colour.
 * @throws WildmarkError `bad-data` for other numbers of channels, or a mean or deviation for another number of them.
 */
export async function encodeImage(pixels: Uint8Array, shape: ImageShape, form: ImageForm): Promise<SentImage> {
  const { channels } = shape;
  if (channels !== 1 && channels !== 3) {
    throw new WildmarkError("bad-data", `an endpoint takes grey or colour images, found ${describeShape(shape)}`);
  }
  const [height = shape.height, width = shape.width] = form.resize ?? [];
  const sized = { channels, height, width };
  const raster = await hwc(pixels, shape, sized);
  if (form.as === "tensor") return tensor(raster, sized, form);
  if (form.as === "png") {
    const bytes = form.resize === undefined ? pngBytes(pixels, shape) : pngBytes(planes(raster, sized), sized);
    return { kind: "file", type: "image/png", bytes };
  }
  const file = sharp(raster, { raw: { width, height, channels } }).jpeg({ quality: form.quality });
  return { kind: "file", type: "image/jpeg", bytes: await file.toBuffer() };
}

/** H×W×C bytes in the size wanted. */
async function hwc(pixels: Uint8Array, shape: ImageShape, wanted: ImageShape): Promise<Uint8Array> {
  const channels = shape.channels === 1 ? 1 : 3;
  const raster = Uint8Array.from(interleaved(pixels, channels));
  const { height, width } = wanted;
  if (height === shape.height && width === shape.width) return raster;
  return sharp(raster, { raw: { width: shape.width, height: shape.height, channels } })
    .resize({ height, width, fit: "fill" })
    .toColourspace(channels === 1 ? "b-w" : "srgb")
    .raw({ depth: "uchar" })
    .toBuffer();
}

function planes(raster: Uint8Array, { channels, height, width }: ImageShape): Uint8Array {
  const plane = height * width;
  return raster.map((_, i) => raster[(i % plane) * channels + Math.floor(i / plane)] ?? 0);
}

/** As `onnx/preprocessing.ts` has it: ((pixel / 255) · (high − low) + low − mean) / std, by channel as it is sent. */
function tensor(raster: Uint8Array, shape: ImageShape, form: ImageForm): SentImage {
  const { channels, height, width } = shape;
  const { layout, datatype, range, mean = [0], std = [1], channelOrder = "RGB" } = form;
  for (const [name, values] of Object.entries({ mean, std })) {
    if (values.length === 1 || values.length === channels) continue;
    throw new WildmarkError("bad-data", `image.${name} has ${values.length} numbers for ${channels} channels`, {
      hint: "give one number, or one a channel in the order in which they are sent",
    });
  }
  // Bytes are pixels as they are, unless a range says otherwise.
  const [low, high] = range ?? (datatype === "UINT8" ? [0, 255] : [0, 1]);
  const value = (channel: number, at: number): number => {
    const from = channelOrder === "BGR" && channels === 3 ? 2 - channel : channel;
    const pixel = raster[at * channels + from] ?? 0;
    const read = ((pixel / 255) * (high - low) + low - pickOf(mean, channel)) / pickOf(std, channel);
    return datatype === "UINT8" ? Math.min(255, Math.max(0, Math.round(read))) : Math.fround(read);
  };
  const plane = height * width;
  const last = layout === "NHWC" || layout === "flat-NHWC";
  if (layout === "NHW" && channels !== 1) {
    throw new WildmarkError("bad-data", "image.layout NHW is of grey images, found colour", {
      hint: "choose NCHW or NHWC",
    });
  }
  const values = Array.from({ length: channels * plane }, (_, i) =>
    last ? value(i % channels, Math.floor(i / channels)) : value(Math.floor(i / plane), i % plane),
  );
  const dims = {
    NCHW: [1, channels, height, width],
    NHWC: [1, height, width, channels],
    NHW: [1, height, width],
    flat: [1, channels * plane],
    "flat-NHWC": [1, channels * plane],
  }[layout];
  return { kind: "tensor", datatype, dims, values };
}

function pickOf(values: readonly number[], channel: number): number {
  return values[values.length === 1 ? 0 : channel] ?? 0;
}

/** The numbers of a tensor as nested lists, without the batch: what `instances` holds. */
export function nested(values: readonly number[], dims: readonly number[]): unknown {
  const [first = 1, ...rest] = dims;
  if (rest.length === 0) return values;
  const size = values.length / first;
  return Array.from({ length: first }, (_, i) => nested(values.slice(i * size, (i + 1) * size), rest));
}
