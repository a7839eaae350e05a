/**
 * @file Downloads the files of a data set into the cache.
 *
 * A file arrives as `NAME.part`, is checked against its published SHA-256 and only then gets its name, so the cache
 * never holds a doubtful file. What is left of a broken download is continued (Range); since the checksum decides, a
 * server that ignores Range or a file that changed meanwhile costs one restart and nothing else. An archive stays until
 * all that is wanted has been taken out of it, so an interruption costs no second download.
 */

import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { defaultCacheDir } from "../core/cache-dir.js";
import { WildmarkError } from "../core/errors.js";
import { writeFileAtomic } from "../core/files.js";
import { unpack } from "./archive.js";
import type { Archive, Download, KnownFile } from "./checksums.js";
import { findRecord } from "./registry.js";

export interface FetchProgress {
  readonly file: string;
  /** Bytes of this file that are here, what an earlier attempt left included. */
  readonly received: number;
  readonly total: number;
}

export interface FetchOptions {
  /** Addresses of folders that hold the files, tried in this order; default: the data set's own. */
  readonly mirrors?: readonly string[];
  readonly onProgress?: (progress: FetchProgress) => void;
  /** Stops the download; what has arrived stays and is continued next time. */
  readonly signal?: AbortSignal;
  /** How long a server may stay silent, in milliseconds; default 30 s. */
  readonly patience?: number;
}

/** Where the bytes come from, and what to do where there is no network. */
interface Mirrored extends FetchOptions {
  readonly mirrors: readonly string[];
  readonly hint?: string;
}

export interface FetchedFile {
  readonly path: string;
  /** True when a sound copy was there already. */
  readonly already: boolean;
}

/** How often a connection that breaks after making progress is taken up again, for each mirror. */
const CONTINUATIONS = 5;

/**
 * Makes sure that the cache holds every file of data set `id`.
 *
 * @param options.cacheDir default: `defaultCacheDir()`.
 * @throws WildmarkError `usage` for a data set that needs no download or is unknown, `network` when no mirror gives a
 *   sound file, `cannot-write` when the cache cannot be written, `interrupted` when the signal fires.
 */
export async function fetchDataset(
  id: string,
  options: FetchOptions & { readonly cacheDir?: string } = {},
): Promise<FetchedFile[]> {
  const record = findRecord(id);
  if (record.kind === "built-in") {
    throw new WildmarkError("usage", `${id} is built in: there is nothing to fetch`);
  }
  const { source, files } = record;
  const folder = join(options.cacheDir ?? defaultCacheDir(), record.folder);
  const mirrored = { ...options, mirrors: options.mirrors ?? record.mirrors };
  if (source.kind === "files") return fetchFiles(id, source.files, folder, mirrored);
  return fetchArchived(id, files, source, folder, mirrored);
}

/**
 * Makes sure that `folder` holds `files`, which come in an archive; whatever else of it is listed is unpacked with
 * them.
 *
 * @returns what became of `files`. Throws as `fetchDataset` does, and `bad-file` when the archive is not what it should
 *   be.
 */
export async function fetchArchived(
  id: string,
  files: readonly KnownFile[],
  { archive, files: all }: { readonly archive: Archive; readonly files: readonly KnownFile[] },
  folder: string,
  options: FetchOptions & { readonly mirrors: readonly string[] },
): Promise<FetchedFile[]> {
  const paths = files.map(({ name }) => join(folder, name));
  const sound = await Promise.all(files.map((file) => isSound(file, join(folder, file.name))));
  const already = !sound.includes(false);
  if (!already) {
    const hint =
      `without a network, put ${archive.name} (from ${options.mirrors[0] ?? "its site"}) into ` +
      `${folder}; the same command then unpacks it`;
    const [packed] = await fetchFiles(id, [archive], folder, { ...options, hint });
    if (packed === undefined) throw new Error("an archive is one file");
    await unpackInto(folder, packed.path, archive, all, options);
    await writing(packed.path, () => rm(packed.path));
  }
  return paths.map((path) => ({ path, already }));
}

/** A file of which no checksum is known is sound when it is there: only whole files get their names. */
async function isSound({ sha256 }: KnownFile, path: string): Promise<boolean> {
  return sha256 === undefined ? (await sizeOf(path)) > 0 : (await fileSha256(path)) === sha256;
}

