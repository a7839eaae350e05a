/** @file wildmark key check: what a judge asks of a key before any suspect. */

import { z } from "zod";
import { keySha256, readKey } from "../../ownership/key-file.js";
import { checkKey, describeKeyCheck } from "../../ownership/key-check.js";
import { STRANGERS } from "../../ownership/strangers.js";
import { baseDataFlags, baseDataFor } from "../base-data.js";
import { type CommandFile, defineCommand } from "../command.js";
import { modelFlags, openModel } from "../model.js";
import { openNullModels } from "../null-models.js";
import { defined } from "../../core/defined.js";

const flags = z.object({
  nullModels: z
    .string()
    .optional()
    .meta({
      description:
        "models that cannot carry the mark, ten or more: files or folders of .onnx with commas between; a key " +
        "that convicts one is void",
      placeholder: "DIR",
    }),
  strangers: z
    .int()
    .min(0)
    .max(10_000)
    .default(STRANGERS)
    .describe("with --dataset: fresh keys of the same scheme that the null models are asked too"),
  alpha: z.number().gt(0).lt(1).default(0.05).describe("significance level that the key has to be able to reach"),
  strict: z.boolean().default(false).describe("end with status 1 where the key is not sound"),
  ...baseDataFlags,
  ...modelFlags,
});

export const command: CommandFile = () =>
  defineCommand({
    name: "key check",
    description:
      "Looks at a key as a judge would before asking any suspect: was it drawn or chosen, can it be made " +
      "again, do its " +
      "images differ, are its labels random, do null models fit it, and what can it prove at best? Exit status 0 " +
      "whether it is sound or not, unless --strict; --json has `sound`.",
    arguments: [{ name: "KEY", description: "the key in question" }],
    flags,
    common: { computes: true, loads: true },
    examples: [
      ["wildmark key check mark.safetensors", ""],
      ["wildmark key check mark.safetensors --dataset mnist", "make it again"],
      ["wildmark key check mark.safetensors --dataset mnist --null-models null-models/ --strict", "all of it"],
    ],
    async run({ args: [path = ""], flags: given, runtimeFor, progress, force }) {
      const key = await readKey(path);
      const nullModels =
        given.nullModels === undefined
          ? undefined
          : await openNullModels("key check", given.nullModels, (file) => openModel(file, given, progress));
      const [first] = nullModels ?? [];
      const { shape, classes } = key;
      const runtime = first === undefined ? {} : await runtimeFor({ model: first.model, shape, classes });
      const base = await baseDataFor(key, given, { progress, force }, runtime);
      const check = await checkKey(key, {
        ...defined({ base, nullModels }),
        strangers: given.strangers,
        alpha: given.alpha,
        runtime,
      });
      return {
        document: { command: "key check", key: { path, sha256: keySha256(key), scheme: key.scheme }, ...check },
        text: describeKeyCheck(check).join("\n"),
        failed: given.strict && !check.sound,
      };
    },
  });
