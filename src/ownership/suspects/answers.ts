/**
 * @file A suspect that somebody else asked: a table of answers to exported images.
 *
 * An image that was given away and has no answer was refused, and counts as a wrong answer: whoever fills the table in
 * could leave out what speaks against him. An image that was never given away was not asked, and does not count.
 */

import { createHash } from "node:crypto";
import { WildmarkError } from "../../core/errors.js";
import { readFileBounded } from "../../core/files.js";
import { imageHashes } from "../../data/image-id.js";
import { type NamedLabel, readNameTable } from "../name-table.js";
import { NOT_ASKED, REFUSED, type Suspect } from "../suspect.js";
import { type LabelReader, labelReader } from "./labels.js";
import { countExported } from "./exported-images.js";
import { type Manifest, readManifest } from "./manifest.js";

const MAX_ANSWERS_BYTES = 256 * 2 ** 20;
/** Mistakes that are told one by one. */
const TOLD = 20;

export interface AnswersOptions {
  /** Classes of the key: labels that are numbers lie in 0 … classes − 1, unless `labels` names more. */
  readonly classes: number;
  /** What the suspect calls the key's classes, in the key's order. */
  readonly labels?: readonly string[] | undefined;
  /** The folder of images that was given away, to be looked at. */
  readonly images?: string | undefined;
}

/** A table of answers, and what is in it. */
export interface AnswersSuspect extends Suspect {
  /** Images that were given away. */
  readonly exported: number;
  /** How many of them have an answer; the others count as refused. */
  readonly answered: number;
  /** Whether the names follow from the images: else whoever saw the answers can have said which is which. */
  readonly bound: boolean;
  /** How many of the exported images were looked at, and are what their names say; undefined where none was to be. */
  readonly seen: number | undefined;
  /** Hex SHA-256 of the table's file, for documents. */
  readonly sha256: string;
}

/**
 * Reads a table of answers: columns `name` and `label`, with a header in any order or without one in that order;
 * commas, semicolons or tabs. A label is a number or a word.
 *
 * @throws WildmarkError `bad-file` as `readManifest` and `countExported` do, and naming the lines with unknown or
 *   repeated names, words that are no class, and numbers out of range.
 */
export async function answersSuspect(
  csvPath: string,
  manifestPath: string,
  options: AnswersOptions,
): Promise<AnswersSuspect> {
  const manifest = await readManifest(manifestPath);
  const bytes = await readFileBounded(csvPath, { what: "a table of answers", maxBytes: MAX_ANSWERS_BYTES });
  const rows = readNameTable(bytes, csvPath, { what: "answers", hint: HINT });
  const labels = labelsOf(rows, manifest, labelReader(options.classes, options.labels), csvPath);
  const found = new Map(manifest.images.map(({ name, sha256 }) => [sha256, labels.get(name) ?? REFUSED]));
  return {
    kind: "answers",
    name: csvPath,
    exported: manifest.images.length,
    answered: labels.size,
    bound: manifest.nonce !== undefined,
    seen: options.images === undefined ? undefined : await countExported(options.images, manifest),
    sha256: createHash("sha256").update(bytes).digest("hex"),
    ask: async (images) => imageHashes(images).map((hash) => found.get(hash) ?? NOT_ASKED),
  };
}

const HINT = "Expected lines such as 0f3a91….png,7: the image's name and the class that the suspect answered.";

/** Class by name of those images that have an answer. */
function labelsOf(
  rows: readonly NamedLabel[],
  manifest: Manifest,
  reader: LabelReader,
  path: string,
): ReadonlyMap<string, number> {
  const names = new Set(manifest.images.map(({ name }) => name));
  const seen = new Map<string, number>();
  const labels = new Map<string, number>();
  const mistakes: string[] = [];
  for (const { line, name: given, label } of rows) {
    // People's scripts write paths, or the name without its ending.
    const last = given.split(/[/\\]/).at(-1) ?? "";
    const name = names.has(last) ? last : `${last}.png`;
    const before = seen.get(name);
    if (!names.has(name)) {
      mistakes.push(`line ${line}: no image called "${given.slice(0, 60)}" was exported`);
    } else if (before !== undefined) {
      mistakes.push(`line ${line}: ${name} has an answer in line ${before} already`);
    } else {
      seen.set(name, line);
      if (label === "") continue;
      const read = reader.read(label);
      if ("label" in read) labels.set(name, read.label);
      else mistakes.push(`line ${line}: ${read.wrong}`);
    }
  }
  if (mistakes.length === 0) return labels;
  const hint = mistakes.some((mistake) => mistake.includes("have no names here"))
    ? "--labels says what the suspect calls its classes: a file with a name a line, or names with commas between."
    : HINT;
  const [first = ""] = mistakes;
  if (mistakes.length === 1) throw new WildmarkError("bad-file", `${path}: ${first}.`, { hint });
  const more = mistakes.length > TOLD ? [`and ${mistakes.length - TOLD} more`] : [];
  throw new WildmarkError("bad-file", `${path} has ${mistakes.length} mistakes:`, {
    hint,
    details: [...mistakes.slice(0, TOLD), ...more],
  });
}