async function unpackInto(
  folder: string,
  path: string,
  { kind, folder: inside }: Archive,
  files: readonly KnownFile[],
  options: FetchOptions,
): Promise<void> {
  const members = new Map(files.map((file) => [`${inside}/${file.name}`, file]));
  // What does not compress grows by a few bytes in a gzip file.
  const wanted = [...members].map(([name, { contentsBytes }]) => {
    return { name, maxBytes: Math.ceil(contentsBytes * 1.001) + 1024 };
  });
  await unpack(path, kind, wanted, async (member, bytes) => {
    if (options.signal?.aborted) throw stopped(`unpacking ${path}`);
    const file = members.get(member);
    if (file === undefined) throw new Error(`${member} was not asked for`);
    if (file.sha256 !== undefined && createHash("sha256").update(bytes).digest("hex") !== file.sha256) {
      throw new WildmarkError("bad-file", `${path}: ${member} is not the published file (SHA-256 differs)`);
    }
    await writeFileAtomic(join(folder, file.name), bytes, { force: true });
    options.onProgress?.({ file: file.name, received: bytes.length, total: bytes.length });
  });
}

/** The same for any files with known checksums that are fetched one by one; see `fetchDataset`. */
export async function fetchFiles(
  id: string,
  files: readonly Download[],
  folder: string,
  options: Mirrored,
): Promise<FetchedFile[]> {
  await writing(folder, () => mkdir(folder, { recursive: true }));
  const fetched: FetchedFile[] = [];
  for (const file of files) {
    const path = join(folder, file.name);
    const already = (await fileSha256(path)) === file.sha256;
    if (!already) await fetchFromMirrors(id, file, path, options);
    options.onProgress?.({ file: file.name, received: file.bytes, total: file.bytes });
    fetched.push({ path, already });
  }
  return fetched;
}

async function fetchFromMirrors(id: string, file: Download, path: string, options: Mirrored): Promise<void> {
  const part = `${path}.part`;
  const failures: string[] = [];
  for (const mirror of options.mirrors) {
    try {
      await fetchSound(addressOf(file.name, mirror), file, part, options);
      await writing(path, () => rename(part, path));
      return;
    } catch (error) {
      if (!(error instanceof MirrorFailure)) throw error;
      failures.push(error.message);
    }
  }
  throw new WildmarkError(
    "network",
    `${file.name} could not be downloaded: ${failures.join("; ") || "no mirror given"}`,
    {
      hint:
        options.hint ??
        `without a network, put the files of ${id} into DIR/${id}/ by hand (${file.name} and so on) and ` +
          `pass --data-dir DIR`,
    },
  );
}

function addressOf(name: string, mirror: string): string {
  const base = mirror.endsWith("/") ? mirror : `${mirror}/`;
  if (!URL.canParse(name, base)) throw new MirrorFailure(`${mirror} is not an address`);
  return new URL(name, base).href;
}

/** What one mirror did wrong; the next one is tried. */
class MirrorFailure extends Error {}

/** Fills `part` with the published bytes: from what it holds already where that works, else once more from nothing. */
async function fetchSound(url: string, file: Download, part: string, options: FetchOptions): Promise<void> {
  const attempt = async (): Promise<string | undefined> => {
    try {
      await fetchWhole(url, file, part, options);
      return (await fileSha256(part)) === file.sha256
        ? undefined
        : `${url} is not the published file (SHA-256 differs)`;
    } catch (error) {
      if (error instanceof Misfit) return error.message;
      throw error;
    }
  };
  if ((await sizeOf(part)) > 0 && (await attempt()) === undefined) return;
  await writing(part, () => rm(part, { force: true }));
  const wrong = await attempt();
  if (wrong === undefined) return;
  await writing(part, () => rm(part, { force: true }));
  throw new MirrorFailure(wrong);
}

/** Asks until `part` has its full length, as long as each answer brings it further. */
async function fetchWhole(url: string, file: Download, part: string, options: FetchOptions): Promise<void> {
  let held = await sizeOf(part);
  for (let attempt = 0; held !== file.bytes; attempt++) {
    const failure = await fetchOnce(url, file, part, held, options);
    const now = await sizeOf(part);
    if (now === file.bytes) return;
    if (now <= held || attempt >= CONTINUATIONS) {
      throw failure ?? new MirrorFailure(`${url} ended after ${now} of ${file.bytes} bytes`);
    }
    held = now;
  }
}

