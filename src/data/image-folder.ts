/**
 * @file A folder of class folders as a data set: every image is decoded once, into a file of raw pixels in the cache.
 *
 * Memory stays that of one image, however many there are. The cache file is named after everything it depends on
 * (paths, sizes and times of the images, the size asked for), so a changed folder gets a new one. It is written beside
 * and renamed: what is there is whole, and of two processes that decode the same folder the later replaces the same
 * bytes.
 */

import { createHash, randomBytes } from "node:crypto";
import { mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import sharp, { type Sharp } from "sharp";
import { defaultCacheDir } from "../core/cache-dir.js";
import { WildmarkError } from "../core/errors.js";
import { refuseLfsPointerAt } from "../core/files.js";
import { type Progress, silent } from "../core/progress.js";
import { type ImageFile, listClassFolders } from "./class-folders.js";
import { type ImageShape, imageSize, type LabelledImages, makeDataset } from "./dataset.js";
import type { PlaceOptions } from "./places.js";
import type { LoadedDataset } from "./registry.js";

export interface ImageFolderOptions extends PlaceOptions {
  /** Bring all images to this size: as large as covers it, then cut around the centre. */
  readonly resize?: { readonly height: number; readonly width: number } | undefined;
  /** Seed of the split where the folder has no test images. */
  readonly seed?: number | undefined;
  readonly progress?: Progress | undefined;
}

/** Pixels of one decoded image that are still no accident or attack: 100 megapixels. */
const MAX_PIXELS = 100_000_000;

// Each image is read once; libvips would remember it by its path, and give it out again after the file has changed.
sharp.cache(false);

/**
 * Reads a folder of class folders of PNG, JPEG or WebP; grey where all images are grey, else colour.
 *
 * @throws WildmarkError `bad-data` where it holds no data set or images of several sizes; `bad-file` where an image is
 *   damaged, which is named.
 */
export async function loadImageFolder(folder: string, options: ImageFolderOptions = {}): Promise<LoadedDataset> {
  const { classNames, train, test, notes, doubts } = await listClassFolders(folder, options.seed);
  const all = [...train, ...test];
  const { path, shape } = (await keptPixels(all, options)) ?? (await decodeAll(all, options));
  const size = imageSize(shape);
  const split = (files: readonly ImageFile[], from: number): LabelledImages => ({
    shape,
    classes: classNames.length,
    count: files.length,
    pixels: { kind: "file", path, offset: from * size, length: files.length * size },
    labels: Uint16Array.from(files, ({ label }) => label),
  });
  const title = basename(resolve(folder));
  const splits = { train: split(train, 0), test: split(test, train.length) };
  return { ...makeDataset({ id: title, title, classNames, doubts, ...splits }), warnings: notes };
}

/** Headers alone tell sizes and colours; nothing is decoded yet. */
export async function commonShape(
  files: readonly Pick<ImageFile, "path">[],
  { resize, progress = silent }: Pick<ImageFolderOptions, "resize" | "progress">,
): Promise<ImageShape> {
  let first: { readonly path: string; readonly height: number; readonly width: number } | undefined;
  let channels = 1;
  for (const [i, { path }] of files.entries()) {
    const { autoOrient, space } = await reading(path, () => source(path).metadata());
    const { height, width } = autoOrient;
    if (space !== "b-w" && space !== "grey16") channels = 3;
    first ??= { path, height, width };
    if (resize === undefined && (height !== first.height || width !== first.width)) {
      throw new WildmarkError(
        "bad-data",
        `images differ in size: ${first.path} is ${first.height}x${first.width}, ${path} is ${height}x${width}`,
        { hint: `bring all to one size: --resize ${first.height}x${first.width}` },
      );
    }
    progress.update("look at images", i + 1, files.length);
  }
  const { height, width } = resize ?? first ?? { height: 0, width: 0 };
  return { channels, height, width };
}

/** A cache file with all images in order; its name says what shape they have. */
interface KeptPixels {
  readonly path: string;
  readonly shape: ImageShape;
}

const cacheFolder = ({ env }: ImageFolderOptions): string => join(defaultCacheDir(env), "folders");

/** What was decoded before from the same files. */
async function keptPixels(files: readonly ImageFile[], options: ImageFolderOptions): Promise<KeptPixels | undefined> {
  const folder = cacheFolder(options);
  const start = `${cacheName(files, options)}-`;
  for (const name of await readdir(folder).catch(() => [])) {
    const [, channels, height, width] = /-(\d+)x(\d+)x(\d+)\.raw$/.exec(name) ?? [];
    if (!name.startsWith(start) || width === undefined) continue;
    const shape = { channels: Number(channels), height: Number(height), width: Number(width) };
    const path = join(folder, name);
    if ((await stat(path).catch(() => undefined))?.size === files.length * imageSize(shape)) return { path, shape };
  }
  return undefined;
}

async function decodeAll(files: readonly ImageFile[], options: ImageFolderOptions): Promise<KeptPixels> {
  const { progress = silent } = options;
  const shape = await commonShape(files, options);
  const { channels, height, width } = shape;
  const folder = cacheFolder(options);
  const path = join(folder, `${cacheName(files, options)}-${channels}x${height}x${width}.raw`);
  const temporary = `${path}.${randomBytes(6).toString("hex")}.part`;
  try {
    await mkdir(folder, { recursive: true });
    await removeLeftovers(folder);
    const target = await open(temporary, "wx");
    try {
      for (const [i, file] of files.entries()) {
        await target.writeFile(await decodeImage(file.path, shape));
        progress.update("decode images", i + 1, files.length);
      }
      await target.sync();
    } finally {
      await target.close();
    }
    await rename(temporary, path);
    return { path, shape };
  } catch (cause) {
    if (cause instanceof WildmarkError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new WildmarkError("cannot-write", `the decoded images cannot be kept in ${folder}: ${reason}`, {
      hint: `they take ${files.length * imageSize(shape)} bytes; XDG_CACHE_HOME names another place`,
      cause,
    });
  } finally {
    await rm(temporary, { force: true }).catch(() => undefined);
  }
}

/** What a process left that was killed while it decoded: nobody has written to it for an hour. */
async function removeLeftovers(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!name.endsWith(".part")) continue;
    const path = join(folder, name);
    const changed = (await stat(path).catch(() => undefined))?.mtimeMs ?? Number.POSITIVE_INFINITY;
    if (Date.now() - changed > 3_600_000) await rm(path, { force: true });
  }
}

