/**
 * @file What happens to an image on its way to a model: compressed, resized, blurred, as transports and defenders do.
 *
 * A chain is written `jpeg:75,resize:224,…` and applied from left to right. Whatever it does to the size, images leave
 * it in the size they came in, because that is what the model takes. Noise depends on the seed and on the image alone,
 * so that the same image gets the same noise whenever it is asked.
 */

import sharp, { type Sharp } from "sharp";
import { WildmarkError } from "../core/errors.js";
import type { ImageShape } from "../core/image.js";
import { randomStream } from "../core/random.js";
import { type Images, imageAt, imageSize } from "./dataset.js";
import { imageSha256 } from "./image-id.js";
import { inMemory } from "./pixels.js";
import { interleaved } from "./png.js";

export type Chain = (images: Images) => Promise<Images>;

export interface ChainOptions {
  /** Of the noise; 0 by default. */
  readonly seed?: number;
  readonly signal?: AbortSignal;
}

/** An image on its way: H×W×C bytes, grey or colour. */
interface Raster {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
}

type Step = (raster: Raster, seed: string) => Promise<Raster>;

/** A kind of step: what follows its name, and what it does. */
interface StepKind {
  /** As messages show it: "jpeg:QUALITY". */
  readonly form: string;
  /** The step, or undefined where the argument is none. */
  readonly make: (argument: string) => Step | undefined;
}

const KINDS: Readonly<Record<string, StepKind>> = {
  png: { form: "png", make: (text) => (text === "" ? async (raster) => raster : undefined) },
  jpeg: {
    form: "jpeg:QUALITY (1 to 100)",
    make: withNumber(1, 100, (quality) => compressed((image) => image.jpeg({ quality: Math.round(quality) }))),
  },
  webp: {
    form: "webp:QUALITY (1 to 100)",
    make: withNumber(1, 100, (quality) => compressed((image) => image.webp({ quality: Math.round(quality) }))),
  },
  resize: { form: "resize:N (shorter side) or resize:HxW", make: withSize(resized) },
  crop: { form: "crop:N or crop:HxW (around the centre)", make: withSize(cropped) },
  blur: {
    form: "blur:SIGMA (0.3 to 100 pixels)",
    make: withNumber(0.3, 100, (sigma) => (raster) => throughSharp(raster, (image) => image.blur(sigma))),
  },
  noise: {
    form: "noise:SIGMA (0 to 1, in units of the pixel range)",
    make: withNumber(0, 1, (sigma) => async (raster, seed) => withNoise(raster, sigma, seed)),
  },
  flip: {
    form: "flip (left to right)",
    make: (text) => (text === "" ? (raster) => throughSharp(raster, (image) => image.flop()) : undefined),
  },
  quantise: {
    form: "quantise:LEVELS (2 to 256)",
    make: withNumber(2, 256, (levels) => async (raster) => quantised(raster, Math.round(levels))),
  },
};

/**
 * Reads a chain.
 *
 * @param text steps with commas between: `jpeg:75,resize:224,blur:0.5,noise:0.02,flip,quantise:16,crop:28x28,png`.
 * @returns a function that takes grey or colour images and gives images of the same shape.
 * @throws WildmarkError `usage` naming the step that is none. The function throws `bad-data` for images that are
 *   neither grey nor colour, or for a crop larger than the image; `interrupted`.
 */
export function throughChain(text: string, options: ChainOptions = {}): Chain {
  const { seed = 0, signal } = options;
  const steps = text.split(",").map(stepOf);
  return async (images) => {
    const { shape, count } = images;
    const size = imageSize(shape);
    const pixels = new Uint8Array(count * size);
    for (let i = 0; i < count; i++) {
      if (signal?.aborted) throw new WildmarkError("interrupted", "Stopped.");
      const image = imageAt(images, i);
      const hash = imageSha256(image, shape);
      let raster = toRaster(image, shape);
      for (const [at, step] of steps.entries()) raster = await step(raster, `${seed}/${at}/${hash}`);
      raster = await stretched(raster, shape.height, shape.width);
      pixels.set(planes(raster), i * size);
    }
    return { shape, count, pixels: inMemory(pixels) };
  };
}

function stepOf(text: string): Step {
  const [name = "", ...rest] = text.trim().toLowerCase().split(":");
  const kind = KINDS[name === "quantize" ? "quantise" : name === "jpg" ? "jpeg" : name];
  const step = kind?.make(rest.join(":").trim());
  if (step !== undefined) return step;
  const forms = Object.values(KINDS).map(({ form }) => form);
  throw new WildmarkError(
    "usage",
    kind === undefined
      ? `--through: there is no step "${text.trim()}".`
      : `--through: "${text.trim()}" is no step; expected ${kind.form}.`,
    { hint: `Steps: ${forms.join("; ")}.` },
  );
}

