/** @file Checks where results will go before the work that makes them: an hour of training must not end in "exists". */

import { randomBytes } from "node:crypto";
import { mkdir, open, realpath, rm, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { WildmarkError } from "../core/errors.js";
import { writeError } from "../core/files.js";

/**
 * Makes sure that `path` can be written: by writing something beside it.
 *
 * @param others files that are read, and other outputs: not to be replaced even with `force`.
 * @throws WildmarkError `cannot-write` when it exists (without force), is a folder, or lies where nothing can be
 *   written; `usage` when it is one of the others.
 */
export async function requireWritable(path: string, force: boolean, others: readonly string[] = []): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory()) {
    throw new WildmarkError("cannot-write", `${path} is a folder; expected the path of a file to write.`);
  }
  for (const other of others) {
    if ((await realPath(other)) === (await realPath(path))) {
      throw new WildmarkError("usage", `${path} is named twice: what is written needs a path of its own.`, {
        hint: "Choose another output path.",
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

/**
 * Makes sure that `out` is a folder that can be written into, and makes it where it is not there.
 *
 * @throws WildmarkError `cannot-write`.
 */
export async function requireFolder(out: string): Promise<void> {
  await requireNoFile(out);
  try {
    await mkdir(out, { recursive: true });
  } catch (error) {
    throw writeError(out, error);
  }
  await requireWritable(join(out, "probe"), true);
}

/** @throws WildmarkError `cannot-write` if a file lies where a folder is to be. */
export async function requireNoFile(out: string): Promise<void> {
  const found = await stat(out).catch(() => undefined);
  if (found === undefined || found.isDirectory()) return;
  throw new WildmarkError("cannot-write", `${out} is a file; expected a folder.`, {
    hint: "Choose another folder with --out.",
  });
}

export async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}

async function realPath(path: string): Promise<string> {
  return realpath(path).catch(() => resolve(path));
}
