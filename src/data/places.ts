/**
 * @file Where the files of public data sets lie on this machine, and whether they are what they are called.
 *
 * Places are searched in this order: the folder that the user names, the one in WILDMARK_DATA, the cache. The first
 * that holds all files of a data set is taken; files of two places are never mixed.
 */

import { createHash } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { defaultCacheDir } from "../core/cache-dir.js";
import { WildmarkError } from "../core/errors.js";
import { refuseLfsPointer } from "../core/files.js";
import { type KnownFile, knownSets, whoseFile } from "./checksums.js";
import { gunzip, isGzip } from "./idx.js";

/** How to find local copies. */
export interface PlaceOptions {
  /** The folder of `--data-dir`. */
  readonly dataDir?: string | undefined;
  /** The environment; default: this process's. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  /**
   * Take files that may not be what was published, too: the doubt is then said and stands in documents. Default false.
   */
  readonly force?: boolean | undefined;
}

/** What is looked for, and where. */
export interface FileSet {
  /** Names it in messages, and for `wildmark data fetch`. */
  readonly id: string;
  /** Its folder below a data folder: `DIR/mnist`. */
  readonly folder: string;
  /** Whether the files may also lie in the data folder itself: not where another set's have the same names. */
  readonly flat: boolean;
  /** Whether `wildmark data fetch` knows it; default true. */
  readonly fetchable?: boolean;
  readonly files: readonly KnownFile[];
}

/** A folder to look in. */
interface Place {
  readonly folder: string;
  readonly kind: "named" | "environment" | "cache";
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
  /** Those of the warnings that say why a file may not be what was published: none unless that was allowed. */
  readonly doubts: readonly string[];
}

/** No file of the sets that Wildmark knows comes near this; a larger one is not read into memory. */
const LARGEST_FILE = 1 << 30;
/** Nor is more unpacked to see whose file it is. */
const LARGEST_CONTENTS = Math.max(...knownSets.flatMap(({ files }) => files.map((file) => file.contentsBytes)));

/**
 * Finds and reads the files of one data set.
 *
 * @returns undefined when no place holds all of them.
 * @throws WildmarkError `bad-file` when a file cannot be read, one in the cache is not what was published (what lies
 *   there was put there by Wildmark), or `dataDir` is no folder; `bad-data` when a file is known to be another one,
 *   such as that of another data set, or, without `force`, when it is not known to be what was published.
 */
export async function findFiles(set: FileSet, options: PlaceOptions = {}): Promise<LocalFiles | undefined> {
  const place = await findPlace(set, options);
  if (place === undefined) return undefined;
  const files = new Map<string, LocalFile>();
  const doubts: string[] = [];
  const mistaken: Mistaken[] = [];
  const elsewhere: string[] = [];
  if (options.dataDir && place.kind !== "named") {
    elsewhere.push(`${options.dataDir} does not hold the files of ${set.id}: they were taken from ${place.folder}`);
  }
  for (const file of set.files) {
    const local = await readLocal((await pathIn(place.folder, file.name)) ?? "");
    files.set(file.name, local);
    const found = doubtAbout(local, file);
    if (found === undefined) continue;
    if (typeof found !== "string") mistaken.push(found);
    else if (place.kind !== "cache") doubts.push(found);
    // What the cache holds came out of an archive that was checked, even where no sum of the file itself is known.
    else if (file.sha256 !== undefined) {
      throw new WildmarkError("bad-file", found, { hint: `fetch it again: wildmark data fetch ${set.id}` });
    }
  }
  if (mistaken.length > 0) throw othersFiles(set, place.folder, mistaken);
  if (doubts.length > 0 && options.force !== true) throw doubtful(set, place.folder, doubts);
  return { files, warnings: [...elsewhere, ...doubts], doubts };
}

/** A file that is known to be another one than its name says. */
interface Mistaken {
  readonly path: string;
  readonly is: Recognised;
}

export type Recognised = NonNullable<ReturnType<typeof whoseFile>>;

/** Which published file this is, whatever it is called, compressed or not; undefined where it is none that is known. */
export function recognise({ path, bytes }: LocalFile): Recognised | undefined {
  return whoseFile([sha256(bytes), isGzip(bytes) ? contentsSha256(bytes, path, LARGEST_CONTENTS) : undefined]);
}

/** Never taken, not even by force: there is a right name for them. */
function othersFiles(set: FileSet, folder: string, mistaken: readonly Mistaken[]): WildmarkError {
  const titles = [...new Set(mistaken.map(({ is }) => is.set.title))].join(" and ");
  const [first] = mistaken;
  const other = first?.is.set.id;
  const what =
    other === set.id
      ? `files of ${titles} under the names of others`
      : `these are ${titles}'s files, not those of ${set.id}`;
  const hint =
    other === set.id
      ? `give them their own names, or fetch them anew: wildmark data fetch ${set.id}`
      : `move them to a folder ${other} beside it and choose --dataset ${other}, or give the folder's path ` +
        `as data of your own`;
  return new WildmarkError("bad-data", `${folder}: ${what}`, {
    details: mistaken.map(({ path, is }) => `${path} is ${is.file.name} of ${is.set.title}`),
    hint,
  });
}

