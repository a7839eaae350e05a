/** @file What an experiment left on disk, with the times taken out: two runs of one spec must agree in all of it. */

import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join, sep } from "node:path";

const TIMES: readonly string[] = ["started", "finished", "seconds"];

/** Files by path within `folder`: JSON documents without times, a hash of anything else. */
export async function contentsWithoutTimes(folder: string): Promise<Record<string, unknown>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const contents: Record<string, unknown> = {};
  for (const path of paths.sort()) {
    const bytes = await readFile(path);
    const name = path.slice(folder.length + 1).replaceAll(sep, "/");
    contents[name] = name.endsWith(".json")
      ? withoutTimes(JSON.parse(bytes.toString("utf8")))
      : createHash("sha256").update(bytes).digest("hex");
  }
  return contents;
}

/** The same JSON value without `started`, `finished` and `seconds`, wherever they stand. */
export function withoutTimes(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutTimes);
  if (typeof value !== "object" || value === null) return value;
  const kept = Object.entries(value).filter(([key]) => !TIMES.includes(key));
  return Object.fromEntries(kept.map(([key, inner]) => [key, withoutTimes(inner)]));
}
