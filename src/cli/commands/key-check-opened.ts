/**
 * @file wildmark key check-opened: opened triggers against a published commitment, and what a suspect answers to them.
 */

import { z } from "zod";
import { readFileBounded } from "../../core/files.js";
import { requireFit } from "../../data/fit.js";
import { openedEvidence, requireOpened } from "../../ownership/opened-triggers.js";
import { modelSuspect } from "../../ownership/suspect.js";
import { formatPValue } from "../../ownership/verdict.js";
import { type CommandFile, defineCommand } from "../command.js";
import { modelFlags, openModel } from "../model.js";

const MAX_BYTES = 2 ** 29;

const flags = z.object({
  commitment: z.string().meta({ description: "what the owner published", placeholder: "HEX" }),
  suspect: z.string().optional().meta({ description: "a model to ask the opened triggers", placeholder: "MODEL.onnx" }),
  ...modelFlags,
});

export const command: CommandFile = () =>
  defineCommand({
    name: "key check-opened",
    description:
      "Checks that opened triggers (wildmark key open) are what their owner committed to, each one, and " +
      "asks a suspect " +
      "what they show. This is evidence of the weaker kind: that the labels were drawn shows only the secret.",
    arguments: [{ name: "OPENED.json", description: "the opened triggers" }],
    flags,
    common: { computes: true },
    examples: [
      ["wildmark key check-opened opened.json --commitment …", ""],
      ["wildmark key check-opened opened.json --commitment … --suspect suspect.onnx", "ask it"],
    ],
    async run({ args: [path = ""], flags: { commitment, suspect, ...said }, runtimeFor, progress }) {
      const bytes = await readFileBounded(path, { what: "opened triggers", maxBytes: MAX_BYTES });
      const opened = requireOpened(Buffer.from(bytes).toString("utf8"), commitment, path);
      const { indices, triggers, classes, images } = opened;
      const proved =
        `${indices.length} of ${triggers} triggers are what was committed to with ` +
        `${opened.commitment}: ${indices.join(", ")}.`;
      const about = { command: "key check-opened", opened: path, commitment: opened.commitment, triggers, indices };
      if (suspect === undefined) return { document: { ...about, evidence: null }, text: proved };
      const model = await openModel(suspect, said, progress);
      requireFit(model, suspect, { what: `the key of ${path}`, shape: images.shape, classes, code: "bad-key" });
      const runtime = await runtimeFor({ model, shape: images.shape, classes });
      const evidence = openedEvidence(opened, await modelSuspect(model, suspect, runtime).ask(images));
      return {
        document: { ...about, suspect, evidence },
        text: [
          proved,
          `${suspect} answers ${evidence.matches} of ${evidence.opened} with their labels.`,
          `Were the labels drawn, luck would do that with ${formatPValue(evidence.pValueIfJudgeChose)} if ` +
            `the judge chose which to open,`,
          `and with ${formatPValue(evidence.pValueIfOwnerChose)} if the owner chose them: then each closed ` +
            `trigger counts as a miss.`,
          "Evidence of the weaker kind: that they were drawn, and that the commitment is older than the " +
            "suspect, this does not show.",
          "The key itself shows the first: wildmark verify --commitment --salt.",
        ].join("\n"),
      };
    },
  });