function doubtful(set: FileSet, folder: string, doubts: readonly string[]): WildmarkError {
  const many = doubts.length === 1 ? "a file" : `${doubts.length} files`;
  return new WildmarkError("bad-data", `${folder}: ${many} may not be what was published as ${set.id}`, {
    details: doubts,
    hint:
      `${set.fetchable === false ? "" : `wildmark data fetch ${set.id} gets the published ones; `}--force ` +
      `takes these, and every document and report then says so; ` +
      "or give the folder's path as data of your own",
  });
}

/**
 * @throws WildmarkError `bad-file` when `dataDir` is given and no folder: data would be taken from elsewhere unnoticed.
 */
export async function requireDataDir({ dataDir }: PlaceOptions): Promise<void> {
  if (!dataDir || (await stat(dataDir).catch(() => undefined))?.isDirectory()) return;
  throw new WildmarkError("bad-file", `there is no folder ${dataDir}`, {
    hint: "--data-dir names a folder with a folder for each data set, such as mnist",
  });
}

/** The first folder that holds all files, unread. */
async function findPlace(set: FileSet, options: PlaceOptions): Promise<Place | undefined> {
  await requireDataDir(options);
  for (const place of placesOf(set, options)) {
    const paths = await Promise.all(set.files.map((file) => pathIn(place.folder, file.name)));
    if (!paths.includes(undefined)) return place;
  }
  return undefined;
}

/** The error for a data set that lies nowhere: says where it was looked for; the hint says how to get it. */
export async function missing(set: FileSet, options: PlaceOptions, hint: string): Promise<WildmarkError> {
  const looked: string[] = [];
  for (const { folder } of placesOf(set, options)) {
    const lacking: string[] = [];
    for (const { name } of set.files) if ((await pathIn(folder, name)) === undefined) lacking.push(name);
    looked.push(lacking.length < set.files.length ? `${folder} (which lacks ${lacking.join(", ")})` : folder);
  }
  return new WildmarkError("bad-file", `the files of ${set.id} were not found; looked in ${looked.join(", ")}`, {
    hint,
  });
}

function placesOf({ folder, flat }: FileSet, { dataDir, env = process.env }: PlaceOptions): Place[] {
  const chosen = [
    { base: dataDir, kind: "named" as const },
    { base: env.WILDMARK_DATA, kind: "environment" as const },
  ];
  const places = chosen.flatMap(({ base, kind }): Place[] => {
    if (!base) return [];
    const own = { folder: join(base, folder), kind };
    return flat ? [own, { folder: base, kind }] : [own];
  });
  return [...places, { folder: join(defaultCacheDir(env), folder), kind: "cache" }];
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

/** @throws WildmarkError `bad-file` when it cannot be read or is larger than anybody's data set in one file. */
export async function readLocal(path: string): Promise<LocalFile> {
  try {
    const { size } = await stat(path);
    if (size > LARGEST_FILE) throw new Error(`it has ${size} bytes; more than ${LARGEST_FILE} are not read at once`);
    const bytes = await readFile(path);
    refuseLfsPointer(bytes, path, "a file of a data set");
    return { path, bytes };
  } catch (cause) {
    if (cause instanceof WildmarkError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new WildmarkError("bad-file", `${path} cannot be read: ${reason}`, { cause });
  }
}

/**
 * What is wrong with a copy or unknown about it, in words, or which other file it is; undefined when it is what was
 * published, compressed or not.
 */
function doubtAbout({ path, bytes }: LocalFile, known: KnownFile): string | Mistaken | undefined {
  const { name, sha256: published, contentsSha256: contents } = known;
  const found = sha256(bytes);
  if (found === published || found === contents) return undefined;
  const summed = published !== undefined || contents !== undefined;
  const unpacked =
    summed && isGzip(bytes) ? contentsSha256(bytes, path, Math.max(known.contentsBytes, LARGEST_CONTENTS)) : undefined;
  if (unpacked !== undefined && unpacked === contents) return undefined;
  const is = whoseFile([found, unpacked]);
  if (is !== undefined) return { path, is };
  if (!summed) {
    return `no checksum of ${name} is known, so nothing says that ${path} is what was published`;
  }
  if (contents === undefined && name.endsWith(".gz") && (!isGzip(bytes) || unpacked !== undefined)) {
    const how = isGzip(bytes) ? "compressed anew or another file" : "unpacked";
    return `${path} is ${how}: only the checksum of ${name} as published is known, not that of what is in it`;
  }
  return `${path} is not the published ${name}: its SHA-256 is ${found}, expected ${published ?? contents}`;
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
