/**
 * @file The folder of images that was given away, looked at by whoever judges: does each file show what its name says?
 *
 * Names bind answers to images (`manifest.ts`), and nothing but the files tells that these were the images that were
 * answered: who exports could put an ordinary image of the class that he needs under a trigger's name.
 */

import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { WildmarkError } from "../../core/errors.js";
import { readFileBounded } from "../../core/files.js";
import { imageSize } from "../../data/dataset.js";
import { imageSha256 } from "../../data/image-id.js";
import { plainPixels } from "../../data/png.js";
import type { Manifest } from "./manifest.js";

/** What a PNG file may take beyond its pixels. */
const MAX_MORE_BYTES = 2 ** 20;

/**
 * How many of a manifest's images lie in a folder; other files there are passed over.
 *
 * @throws WildmarkError `bad-file` where the folder cannot be read, or a file shows another image than its name says.
 */
export async function countExported(folder: string, { shape, images }: Manifest): Promise<number> {
  const there = new Set(
    await readdir(folder).catch((cause: unknown) => {
      throw new WildmarkError("bad-file", `${folder}: expected the folder of exported images.`, { cause });
    }),
  );
  let count = 0;
  for (const { name, sha256 } of images) {
    if (!there.has(name)) continue;
    const path = join(folder, name);
    const maxBytes = 2 * imageSize(shape) + MAX_MORE_BYTES;
    const pixels = plainPixels(await readFileBounded(path, { what: "an exported image", maxBytes }), shape);
    if (pixels === undefined || imageSha256(pixels, shape) !== sha256) {
      throw new WildmarkError("bad-file", `${path}: is not the image that was exported under this name.`, {
        hint:
          "Answers to other images say nothing of the key. Take the folder from whoever answered, as it " +
          "was given to him.",
      });
    }
    count++;
  }
  return count;
}
