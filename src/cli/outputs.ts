/** @file Checks where results will go before the work that makes them: an hour of training must not end in "exists". */

import { randomBytes } from "node:crypto";
import { open, realpath, rm, stat } from "node:fs/promises";
import { resolve } from "node:path";
import { WildmarkError } from "../core/errors.js";
import { writeError } from "../core/files.js";

/**
 * Makes sure that `path` can be written: by writing something beside it.
 *
 * @param inputs files that are read, which an output must not replace even with `force`.
 * @throws WildmarkError `cannot-write` when it exists (without force), is a folder, or lies where nothing can be written;
 *   `usage` when it is one of the inputs.
 */
export async function requireWritable(path: string, force: boolean, inputs: readonly string[] = []): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory()) {
    throw new WildmarkError("cannot-write", `${path} is a folder; expected the path of a file to write.`);
  }
  for (const input of inputs) {
    if ((await realPath(input)) === (await realPath(path))) {
      throw new WildmarkError("usage", `${path} is read and written by the same command.`, {
        hint: "Choose another path for what is written.",
      });
    }
  }
  if (found !== undefined && !force) {
    throw new WildmarkError("cannot-write", `${path} already exists.`, {
      hint: "Choose another path, or pass --force to replace it.",
    });
  }
  const probe = `${path}.${randomBytes(6).toString("hex")}.part`;
  try {
    await (await open(probe, "wx")).close();
  } catch (error) {
    throw writeError(path, error);
  } finally {
    await rm(probe, { force: true }).catch(() => undefined);
  }
}

async function realPath(path: string): Promise<string> {
  return realpath(path).catch(() => resolve(path));
}