function cacheName(files: readonly ImageFile[], { resize }: ImageFolderOptions): string {
  const hash = createHash("sha256").update(JSON.stringify(["wildmark folder 2", resize ?? null]));
  for (const { path, bytes, changed } of files) hash.update(JSON.stringify([path, bytes, changed]));
  return hash.digest("hex").slice(0, 40);
}

/** One image, [C, H, W]: upright, 8-bit sRGB or grey, over black where it is transparent. */
export async function decodeImage(path: string, { channels, height, width }: ImageShape): Promise<Uint8Array> {
  const image = source(path)
    .autoOrient()
    .flatten()
    .resize(width, height, { fit: "cover", position: "centre" })
    .toColourspace(channels === 1 ? "b-w" : "srgb");
  const { data, info } = await reading(path, () => image.raw({ depth: "uchar" }).toBuffer({ resolveWithObject: true }));
  const plane = height * width;
  const found = info.channels;
  const planes = new Uint8Array(channels * plane);
  for (let channel = 0; channel < channels; channel++) {
    const from = Math.min(channel, found - 1);
    for (let at = 0; at < plane; at++) planes[channel * plane + at] = data[at * found + from] ?? 0;
  }
  return planes;
}

/** The first frame, refused where it is damaged: half an image is no image. */
function source(path: string): Sharp {
  return sharp(path, { failOn: "warning", limitInputPixels: MAX_PIXELS, pages: 1 });
}

async function reading<T>(path: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (cause) {
    await refuseLfsPointerAt(path, "an image");
    // libvips says several lines, the first of them what was found first.
    const [reason] = (cause instanceof Error ? cause.message : String(cause)).split("\n");
    throw new WildmarkError("bad-file", `${path} cannot be read as an image: ${reason}`, {
      hint: "repair or remove it",
      cause,
    });
  }
}