function withNumber(low: number, high: number, make: (value: number) => Step): StepKind["make"] {
  return (text) => {
    const value = text === "" ? Number.NaN : Number(text);
    return value >= low && value <= high ? make(value) : undefined;
  };
}

/** A size as it was written: one number, or height and width. */
type Size = number | { readonly height: number; readonly width: number };

function withSize(make: (size: Size) => Step): StepKind["make"] {
  return (text) => {
    const [, height, width] = /^([1-9]\d{0,3})(?:x([1-9]\d{0,3}))?$/.exec(text) ?? [];
    if (height === undefined) return undefined;
    return make(width === undefined ? Number(height) : { height: Number(height), width: Number(width) });
  };
}

/** Of one number the shorter side gets it, and proportions stay, as torchvision's Resize has it. */
function resized(size: Size): Step {
  return (raster) => {
    const scale = typeof size === "number" ? size / Math.min(raster.height, raster.width) : 1;
    return typeof size === "number"
      ? stretched(raster, Math.round(raster.height * scale), Math.round(raster.width * scale))
      : stretched(raster, size.height, size.width);
  };
}

async function stretched(raster: Raster, height: number, width: number): Promise<Raster> {
  if (raster.height === height && raster.width === width) return raster;
  return throughSharp(raster, (image) => image.resize({ height, width, fit: "fill" }));
}

function cropped(size: Size): Step {
  return (raster) => {
    const { height, width } = typeof size === "number" ? { height: size, width: size } : size;
    if (height > raster.height || width > raster.width) {
      throw new WildmarkError(
        "bad-data",
        `--through: cannot cut ${height}x${width} out of an image of ${raster.height}x${raster.width}.`,
        { hint: "Crop to less, or resize before." },
      );
    }
    const top = (raster.height - height) >> 1;
    const left = (raster.width - width) >> 1;
    return throughSharp(raster, (image) => image.extract({ top, left, height, width }));
  };
}

function withNoise(raster: Raster, sigma: number, seed: string): Raster {
  const random = randomStream(0, "through", seed);
  const noisy = Uint8ClampedArray.from(raster.data, (value) => value + 255 * sigma * random.normal());
  return { ...raster, data: new Uint8Array(noisy.buffer) };
}

function quantised(raster: Raster, levels: number): Raster {
  const step = 255 / (levels - 1);
  return { ...raster, data: raster.data.map((value) => Math.round(Math.round(value / step) * step)) };
}

function compressed(encode: (image: Sharp) => Sharp): Step {
  return async (raster) => fromSharp(sharp(await encode(toSharp(raster)).toBuffer()), raster.channels);
}

async function throughSharp(raster: Raster, change: (image: Sharp) => Sharp): Promise<Raster> {
  return fromSharp(change(toSharp(raster)), raster.channels);
}

function toSharp({ data, width, height, channels }: Raster): Sharp {
  return sharp(data, { raw: { width, height, channels } });
}

async function fromSharp(image: Sharp, channels: 1 | 3): Promise<Raster> {
  const { data, info } = await image
    .toColourspace(channels === 1 ? "b-w" : "srgb")
    .raw({ depth: "uchar" })
    .toBuffer({ resolveWithObject: true });
  const { width, height } = info;
  if (info.channels === channels) return { data, width, height, channels };
  // Some encoders give grey back as colour: three channels alike.
  const pixels = Uint8Array.from({ length: width * height * channels }, (_, i) => {
    const at = Math.floor(i / channels) * info.channels;
    return data[at + Math.min(i % channels, info.channels - 1)] ?? 0;
  });
  return { data: pixels, width, height, channels };
}

function toRaster(pixels: Uint8Array, { channels, height, width }: ImageShape): Raster {
  if (channels !== 1 && channels !== 3) {
    throw new WildmarkError("bad-data", `--through takes grey or colour images, found ${channels} channels.`, {
      hint: "Ask the model as it is, without --through.",
    });
  }
  // A copy: what was read is valid until the next image only.
  return { data: Uint8Array.from(interleaved(pixels, channels)), width, height, channels };
}

/** H×W×C to C×H×W. */
function planes({ data, width, height, channels }: Raster): Uint8Array {
  const plane = width * height;
  return Uint8Array.from(data, (_, i) => data[(i % plane) * channels + Math.floor(i / plane)] ?? 0);
}
