/**
 * @file Where the files of public data sets lie on this machine, and whether they are what they are called.
 *
 * Places are searched in this order: the folder that the user names, the one in WILDMARK_DATA, the cache. The first that
 * holds all files of a data set is taken; files of two places are never mixed.
 */

import { createHash } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";
import { WildmarkError } from "../core/errors.js";
import type { KnownFile } from "./checksums.js";
import { gunzip, isGzip } from "./idx.js";

/** How to find local copies. */
export interface PlaceOptions {
  /** The folder of `--data-dir`. */
  readonly dataDir?: string | undefined;
  /** The environment; default: this process's. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
}

/** A folder to look in. What lies in the cache was put there by Wildmark and must be whole. */
interface Place {
  readonly folder: string;
  readonly cache: boolean;
}

/** A file as found, compressed or not. */
export interface LocalFile {
  readonly path: string;
  readonly bytes: Uint8Array;
}

/** All files of a data set by their published names, and what the user should be told about them. */
export interface LocalFiles {
  readonly files: ReadonlyMap<string, LocalFile>;
  readonly warnings: readonly string[];
}

/** No file of the sets that Wildmark knows comes near this; a larger one is not read into memory. */
const LARGEST_FILE = 1 << 30;

/** The folder that downloads go to: `$XDG_CACHE_HOME/wildmark`, else `~/.cache/wildmark`. */
export function defaultCacheDir(env: NonNullable<PlaceOptions["env"]> = process.env): string {
  const xdg = env.XDG_CACHE_HOME;
  // The XDG specification has relative paths ignored.
  const base = xdg !== undefined && isAbsolute(xdg) ? xdg : join(env.HOME || homedir(), ".cache");
  return join(base, "wildmark");
}

/**
 * Finds and reads the files of one data set.
 *
 * @param id the data set, which names its folder below a data folder: `DIR/mnist`.
 * @param flat whether the files may also lie in the data folder itself.
 * @returns undefined when no place holds all of them.
 * @throws WildmarkError `bad-file` when a file cannot be read, or one in the cache is not what was published.
 */
export async function findFiles(
  id: string,
  known: readonly KnownFile[],
  flat: boolean,
  options: PlaceOptions = {},
): Promise<LocalFiles | undefined> {
  for (const place of placesOf(id, flat, options)) {
    const paths = await Promise.all(known.map((file) => pathIn(place.folder, file.name)));
    if (paths.some((path) => path === undefined)) continue;
    const files = new Map<string, LocalFile>();
    const warnings: string[] = [];
    for (const [i, file] of known.entries()) {
      const local = await readLocal(paths[i] ?? "");
      const doubt = doubtAbout(local, file);
      if (doubt !== undefined && place.cache) {
        throw new WildmarkError("bad-file", doubt, { hint: `fetch it again: wildmark data fetch ${id}` });
      }
      if (doubt !== undefined) warnings.push(doubt);
      files.set(file.name, local);
    }
    return { files, warnings };
  }
  return undefined;
}

/** The error for a data set that lies nowhere: says where it was looked for; the hint says how to get it. */
export async function missing(
  id: string,
  known: readonly KnownFile[],
  flat: boolean,
  options: PlaceOptions,
  hint: string,
): Promise<WildmarkError> {
  const looked: string[] = [];
  for (const { folder } of placesOf(id, flat, options)) {
    const lacking: string[] = [];
    for (const { name } of known) if ((await pathIn(folder, name)) === undefined) lacking.push(name);
    looked.push(lacking.length < known.length ? `${folder} (which lacks ${lacking.join(", ")})` : folder);
  }
  return new WildmarkError("bad-file", `the files of ${id} were not found; looked in ${looked.join(", ")}`, { hint });
}

function placesOf(id: string, flat: boolean, { dataDir, env = process.env }: PlaceOptions): Place[] {
  const chosen = [dataDir, env.WILDMARK_DATA].filter((folder) => folder !== undefined && folder !== "");
  const places = chosen.flatMap((folder) => {
    const own = { folder: join(String(folder), id), cache: false };
    return flat ? [own, { folder: String(folder), cache: false }] : [own];
  });
  return [...places, { folder: join(defaultCacheDir(env), id), cache: true }];
}

/** The file under its published name, or unpacked; undefined when neither is there. */
async function pathIn(folder: string, name: string): Promise<string | undefined> {
  for (const candidate of [name, name.replace(/\.gz$/, "")]) {
    const path = join(folder, candidate);
    const found = await stat(path).catch(() => undefined);
    if (found?.isFile()) return path;
  }
  return undefined;
}

async function readLocal(path: string): Promise<LocalFile> {
  try {
    const { size } = await stat(path);
    if (size > LARGEST_FILE) throw new Error(`${size} bytes are more than any file of a data set that is known`);
    return { path, bytes: await readFile(path) };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new WildmarkError("bad-file", `${path} cannot be read: ${reason}`, { cause });
  }
}

/** What is wrong with a copy, in words; undefined when it is what was published, compressed or not. */
function doubtAbout({ path, bytes }: LocalFile, known: KnownFile): string | undefined {
  const found = sha256(bytes);
  if (found === known.sha256 || found === known.contentsSha256) return undefined;
  if (isGzip(bytes) && contentsSha256(bytes, path, known.contentsBytes) === known.contentsSha256) return undefined;
  return `${path} is not the published ${known.name}: its SHA-256 is ${found}, expected ${known.sha256}`;
}

function contentsSha256(bytes: Uint8Array, path: string, limit: number): string | undefined {
  try {
    return sha256(gunzip(bytes, path, limit));
  } catch (error) {
    // Too long or damaged: not the published contents. Whether it can be read at all is for the reader to say.
    if (error instanceof WildmarkError) return undefined;
    throw error;
  }
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
