/** @file wildmark report: a result document drawn again, or what is finished of an experiment drawn up. */

import { stat } from "node:fs/promises";
import { z } from "zod";
import { WildmarkError } from "../../core/errors.js";
import { writeFileAtomic } from "../../core/files.js";
import { readDocument } from "../../experiments/documents.js";
import { readExperiment } from "../../experiments/folder.js";
import { documentOf } from "../../experiments/run.js";
import { renderReport } from "../../report/report.js";
import { type CommandFile, defineCommand } from "../command.js";
import { written } from "../experiment.js";
import { newNetwork } from "../network.js";
import { requireFolder, requireWritable } from "../outputs.js";

export const command: CommandFile = () =>
  defineCommand({
    name: "report",
    description:
      "Draws the report of a result document again: one HTML file that needs no network. Of an experiment's folder, " +
      "draws up what is finished, also while it runs and when it was stopped: result.json and report.html say which " +
      "cells are missing; cells.csv and table.tex are for other programs. Computes nothing, and needs no data.",
    arguments: [
      {
        name: "RESULT.json|DIR",
        description: "what reproduce, audit, bench or verify --out wrote; or an experiment's folder",
      },
    ],
    flags: z.object({
      out: z
        .string()
        .optional()
        .meta({ description: "where the report of a document goes; a folder's stays in it", placeholder: "FILE" }),
    }),
    common: { writes: true, computes: true },
    examples: [
      ["wildmark report wildmark-digits/result.json --out report.html", ""],
      ["wildmark report verdict.json --out verdict.html", "what wildmark verify --out wrote"],
      ["wildmark report wildmark-bench-mnist", "what is known so far of a bench that runs"],
    ],
    async run({ args: [path = ""], flags: { out }, force, runtimeFor, typed }) {
      if ((await stat(path).catch(() => undefined))?.isDirectory() === true) {
        if (out !== undefined) {
          throw new WildmarkError("usage", "--out is where a document's report goes; a folder's is drawn up in it.", {
            hint: `Leave it out, or give ${path}/result.json.`,
          });
        }
        const spec = await readExperiment(path);
        await requireFolder(path);
        const document = await documentOf(spec, {
          out: path,
          runtime: await runtimeFor(newNetwork(spec)),
          command: typed,
        });
        return { ...(await written(document, { name: "report", out: path, spec, computed: true })), failed: false };
      }
      if (out === undefined) {
        throw new WildmarkError("usage", "The report of a document needs --out FILE.", {
          hint: `wildmark report ${path} --out report.html`,
        });
      }
      await requireWritable(out, force, [path]);
      const result = await readDocument(path);
      const bytes = Buffer.from(renderReport(result));
      await writeFileAtomic(out, bytes, { force });
      return { document: { command: "report", result: path, out, bytes: bytes.length }, text: `Report: ${out}` };
    },
  });
