/** @file wildmark key open: single triggers of a committed key, while the rest stays secret. */

import { z } from "zod";
import { WildmarkError } from "../../core/errors.js";
import { writeFileAtomic } from "../../core/files.js";
import { readKeyBytes } from "../../ownership/key-file.js";
import { openTriggers } from "../../ownership/opened-triggers.js";
import { type CommandFile, defineCommand } from "../command.js";
import { requireWritable } from "../outputs.js";

const flags = z.object({
  triggers: z.string().meta({
    description: "numbers of the triggers to open, from 0: 0,5,9 or 0-9,20; let the judge choose them",
    placeholder: "N,N,…",
  }),
  salt: z.string().meta({ description: "the salt of the commitment (wildmark key commit)", placeholder: "HEX" }),
  out: z.string().meta({ description: "where the opened triggers go", placeholder: "FILE.json" }),
});

export const command: CommandFile = () =>
  defineCommand({
    name: "key open",
    description:
      "Opens single triggers of a drawn key that was committed to: anybody can hold them against the " +
      "commitment (wildmark key " +
      "check-opened), and learns nothing of the other triggers or of the secret.",
    arguments: [{ name: "KEY", description: "the owner's key" }],
    flags,
    common: { writes: true },
    examples: [["wildmark key open mark.safetensors --triggers 0,5,9 --salt … --out opened.json", ""]],
    async run({ args: [path = ""], flags: { triggers, salt, out }, force }) {
      await requireWritable(out, force, [path]);
      const indices = indicesOf(triggers);
      const opened = openTriggers(await readKeyBytes(path), indices, salt, path);
      await writeFileAtomic(out, Buffer.from(`${JSON.stringify(opened, undefined, 2)}\n`), { force, mode: 0o600 });
      const { commitment } = opened;
      return {
        document: { command: "key open", key: path, out, commitment, triggers: opened.triggers, opened: indices },
        text: [
          `${indices.length} of ${opened.triggers} triggers opened: ${out}`,
          `They belong to the commitment ${commitment}; if that is not what was published, the salt is another.`,
          `To check them: wildmark key check-opened ${out} --commitment ${commitment} --suspect SUSPECT.onnx`,
        ].join("\n"),
      };
    },
  });

function indicesOf(text: string): number[] {
  return text.split(",").flatMap((part) => {
    const [, first, last = first] = /^\s*(\d{1,6})(?:-(\d{1,6}))?\s*$/.exec(part) ?? [];
    const [from, to] = [Number(first), Number(last)];
    if (first !== undefined && from <= to) return Array.from({ length: to - from + 1 }, (_, i) => from + i);
    throw new WildmarkError("usage", `--triggers ${text}: expected numbers such as 0,5,9 or 0-9.`);
  });
}
