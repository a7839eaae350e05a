/** @file Which label somebody gave each image of a folder: a table with the columns `name` and `label`. */

import { WildmarkError } from "../core/errors.js";
import { readNameTable } from "./name-table.js";
import type { LabelReader } from "./suspects/labels.js";

/** Mistakes that are told one by one. */
const TOLD = 20;
const HINT = "Expected lines such as cat/1.png,7: the image's path within the folder, and a number or name of a class.";

/**
 * Reads a table of labels: with a header that names the columns, in any order, or without one as name and label;
 * commas, semicolons or tabs.
 *
 * @param names of the images, each of which must be there once.
 * @returns labels in the order of `names`.
 * @throws WildmarkError `bad-file` naming the lines with unknown or repeated names and labels that are none, and images
 *   without a label.
 */
export function readLabelTable(
  bytes: Uint8Array,
  names: readonly string[],
  reader: LabelReader,
  path: string,
): Uint16Array {
  const at = new Map(names.map((name, i) => [name, i]));
  const labels = new Uint16Array(names.length);
  const lines = new Map<string, number>();
  const mistakes: string[] = [];
  for (const { line, name, label } of readNameTable(bytes, path, { what: "labels", hint: HINT })) {
    const index = at.get(name);
    const before = lines.get(name);
    const read = reader.read(label);
    if (index === undefined) mistakes.push(`line ${line}: there is no image ${JSON.stringify(name.slice(0, 80))}`);
    else if (before !== undefined) mistakes.push(`line ${line}: ${name} has a label in line ${before} already`);
    else if (label === "") mistakes.push(`line ${line}: ${name} has no label`);
    else if ("wrong" in read) mistakes.push(`line ${line}: ${read.wrong}`);
    else labels[index] = read.label;
    if (before === undefined) lines.set(name, line);
  }
  const missing = names.filter((name) => !lines.has(name));
  if (missing.length > 0) mistakes.push(`${missing.length} images have no line, such as ${missing[0]}`);
  if (mistakes.length === 0) return labels;
  const more = mistakes.length > TOLD ? [`and ${mistakes.length - TOLD} more`] : [];
  throw new WildmarkError("bad-file", `${path} is not one label for each of ${names.length} images:`, {
    hint: HINT,
    details: [...mistakes.slice(0, TOLD), ...more],
  });
}
