/** @file wildmark combine: verdicts of several keys on several suspects, judged together. */

import { z } from "zod";
import { WildmarkError } from "../../core/errors.js";
import { combineVerdicts, type JointVerdict, type NamedVerdict } from "../../experiments/combine-verdicts.js";
import { readDocument } from "../../experiments/documents.js";
import { TRIES_LOG2 } from "../../ownership/verify.js";
import { type CommandFile, defineCommand } from "../command.js";
import { textTable } from "../../core/text-table.js";

const flags = z.object({
  verdicts: z.array(z.string()).min(1).meta({
    description: "documents that wildmark verify --out wrote, with commas between",
    placeholder: "A.json,B.json",
  }),
  alpha: z
    .number()
    .gt(0)
    .lt(1)
    .default(0.05)
    .describe("share of innocent suspects, on average, among those that are named"),
});

export const command: CommandFile = () =>
  defineCommand({
    name: "combine",
    description:
      "Judges verdicts together: e-values of several keys on one suspect multiply (keys with secrets of " +
      "their own), and of " +
      "several suspects e-BH names those that are owned. Of keys with a label drawn for each trigger.",
    flags,
    examples: [["wildmark combine --verdicts one.json,other.json", ""]],
    async run({ flags: { verdicts, alpha } }) {
      const claims: NamedVerdict[] = [];
      for (const file of verdicts) {
        const document = await readDocument(file);
        if (!("kind" in document) || document.kind !== "verdict") {
          throw new WildmarkError("bad-file", `${file}: expected a verdict, found another result.`, {
            hint: "wildmark verify --out FILE.json writes one.",
          });
        }
        claims.push({ file, document });
      }
      const joint = combineVerdicts(claims, alpha);
      const owned = joint.filter((each) => each.owned).length;
      return {
        document: { command: "combine", alpha, suspects: joint },
        text: [
          `${owned} of ${joint.length} ${joint.length === 1 ? "suspect" : "suspects"} shown, at a false ` +
            `discovery rate of ${alpha}`,
          textTable(joint.map(row), ["suspect", "keys", "e-value", ""]),
          ...unpaidInWords(claims),
        ].join("\n\n"),
      };
    },
  });

/** E-values are as large as tries are believed few. */
function unpaidInWords(claims: readonly NamedVerdict[]): string[] {
  const unpaid = claims.filter(({ document }) => (document.verdict.triesLog2 ?? 0) < TRIES_LOG2);
  if (unpaid.length === 0) return [];
  return [
    `${unpaid.length} of ${claims.length} verdicts pay for fewer than 2^${TRIES_LOG2} secrets that may have ` +
      `been tried; each says on whose word: ` +
      unpaid.map(({ file }) => file).join(", "),
  ];
}

function row({ suspect, keys, logE, owned }: JointVerdict): string[] {
  return [suspect, String(keys.length), `10^${(logE / Math.LN10).toFixed(1)}`, owned ? "shown" : "not shown"];
}
