/** @file Model files on disk: read with the data that lies beside them, written whole or not at all. */

import { closeSync, openSync, readSync, realpathSync, statSync } from "node:fs";
import { dirname, isAbsolute, relative, resolve, sep, win32 } from "node:path";
import { WildmarkError } from "../core/errors.js";
import { readFileBounded, writeFileAtomic } from "../core/files.js";
import { LARGEST_MODEL, type ReadExternal } from "./external.js";
import { decodeModel, encodeModel, type Model } from "./model.js";

/**
 * Reads and decodes a model, with its external data.
 *
 * @throws WildmarkError `bad-file` where the file is missing, no file, or 2 GiB and more; and as `decodeModel` does.
 */
export async function readModelFile(path: string): Promise<Model> {
  const bytes = await readFileBounded(path, { what: "an ONNX model", maxBytes: LARGEST_MODEL });
  return decodeModel(bytes, path, fileModelReader(path));
}

/**
 * Writes a model as one file, whole or not at all; data that was external is inside it.
 *
 * @throws WildmarkError `cannot-write` where the file exists and `force` is not set, or cannot be written.
 */
export async function writeModelFile(
  path: string,
  model: Model,
  options: { readonly force?: boolean } = {},
): Promise<void> {
  const bytes = encodeModel(model);
  if (bytes.byteLength > LARGEST_MODEL) {
    throw new WildmarkError(
      "cannot-write",
      `${path}: the model has ${bytes.byteLength} bytes; ONNX files have < 2 GiB.`,
    );
  }
  await writeFileAtomic(path, bytes, options);
}

/**
 * Reads the external data of the model at `path` from files in the model's folder or below, and from nowhere else:
 * absolute paths, "..", and links that lead out of the folder are refused.
 */
export function fileModelReader(path: string): ReadExternal {
  return (location, offset, length) => {
    const file = inFolder(dirname(resolve(path)), location);
    let descriptor: number | undefined;
    try {
      const found = statSync(file); // before opening: a pipe would wait for a writer
      if (!found.isFile()) throw new WildmarkError("bad-file", `"${location}" is not a file.`);
      if (offset + length > found.size) {
        throw new WildmarkError(
          "bad-file",
          `"${location}" has ${found.size} bytes; the model wants ${length} at offset ${offset}.`,
          { hint: "The data file is truncated or belongs to another model." },
        );
      }
      descriptor = openSync(file, "r");
      const bytes = new Uint8Array(length);
      let filled = 0;
      while (filled < length) {
        const count = readSync(descriptor, bytes, filled, length - filled, offset + filled);
        if (count === 0) throw new WildmarkError("bad-file", `"${location}" shrank while it was read.`);
        filled += count;
      }
      return bytes;
    } catch (error) {
      throw unreadable(location, error);
    } finally {
      if (descriptor !== undefined) closeSync(descriptor);
    }
  };
}

/** The real path of `location` under `folder`. */
function inFolder(folder: string, location: string): string {
  const outside = new WildmarkError("bad-file", `The model wants data from "${location}", outside its own folder.`, {
    hint: "Wildmark reads only what lies in the model's folder: put the data file there, and beware of the model.",
  });
  const parts = location.split(/[/\\]/);
  if (isAbsolute(location) || win32.isAbsolute(location) || /^[a-z]:/i.test(location)) throw outside;
  if (parts.includes("..") || location.includes("\0")) throw outside;
  let root: string;
  let file: string;
  try {
    root = realpathSync(folder);
    file = realpathSync(resolve(root, location));
  } catch (error) {
    throw unreadable(location, error);
  }
  const way = relative(root, file);
  if (way === ".." || way.startsWith(`..${sep}`) || isAbsolute(way)) throw outside;
  return file;
}

function unreadable(path: string, error: unknown): WildmarkError {
  if (error instanceof WildmarkError) return error;
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  const why = code === "ENOENT" ? "there is no such file" : code === "EACCES" ? "permission denied" : String(error);
  return new WildmarkError("bad-file", `Cannot read ${path}: ${why}.`, { cause: error });
}
