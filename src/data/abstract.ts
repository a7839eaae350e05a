/**
 * @file Abstract pictures for the mark of Adi et al. (USENIX Security 2018): their own 100 where these are on this
 * machine, those of a path, or built-in ones.
 *
 * Built-in pictures are waves bent by other waves, in colours or greys; picture i depends on stream, shape and i alone.
 */

import type { Progress } from "../core/progress.js";
import type { RandomStream } from "../core/random.js";
import { cifar10Labels, decodeCifar } from "./cifar.js";
import { describeConversion } from "./convert.js";
import { convertImages, type ImageShape, type Images, imageSize } from "./dataset.js";
import { decodeIdxImages } from "./idx.js";
import { loadData } from "./load.js";
import { inMemory } from "./pixels.js";
import { findFiles, type LocalFile, type PlaceOptions } from "./places.js";
import type { ImageSet } from "./registry.js";
import { defined } from "../core/defined.js";

export interface AbstractOptions extends PlaceOptions {
  /** The path of a data set whose test images are taken; default: Adi's set, where it is on this machine. */
  readonly source?: string | undefined;
  /** Of decoding a folder of images. */
  readonly progress?: Progress | undefined;
}

/** The published set in the two forms that lie in `DIR/adi2018`, without its labels: a key draws its own in secret. */
const forms = {
  grey: {
    name: "trigger_gray28-images-idx3-ubyte",
    contentsSha256: "22b6e14105b2b198679750ec4d7f433fa8feb5776c9c49a1cd63d026464808ac",
    contentsBytes: 78_416,
    decode({ bytes, path }: LocalFile): Images {
      const { dims, data } = decodeIdxImages(bytes, path);
      const [count = 0, height = 0, width = 0] = dims;
      return { shape: { channels: 1, height, width }, count, pixels: inMemory(data) };
    },
  },
  colour: {
    name: "trigger_centercrop32.bin",
    contentsSha256: "8a6238e60e3319b98f0d0c5a541bf2678fdee76c246ec7bd8b91c55f5afa5b81",
    contentsBytes: 307_300,
    decode(file: LocalFile): Images {
      const { shape, count, images } = decodeCifar([file], cifar10Labels);
      return { shape, count, pixels: inMemory(images) };
    },
  },
} as const;

/**
 * Abstract pictures in a shape, or undefined where none are on this machine: then there are the built-in ones.
 *
 * @throws WildmarkError `bad-file` where they are there but damaged; `bad-data` where, without `force`, they are not
 *   known to be what was published; as loading a path does.
 */
export async function findAbstract(shape: ImageShape, options: AbstractOptions = {}): Promise<ImageSet | undefined> {
  const { source } = options;
  if (source === undefined) return publishedSet(shape, options);
  const { id, title, test, doubts, warnings } = await loadData(source, options);
  return {
    ...{ id, title, ...inShape(test, shape) },
    ...defined({ doubts }),
    warnings: [...warnings, ...converted(test.shape, shape)],
  };
}

async function publishedSet(shape: ImageShape, options: PlaceOptions): Promise<ImageSet | undefined> {
  const { decode, name, ...known } = shape.channels === 1 ? forms.grey : forms.colour;
  const file = { name, ...known, sha256: undefined };
  const found = await findFiles(
    { id: "adi2018", folder: "adi2018", flat: false, fetchable: false, files: [file] },
    options,
  );
  const local = found?.files.get(name);
  if (found === undefined || local === undefined) return undefined;
  const pictures = decode(local);
  return {
    id: "adi2018",
    title: "Adi et al.'s abstract pictures",
    ...inShape(pictures, shape),
    ...(found.doubts.length === 0 ? {} : { doubts: found.doubts }),
    warnings: [...found.warnings, ...converted(pictures.shape, shape)],
  };
}

function inShape({ shape: was, count, pixels }: Images, shape: ImageShape): Images {
  return convertImages({ shape: was, count, pixels }, shape);
}

function converted(from: ImageShape, to: ImageShape): string[] {
  const done = describeConversion(from, to);
  return done === undefined ? [] : [`abstract pictures: ${done}`];
}

/** @param random nothing is drawn from it: each picture has a stream of its own below it. */
export function renderAbstract(count: number, random: RandomStream, shape: ImageShape): Images {
  const size = imageSize(shape);
  const images = new Uint8Array(count * size);
  for (let i = 0; i < count; i++) {
    paint(images.subarray(i * size, (i + 1) * size), shape, random.stream("abstract").stream(i));
  }
  return { shape, count, pixels: inMemory(images) };
}

/** A wave over a plane on which each point was moved by two others; every channel sees it with a phase of its own. */
function paint(target: Uint8Array, { channels, height, width }: ImageShape, random: RandomStream): void {
  const wave = (strength: number, periods: number): ((u: number, v: number) => number) => {
    const angle = 2 * Math.PI * random.uniform();
    const frequency = 2 * Math.PI * periods * (0.5 + random.uniform());
    const [x, y, phase] = [frequency * Math.cos(angle), frequency * Math.sin(angle), 2 * Math.PI * random.uniform()];
    return (u, v) => strength * Math.sin(x * u + y * v + phase);
  };
  const [bendU, bendV, twist] = [wave(0.25, 1), wave(0.25, 1), wave(1.5, 1.5)];
  const stripes = 2 * Math.PI * (1 + 2 * random.uniform());
  const phases = Array.from({ length: channels }, () => 2 * Math.PI * random.uniform());
  phases.forEach((phase, channel) => {
    for (let row = 0; row < height; row++) {
      for (let column = 0; column < width; column++) {
        const [u, v] = [column / width, row / height];
        const value = Math.sin(stripes * (u + bendU(u, v)) + twist(u, v + bendV(u, v)) + phase);
        target[(channel * height + row) * width + column] = Math.round(127.5 * (1 + value));
      }
    }
  });
}
