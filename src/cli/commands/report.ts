/** @file wildmark report: a result document drawn again. */

import { z } from "zod";
import { writeFileAtomic } from "../../core/files.js";
import { readDocument } from "../../experiments/finished.js";
import { renderReport } from "../../report/report.js";
import { type CommandFile, defineCommand } from "../command.js";
import { requireWritable } from "../outputs.js";

export const command: CommandFile = () =>
  defineCommand({
    name: "report",
    description: "Draws the report of a result document again: one HTML file that needs no network.",
    arguments: [{ name: "RESULT.json", description: "what wildmark reproduce, audit, bench or verify --out wrote" }],
    flags: z.object({
      out: z.string().meta({ description: "where the report goes", placeholder: "FILE" }),
    }),
    common: { writes: true },
    examples: [
      ["wildmark report wildmark-digits/result.json --out report.html", ""],
      ["wildmark report verdict.json --out verdict.html", "what wildmark verify --out wrote"],
    ],
    async run({ args: [path = ""], flags: { out }, force }) {
      await requireWritable(out, force, [path]);
      const result = await readDocument(path);
      const bytes = Buffer.from(renderReport(result));
      await writeFileAtomic(out, bytes, { force });
      return { document: { command: "report", result: path, out, bytes: bytes.length }, text: `Report: ${out}` };
    },
  });
