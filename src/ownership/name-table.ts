/**
 * @file A table of names and labels as people write it: with a header in any order or without one; commas, semicolons
 * or tabs.
 */

import { CsvError, parse } from "csv-parse/sync";
import { z } from "zod";
import { WildmarkError } from "../core/errors.js";

export interface NamedLabel {
  /** Of the file, from 1, for messages. */
  readonly line: number;
  readonly name: string;
  /** As it stands there; empty where there is none. */
  readonly label: string;
}

const recordsSchema = z.array(z.object({ info: z.object({ lines: z.int() }), record: z.array(z.string()) }));

/**
 * @param about.what the table is of, for messages: "answers".
 * @throws WildmarkError `bad-file` where it is no table.
 */
export function readNameTable(
  bytes: Uint8Array,
  path: string,
  about: { readonly what: string; readonly hint: string },
): NamedLabel[] {
  let parsed: unknown;
  try {
    parsed = parse(Buffer.from(bytes), {
      bom: true,
      delimiter: [",", ";", "\t"],
      info: true,
      relax_column_count: true,
      skip_empty_lines: true,
      trim: true,
    });
  } catch (cause) {
    if (!(cause instanceof CsvError)) throw cause;
    const { what, hint } = about;
    throw new WildmarkError("bad-file", `${path}: is no table of ${what}: ${cause.message}.`, { hint, cause });
  }
  const records = recordsSchema.parse(parsed);
  const heading = records[0]?.record.map((cell) => cell.toLowerCase()) ?? [];
  const [nameAt, labelAt] = [heading.indexOf("name"), heading.indexOf("label")];
  const hasHeader = nameAt >= 0 && labelAt >= 0;
  return records.slice(hasHeader ? 1 : 0).map(({ info, record }) => ({
    line: info.lines,
    name: record[hasHeader ? nameAt : 0] ?? "",
    // Without a header a third column is a mistake, which whoever reads the label tells by its text.
    label: hasHeader ? (record[labelAt] ?? "") : record.slice(1).join(","),
  }));
}
