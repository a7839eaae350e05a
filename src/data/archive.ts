/**
 * @file Takes the files that are known out of a downloaded archive, and nothing else.
 *
 * No name of an archive ever becomes a path: the caller says which members it wants and where they go. A member that
 * climbs out of the folder, a link or a device is refused all the same: an archive that holds one is not what it should
 * be. POSIX.1-1988 ustar is read, and the extensions of newer writers are skipped.
 */

import { createReadStream } from "node:fs";
import { createGunzip } from "node:zlib";
import { WildmarkError } from "../core/errors.js";
import { withZip } from "./zip.js";

export type ArchiveKind = "tar.gz" | "zip";

/** A member to take: how large it may be. */
export interface WantedMember {
  readonly name: string;
  readonly maxBytes: number;
}

/** What an archive may unpack to beyond the members wanted. */
const REST = 64 << 20;
const BLOCK = 512;

/**
 * Reads the members wanted, one at a time, in the order of the archive.
 *
 * @param put takes a member; the next one is read when it is done.
 * @throws WildmarkError `bad-file` when the archive is damaged, lacks a member, or holds what it should not.
 */
export async function unpack(
  path: string,
  kind: ArchiveKind,
  wanted: readonly WantedMember[],
  put: (name: string, bytes: Uint8Array) => Promise<void>,
): Promise<void> {
  const found = new Set<string>();
  const take = async (name: string, bytes: Uint8Array): Promise<void> => {
    if (found.has(name)) throw unsound(path, `it holds ${name} twice`);
    found.add(name);
    await put(name, bytes);
  };
  await (kind === "zip" ? unzip(path, wanted, take) : untar(path, wanted, take));
  const lacking = wanted.filter(({ name }) => !found.has(name)).map(({ name }) => name);
  if (lacking.length > 0) throw unsound(path, `it lacks ${lacking.join(", ")}`);
}

type Take = (name: string, bytes: Uint8Array) => Promise<void>;

function unzip(path: string, wanted: readonly WantedMember[], take: Take): Promise<void> {
  return withZip(path, path, async (members) => {
    for (const { name, maxBytes } of wanted) {
      const member = members.get(name);
      if (member === undefined) continue;
      checkSize(path, name, member.size, maxBytes);
      await take(name, await member.read());
    }
  });
}

async function untar(path: string, wanted: readonly WantedMember[], take: Take): Promise<void> {
  const limits = new Map(wanted.map(({ name, maxBytes }) => [name, maxBytes]));
  const total = wanted.reduce((sum, { maxBytes }) => sum + maxBytes, REST);
  const { next, close } = inflating(path, total);
  try {
    for (;;) {
      const block = await next(BLOCK);
      if (block.every((byte) => byte === 0)) return;
      const { name, size, type } = headerOf(block, path);
      if (climbs(name)) throw unsound(path, `the member ${JSON.stringify(name)} would climb out of its folder`);
      if (!"05xgLK".includes(type)) throw unsound(path, `${JSON.stringify(name)} is a link or a device`);
      const limit = limits.get(name);
      if (type === "0" && limit !== undefined) {
        checkSize(path, name, size, limit);
        await take(name, await next(size));
      } else {
        for (let left = size; left > 0; left -= 1 << 16) await next(Math.min(left, 1 << 16));
      }
      await next((BLOCK - (size % BLOCK)) % BLOCK);
    }
  } finally {
    close();
  }
}

/** What a gzipped file unpacks to, asked for piece by piece. */
function inflating(path: string, limit: number): { next: (count: number) => Promise<Uint8Array>; close: () => void } {
  const source = createReadStream(path);
  const gunzip = createGunzip();
  source.on("error", (error) => gunzip.destroy(error));
  const chunks: AsyncIterator<Uint8Array> = source.pipe(gunzip)[Symbol.asyncIterator]();
  let chunk: Uint8Array = new Uint8Array(0);
  let total = 0;
  const more = async (): Promise<void> => {
    const result = await chunks.next().catch((cause: unknown) => {
      throw unsound(path, cause instanceof Error ? cause.message : String(cause));
    });
    if (result.done === true) throw unsound(path, "it ends too soon");
    chunk = result.value;
    total += chunk.length;
    if (total > limit) throw unsound(path, `it unpacks to more than the ${limit} bytes expected`);
  };
  const next = async (count: number): Promise<Uint8Array> => {
    const bytes = new Uint8Array(count);
    for (let at = 0; at < count; ) {
      if (chunk.length === 0) await more();
      const piece = chunk.subarray(0, count - at);
      bytes.set(piece, at);
      at += piece.length;
      chunk = chunk.subarray(piece.length);
    }
    return bytes;
  };
  const close = (): void => {
    gunzip.destroy();
    source.destroy();
  };
  return { next, close };
}

interface TarHeader {
  readonly name: string;
  readonly size: number;
  /** "0" for a file, "5" for a folder. */
  readonly type: string;
}

function headerOf(block: Uint8Array, path: string): TarHeader {
  const text = (from: number, to: number): string => {
    const field = block.subarray(from, to);
    const end = field.indexOf(0);
    return Buffer.from(end < 0 ? field : field.subarray(0, end)).toString("latin1");
  };
  const octal = (from: number, to: number): number => {
    const digits = text(from, to).trim();
    if (!/^[0-7]+$/.test(digits)) throw unsound(path, "a header of it is damaged, or it is no tar archive");
    return Number.parseInt(digits, 8);
  };
  // The checksum counts its own field as spaces.
  const sum = block.reduce((total, byte, i) => total + (i >= 148 && i < 156 ? 0x20 : byte), 0);
  if (octal(148, 156) !== sum) throw unsound(path, "a header of it is damaged, or it is no tar archive");
  const prefix = text(257, 263) === "ustar" && block[262] === 0 ? text(345, 500) : "";
  const name = prefix === "" ? text(0, 100) : `${prefix}/${text(0, 100)}`;
  return { name, size: octal(124, 136), type: text(156, 157) || "0" };
}

function climbs(name: string): boolean {
  return name.startsWith("/") || /^[a-z]:/i.test(name) || name.split(/[/\\]/).includes("..");
}

function checkSize(path: string, name: string, size: number, limit: number): void {
  if (size > limit) throw unsound(path, `${name} takes ${size} bytes, expected at most ${limit}`);
}

function unsound(path: string, why: string): WildmarkError {
  return new WildmarkError("bad-file", `${path} is not the archive expected: ${why}`, { hint: "fetch it again" });
}
