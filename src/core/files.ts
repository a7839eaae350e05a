/**
 * @file Files written whole or not at all, and read with a bound on their size.
 *
 * The bytes go to a temporary file beside the target, reach the disk, and only then take the target's name. Whatever
 * stops the work in between (a full disk, Ctrl-C, a power cut) leaves the old file, or none, never half a file.
 */

import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { link, lstat, open, readFile, realpath, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { WildmarkError } from "./errors.js";

/**
 * Writes `bytes` to `path`, whole or not at all.
 *
 * Without `force` the target's name is taken by a hard link, which fails where the name exists: of two processes that
 * write the same path only one wins, and neither overwrites. With `force` the target is replaced in one step; where it
 * is a symbolic link, the file it points to is.
 *
 * @param options.force replace an existing file; false by default.
 * @param options.mode permission bits, exact whatever the umask; by default the umask decides.
 * @throws WildmarkError `cannot-write` when the target exists (without force) or is no regular file, the folder is
 *   missing or forbidden, or the disk is full.
 */
export async function writeFileAtomic(
  path: string,
  bytes: Uint8Array,
  options: { readonly force?: boolean; readonly mode?: number } = {},
): Promise<void> {
  const { force = false, mode } = options;
  const target = await writableTarget(path, force);
  const temporary = `${target}.${randomBytes(6).toString("hex")}.part`;
  try {
    await writeThrough(temporary, bytes, mode);
    if (force) await rename(temporary, target);
    else await takeName(temporary, target);
  } catch (error) {
    throw writeError(path, error);
  } finally {
    await rm(temporary, { force: true }).catch(() => undefined);
  }
  await syncFolder(dirname(target));
}

/** Where the bytes really go; refuses early, before anything is written, what can be known to fail. */
async function writableTarget(path: string, force: boolean): Promise<string> {
  try {
    await lstat(path);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return path;
    throw writeError(path, error);
  }
  if (!force) throw existsError(path);
  try {
    const real = await realpath(path);
    if ((await stat(real)).isFile()) return real;
  } catch (error) {
    if (errorCode(error) === "ENOENT") return path; // a dangling symbolic link: replace it
    throw writeError(path, error);
  }
  throw new WildmarkError("cannot-write", `${path}: expected a file to replace, found a folder or a device`, {
    hint: "choose another output path",
  });
}

async function writeThrough(path: string, bytes: Uint8Array, mode: number | undefined): Promise<void> {
  const file = await open(path, "wx", mode ?? 0o666);
  try {
    if (mode !== undefined) await file.chmod(mode);
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Gives the temporary file its name, unless the name is taken. */
async function takeName(temporary: string, target: string): Promise<void> {
  try {
    await link(temporary, target);
  } catch (error) {
    // Some file systems (FAT, some network shares) know no hard links: claim the name with an empty file, then replace it.
    if (!["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"].includes(errorCode(error) ?? "")) throw error;
    await (await open(target, "wx")).close();
    await rename(temporary, target);
  }
}

/** Makes the new name survive a power cut, where the platform lets a folder be synced. */
async function syncFolder(folder: string): Promise<void> {
  try {
    const handle = await open(folder, constants.O_RDONLY);
    await handle.sync().finally(() => handle.close());
  } catch {
    // Windows and some file systems refuse; the bytes themselves are already on the disk.
  }
}

/**
 * Reads a whole regular file of at most `maxBytes`.
 *
 * @param options.what what the file should be, for the message: "a key".
 * @throws WildmarkError `bad-file` when it is missing, forbidden, no regular file, or larger.
 */
export async function readFileBounded(
  path: string,
  options: { readonly what: string; readonly maxBytes: number },
): Promise<Uint8Array> {
  const { what, maxBytes } = options;
  try {
    // Asked before opening: opening a pipe would wait for a writer that may never come.
    const { size } = await stat(path).then((found) => {
      if (found.isFile()) return found;
      throw new WildmarkError("bad-file", `${path}: expected ${what}, found a folder or a device`);
    });
    if (size > maxBytes) {
      throw new WildmarkError(
        "bad-file",
        `${path}: expected ${what} of at most ${megabytes(maxBytes)}, found ${megabytes(size)}`,
        { hint: "check that this is the file you meant" },
      );
    }
    return new Uint8Array(await readFile(path));
  } catch (error) {
    if (error instanceof WildmarkError) throw error;
    throw new WildmarkError("bad-file", `${path}: expected ${what}, ${reason(error)}`, {
      hint: "check the path and its permissions",
      cause: error,
    });
  }
}

/** The error for a failed write, from what the operating system said. Exported for others that write in the open. */
export function writeError(path: string, error: unknown): WildmarkError {
  if (error instanceof WildmarkError) return error;
  if (errorCode(error) === "EEXIST") return existsError(path);
  const hints: Readonly<Record<string, string>> = {
    ENOENT: `make the folder ${dirname(path)} first`,
    ENOTDIR: "a part of the path is a file, not a folder",
    EACCES: "choose a folder you may write to",
    EPERM: "choose a folder you may write to",
    EROFS: "choose a folder on a file system that can be written",
    ENOSPC: "free some space, or write to another disk; nothing was left behind",
    EDQUOT: "free some space, or write to another disk; nothing was left behind",
    EFBIG: "raise the limit on file sizes, or write to another disk; nothing was left behind",
  };
  const hint = hints[errorCode(error) ?? ""] ?? "choose another output path";
  return new WildmarkError("cannot-write", `${path}: cannot be written, ${reason(error)}`, { hint, cause: error });
}

function existsError(path: string): WildmarkError {
  return new WildmarkError("cannot-write", `${path}: already exists`, {
    hint: "choose another path, or pass --force to replace it",
  });
}

function reason(error: unknown): string {
  const reasons: Readonly<Record<string, string>> = {
    ENOENT: "no such file or folder",
    ENOTDIR: "a part of the path is no folder",
    EISDIR: "it is a folder",
    EACCES: "permission denied",
    EPERM: "operation not permitted",
    EROFS: "the file system is read-only",
    ENOSPC: "the disk is full",
    EDQUOT: "the disk quota is used up",
    EFBIG: "it would be larger than allowed",
    ENAMETOOLONG: "the name is too long",
  };
  return reasons[errorCode(error) ?? ""] ?? (error instanceof Error ? error.message : String(error));
}

/** The operating system's code of an error: "ENOENT", "ENOSPC". */
function errorCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

function megabytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}
