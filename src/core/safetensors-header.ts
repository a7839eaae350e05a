/**
 * @file The JSON header of a safetensors file, read with suspicion.
 *
 * `JSON.parse` keeps the last of two equal names without a word; the format forbids them, because two readers could
 * then see two different files. So the text is walked once more for the names of its objects.
 */

import { z } from "zod";
import { WildmarkError } from "./errors.js";

/** Where a tensor lies in the data that follows the header. */
export interface TensorEntry {
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Byte offsets into the data, 0 ≤ begin ≤ end. */
  readonly begin: number;
  readonly end: number;
}

const size = z.int().min(0);

const entrySchema = z.strictObject({
  dtype: z.string().max(32),
  shape: z.array(size).max(64),
  data_offsets: z.tuple([size, size]).refine(([begin, end]) => begin <= end, "begin must not exceed end"),
});

/**
 * Reads a header.
 *
 * @throws WildmarkError `bad-file` when it is no UTF-8, no JSON object, names something twice, or an entry is unsound.
 */
export function parseHeader(
  bytes: Uint8Array,
  where: string,
): { readonly metadata: ReadonlyMap<string, string>; readonly entries: ReadonlyMap<string, TensorEntry> } {
  if (bytes[0] !== 0x7b) throw malformed(where, "the header should begin with {");
  const text = decodeText(bytes, where);
  const header = parseObject(text, where);
  const twice = firstRepeatedName(text);
  if (twice !== undefined) throw malformed(where, `the header names ${quote(twice)} twice`);

  let metadata: ReadonlyMap<string, string> = new Map();
  const entries = new Map<string, TensorEntry>();
  for (const [name, value] of Object.entries(header)) {
    if (name === "__metadata__") {
      metadata = parseMetadata(value, where);
      continue;
    }
    const parsed = entrySchema.safeParse(value);
    if (!parsed.success) throw malformed(where, `tensor ${quote(name)}: ${firstIssue(parsed.error)}`);
    const { dtype, shape, data_offsets } = parsed.data;
    entries.set(name, { dtype, shape, begin: data_offsets[0], end: data_offsets[1] });
  }
  return { metadata, entries };
}

/** By hand, not by a schema: the names are anybody's, `__proto__` among them. */
function parseMetadata(value: unknown, where: string): ReadonlyMap<string, string> {
  const metadata = new Map<string, string>();
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw malformed(where, "__metadata__ should be an object");
  }
  for (const [name, text] of Object.entries(value)) {
    if (typeof text !== "string") throw malformed(where, `__metadata__ ${quote(name)} should be text`);
    metadata.set(name, text);
  }
  return metadata;
}

function decodeText(bytes: Uint8Array, where: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw malformed(where, "the header is not UTF-8 text", cause);
  }
}

function parseObject(text: string, where: string): object {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  } catch (cause) {
    throw malformed(where, "the header is not JSON", cause);
  }
  throw malformed(where, "the header is not a JSON object");
}

/** The first name that occurs twice in one object of `json`, which must be valid JSON. */
export function firstRepeatedName(json: string): string | undefined {
  /** Names seen in each open object, outermost first. */
  const open: Set<string>[] = [];
  // A string with the colon after it, if any, or a brace outside of strings. Valid JSON has a colon after names only.
  for (const [token, string, colon] of json.matchAll(/("[^"\\]*(?:\\.[^"\\]*)*")\s*(:?)|[{}]/g)) {
    if (token === "{") open.push(new Set());
    else if (token === "}") open.pop();
    else if (string !== undefined && colon === ":") {
      const name: unknown = JSON.parse(string);
      const names = open.at(-1);
      if (typeof name !== "string" || names === undefined) continue;
      if (names.has(name)) return name;
      names.add(name);
    }
  }
  return undefined;
}

function firstIssue(error: z.ZodError): string {
  const issue = error.issues[0];
  if (issue === undefined) return "malformed";
  return issue.path.length === 0 ? issue.message : `${issue.path.join(".")}: ${issue.message}`;
}

/** A name from a file, fit for one line of a terminal: control characters escaped, and never long. */
export function quote(name: string): string {
  return JSON.stringify(name.length > 60 ? `${name.slice(0, 60)}…` : name);
}

/** The error for a file that breaks the format. */
export function malformed(where: string, what: string, cause?: unknown): WildmarkError {
  return new WildmarkError("bad-file", `${where}: not a sound safetensors file: ${what}`, {
    hint: "check that the path names the right file and that it was copied whole",
    cause,
  });
}