/** The answer does not continue what is kept: nothing of it can be used. */
class Misfit extends MirrorFailure {}

/** One request; whatever arrives before it fails is kept in `part`. Returns the failure of a broken connection. */
async function fetchOnce(
  url: string,
  file: Download,
  part: string,
  held: number,
  options: FetchOptions,
): Promise<MirrorFailure | undefined> {
  const stop = new AbortController();
  const silence = setTimeout(() => stop.abort(new Error("the server fell silent")), options.patience ?? 30_000);
  const signals = options.signal === undefined ? [stop.signal] : [stop.signal, options.signal];
  // identity: a gzip that is undone on the way would not have the published checksum.
  const headers = { "accept-encoding": "identity", ...(held > 0 ? { range: `bytes=${held}-` } : {}) };
  try {
    const response = await fetch(url, { headers, signal: AbortSignal.any(signals) });
    const start = startOf(response, url, held);
    if (response.body === null) throw new MirrorFailure(`${url} sent nothing`);
    await append(part, start, async (write) => {
      let received = start;
      for await (const chunk of response.body ?? []) {
        silence.refresh();
        received += chunk.length;
        if (received > file.bytes) throw new Misfit(`${url} is longer than the published ${file.bytes} bytes`);
        await write(chunk);
        options.onProgress?.({ file: file.name, received, total: file.bytes });
      }
    });
    return undefined;
  } catch (error) {
    if (options.signal?.aborted) {
      throw stopped(`the download of ${file.name}`);
    }
    if (error instanceof MirrorFailure || error instanceof WildmarkError) throw error;
    return new MirrorFailure(`${url}: ${reasonOf(error)}`);
  } finally {
    clearTimeout(silence);
    // Ends the transfer where the body was not read to its end.
    stop.abort();
  }
}

function stopped(what: string): WildmarkError {
  return new WildmarkError("interrupted", `${what} was stopped`, { hint: "the same command continues it" });
}

/** The offset of the answer's first byte: where we asked it to start, or 0 from a server that ignores Range. */
function startOf(response: Response, url: string, held: number): number {
  if (response.status === 200) return 0;
  if (response.status === 206) {
    const start = /^bytes (\d+)-/.exec(response.headers.get("content-range") ?? "")?.[1];
    if (Number(start) === held) return held;
    throw new Misfit(`${url} answered a request from byte ${held} with another part`);
  }
  // 416: there is nothing at that offset, so what is kept is not the beginning of this file.
  if (response.status === 416) throw new Misfit(`${url} ends before byte ${held}`);
  throw new MirrorFailure(`${url} answered ${response.status} ${response.statusText}`.trimEnd());
}

/** Writes to `path` from offset `start` on and drops what lay beyond. */
async function append(
  path: string,
  start: number,
  fill: (write: (chunk: Uint8Array) => Promise<void>) => Promise<void>,
): Promise<void> {
  const handle = await writing(path, () => open(path, start === 0 ? "w" : "r+"));
  try {
    let at = start;
    await writing(path, () => handle.truncate(start));
    await fill(async (chunk) => {
      for (let done = 0; done < chunk.length; ) {
        const { bytesWritten } = await writing(path, () => handle.write(chunk, done, chunk.length - done, at + done));
        done += bytesWritten;
      }
      at += chunk.length;
    });
    await writing(path, () => handle.sync());
  } finally {
    await handle.close();
  }
}

/** Tells trouble with the disk from trouble with the network. */
async function writing<T>(path: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (cause) {
    throw new WildmarkError("cannot-write", `${path} cannot be written: ${reasonOf(cause)}`, {
      hint: "XDG_CACHE_HOME names another folder for the cache",
      cause,
    });
  }
}

/** Node's fetch says "fetch failed" and hides why in the cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const inner = error.cause instanceof AggregateError ? error.cause.errors[0] : error.cause;
  return inner instanceof Error && inner.message !== "" ? inner.message : error.message;
}

async function sizeOf(path: string): Promise<number> {
  return (await stat(path).catch(() => undefined))?.size ?? 0;
}

/** Hex SHA-256 of a file; undefined when it is not there. */
async function fileSha256(path: string): Promise<string | undefined> {
  if (!(await stat(path).catch(() => undefined))?.isFile()) return undefined;
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk);
  return hash.digest("hex");
}
