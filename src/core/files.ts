/**
 * @file Files written whole or not at all, and read with a bound on their size.
 *
 * The bytes go to a temporary file beside the target, reach the disk, and only then take the target's name. Whatever
 * stops the work in between (a full disk, Ctrl-C, a power cut) leaves the old file, or none, never half a file.
 */

import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { copyFile, link, lstat, open, readFile, realpath, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { WildmarkError } from "./errors.js";
import { defined } from "./defined.js";

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
  await writeFilesAtomic([{ path, bytes, ...defined({ mode }) }], { force });
}

/** One of several files that belong together. */
export interface FileChange {
  readonly path: string;
  /** Undefined where the file is to go, if it is there. */
  readonly bytes: Uint8Array | undefined;
  /** Permission bits, exact whatever the umask; by default the umask decides. */
  readonly mode?: number;
}

/**
 * Writes files that are worth nothing without each other, each whole or not at all, and all of them or none: all bytes
 * reach the disk before the first file takes its name, and where one cannot take its name those before it lose theirs
 * again, or have their old contents back. Only a process that is killed between two names leaves one without the other.
 *
 * @param options.force replace existing files; false by default.
 * @throws WildmarkError `cannot-write` as `writeFileAtomic` does.
 */
export async function writeFilesAtomic(
  changes: readonly FileChange[],
  options: { readonly force?: boolean } = {},
): Promise<void> {
  const { force = false } = options;
  const leftovers: string[] = [];
  const undo: (() => Promise<void>)[] = [];
  let path = "";
  try {
    const staged: { readonly change: FileChange; readonly target: string; readonly temporary: string }[] = [];
    for (const change of changes) {
      path = change.path;
      const target = await writableTarget(path, force);
      const temporary = `${target}.${randomBytes(6).toString("hex")}.part`;
      leftovers.push(temporary);
      if (change.bytes !== undefined) await writeThrough(temporary, change.bytes, change.mode);
      staged.push({ change, target, temporary });
    }
    for (const [i, { change, target, temporary }] of staged.entries()) {
      path = change.path;
      // Nothing comes after the last one that could make it necessary to undo it.
      const kept = force && i < staged.length - 1 ? await keep(target, leftovers) : undefined;
      if (change.bytes === undefined) await rm(target, { force: true });
      else if (force) await rename(temporary, target);
      else await takeName(temporary, target);
      undo.push(() => (kept === undefined ? rm(target, { force: true }) : rename(kept, target)));
    }
  } catch (error) {
    for (const step of undo.reverse()) await step().catch(() => undefined);
    throw writeError(path, error);
  } finally {
    for (const each of leftovers) await rm(each, { force: true }).catch(() => undefined);
  }
  for (const folder of new Set(changes.map((change) => dirname(change.path)))) await syncFolder(folder);
}

/** A second name for a file that is about to be replaced; undefined where there is none. */
async function keep(target: string, leftovers: string[]): Promise<string | undefined> {
  if ((await lstat(target).catch(() => undefined)) === undefined) return undefined;
  const second = `${target}.${randomBytes(6).toString("hex")}.old.part`;
  leftovers.push(second);
  // Where there are no hard links, its bytes again.
  await link(target, second).catch(() => copyFile(target, second));
  return second;
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
    // Some file systems (FAT, some network shares) know no hard links: claim the name with an empty file, then replace
    // it.
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
    const bytes = new Uint8Array(await readFile(path));
    refuseLfsPointer(bytes, path, what);
    return bytes;
  } catch (error) {
    if (error instanceof WildmarkError) throw error;
    throw new WildmarkError("bad-file", `${path}: expected ${what}, ${reason(error)}`, {
      hint: "check the path and its permissions",
      cause: error,
    });
  }
}

/** How the pointer begins that lies in a clone in place of a large file, until Git LFS fetches the file itself. */
const LFS_POINTER = new TextEncoder().encode("version https://git-lfs.github.com/spec/");
/** Git LFS takes nothing larger for a pointer. */
const LARGEST_LFS_POINTER = 1024;

/**
 * Names a Git LFS pointer as what it is, before a decoder says that it is malformed.
 *
 * @param bytes of the whole file.
 * @param what what the file should be, for the message: "a key".
 * @throws WildmarkError `bad-file` where it is one.
 */
export function refuseLfsPointer(bytes: Uint8Array, path: string, what: string): void {
  if (bytes.length > LARGEST_LFS_POINTER || !LFS_POINTER.every((byte, i) => bytes[i] === byte)) return;
  throw new WildmarkError("bad-file", `${path}: expected ${what}, found a Git LFS pointer to it`, {
    hint: "run `git lfs pull` in its repository: that fetches the file itself",
  });
}

/**
 * The same of a file that something else reads, or could not read.
 *
 * @throws WildmarkError `bad-file` where it is one; nothing where it cannot be opened.
 */
export async function refuseLfsPointerAt(path: string, what: string): Promise<void> {
  const file = await open(path, "r").catch(() => undefined);
  if (file === undefined) return;
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(LARGEST_LFS_POINTER + 1), 0, LARGEST_LFS_POINTER + 1, 0);
    refuseLfsPointer(buffer.subarray(0, bytesRead), path, what);
  } finally {
    await file.close();
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
