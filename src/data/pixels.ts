/**
 * @file Where the pixels of a set of images lie: in memory, in a file, picked or converted from elsewhere.
 *
 * A source is plain data, so that it can be sent to another process. Pixels in a file are read image by image when they
 * are asked for, so a set of images need not fit in memory; the operating system keeps in memory what is read often.
 */

import { closeSync, openSync, readSync } from "node:fs";
import { WildmarkError } from "../core/errors.js";
import type { ImageShape } from "../core/image.js";
import { convertImage } from "./convert.js";

/** Images one after the other in memory. */
export interface PixelsInMemory {
  readonly kind: "memory";
  readonly bytes: Uint8Array;
}

/** Images one after the other in a file, which nobody changes while it is used. */
export interface PixelsInFile {
  readonly kind: "file";
  readonly path: string;
  /** Where the first pixel lies. */
  readonly offset: number;
  /** Bytes of all images together. */
  readonly length: number;
}

/** Images of another source, each brought to another shape when it is asked for. */
export interface ConvertedPixels {
  readonly kind: "converted";
  readonly from: PixelSource;
  /** The shape they have there. */
  readonly was: ImageShape;
  readonly shape: ImageShape;
}

/** Images of another source, by their numbers there; a number may occur more than once. */
export interface PickedPixels {
  readonly kind: "picked";
  readonly from: PixelsInMemory | PixelsInFile | ConvertedPixels;
  readonly indices: Uint32Array;
}

export type PixelSource = PixelsInMemory | PixelsInFile | ConvertedPixels | PickedPixels;

/** Pixels that are already there, 8 bits each. */
export function inMemory(bytes: Uint8Array): PixelsInMemory {
  return { kind: "memory", bytes };
}

/** Bytes of all images of `size` bytes in a source. */
export function pixelCount(source: PixelSource, size: number): number {
  switch (source.kind) {
    case "memory":
      return source.bytes.length;
    case "picked":
      return source.indices.length * size;
    case "converted":
      return (pixelCount(source.from, sizeOf(source.was)) / sizeOf(source.was)) * size;
    default:
      return source.length;
  }
}

/** Some images of a source, in the order of `indices`; copies nothing. */
export function pick(source: PixelSource, indices: Uint32Array): PickedPixels {
  if (source.kind !== "picked") return { kind: "picked", from: source, indices };
  return { kind: "picked", from: source.from, indices: indices.map((index) => source.indices[index] ?? 0) };
}

/**
 * The bytes of image `index`, each image being `size` bytes long: a view to read, valid until the next call.
 *
 * @throws WildmarkError `bad-file` when a file holds less than it did when it was found.
 */
export function readPixels(source: PixelSource, index: number, size: number): Uint8Array {
  switch (source.kind) {
    case "memory":
      return source.bytes.subarray(index * size, (index + 1) * size);
    case "picked":
      return readPixels(source.from, source.indices[index] ?? 0, size);
    case "converted":
      return convertImage(readPixels(source.from, index, sizeOf(source.was)), source.was, source.shape);
    default:
      return readFromFile(source, index * size, size);
  }
}

function sizeOf({ channels, height, width }: ImageShape): number {
  return channels * height * width;
}

interface OpenFile {
  readonly descriptor: number;
  buffer: Uint8Array;
}

/** One open file a source, closed when nobody holds the source any more. */
const openFiles = new WeakMap<PixelsInFile, OpenFile>();
const closing = new FinalizationRegistry<number>((descriptor) => closeSync(descriptor));

function readFromFile(source: PixelsInFile, at: number, size: number): Uint8Array {
  const file = openFiles.get(source) ?? open(source);
  if (file.buffer.length !== size) file.buffer = new Uint8Array(size);
  let filled = 0;
  while (filled < size) {
    const read = readSync(file.descriptor, file.buffer, filled, size - filled, source.offset + at + filled);
    if (read === 0) {
      throw new WildmarkError("bad-file", `${source.path} ends before byte ${source.offset + at + size}`, {
        hint: "it was changed while it was read: run the command again",
      });
    }
    filled += read;
  }
  return file.buffer;
}

function open(source: PixelsInFile): OpenFile {
  try {
    const file = { descriptor: openSync(source.path, "r"), buffer: new Uint8Array(0) };
    openFiles.set(source, file);
    closing.register(source, file.descriptor);
    return file;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new WildmarkError("bad-file", `${source.path} cannot be read: ${reason}`, { cause });
  }
}
