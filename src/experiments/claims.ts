/**
 * @file Who is computing a cell: a note beside it for as long as it takes, so that processes on one folder share the
 * work.
 *
 * A claim saves work and nothing rests on it: two that compute the same cell write the same models and results. So a
 * claim whose process died (killed, or on another machine that fell silent) is simply taken over, and where two take it
 * over at once, both compute.
 */

import { mkdir, open, readFile, rm, stat, utimes } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname } from "node:path";
import { z } from "zod";
import { writeError } from "../core/files.js";
import { parsedJson } from "../core/json.js";

/** How often a claim is touched, and for how long one of another machine is believed without that. */
const BEAT_MS = 10_000;
const SILENT_MS = 5 * 60_000;

export interface Claim {
  readonly release: () => Promise<void>;
}

const holderSchema = z.object({ host: z.string(), pid: z.int().positive() });

/** Claims of this very process: a note with its number that is not among them is a dead one's. */
const own = new Set<string>();

/**
 * Claims what `path` stands for; its folder is made where it is not there.
 *
 * @returns undefined where a living process holds it.
 * @throws WildmarkError `cannot-write`.
 */
export async function takeClaim(path: string): Promise<Claim | undefined> {
  await mkdir(dirname(path), { recursive: true }).catch((error) => Promise.reject(writeError(path, error)));
  if (!(await writeClaim(path))) {
    if (await isClaimed(path)) return undefined;
    await rm(path, { force: true });
    if (!(await writeClaim(path))) return undefined;
  }
  own.add(path);
  const now = (): Date => new Date();
  const beat = setInterval(() => void utimes(path, now(), now()).catch(() => undefined), BEAT_MS).unref();
  return {
    async release() {
      clearInterval(beat);
      own.delete(path);
      await rm(path, { force: true });
    },
  };
}

/** Whether a living process holds the claim. */
export async function isClaimed(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) return false;
  const holder = holderSchema.safeParse(parsedJson(await readFile(path, "utf8").catch(() => "")));
  if (holder.success && holder.data.host === hostname()) {
    return holder.data.pid === process.pid ? own.has(path) : isAlive(holder.data.pid);
  }
  return Date.now() - found.mtimeMs < SILENT_MS;
}

/** @returns false where there is one already. */
async function writeClaim(path: string): Promise<boolean> {
  try {
    const file = await open(path, "wx");
    try {
      await file.writeFile(JSON.stringify({ host: hostname(), pid: process.pid }));
    } finally {
      await file.close();
    }
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    throw writeError(path, error);
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it lives, and is another user's.
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}
