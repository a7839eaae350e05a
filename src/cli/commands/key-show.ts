/** @file wildmark key show: what a key holds and says of itself. */

import { z } from "zod";
import { writeFileAtomic } from "../../core/files.js";
import { describeShape } from "../../core/image.js";
import { contactSheet, SHEET_IMAGES } from "../../data/contact-sheet.js";
import { distinctTriggers } from "../../ownership/distinct.js";
import { NO_MODEL } from "../../ownership/key.js";
import { keySha256, readKey } from "../../ownership/key-file.js";
import { triggersOf } from "../../ownership/key-images.js";
import { type CommandFile, defineCommand } from "../command.js";
import { textTable } from "../../core/text-table.js";
import { requireWritable } from "../outputs.js";
import { defined } from "../../core/defined.js";

const flags = z.object({
  pictures: z.string().optional().meta({
    description: "write the triggers as one picture; whoever sees it can find the mark",
    placeholder: "FILE.png",
  }),
  secret: z
    .boolean()
    .default(false)
    .describe("print the secret that the key was drawn from; whoever has it has the key"),
});

const LABELLINGS = {
  uniform: "drawn for each trigger, from all classes",
  wrong: "drawn for each trigger, from the classes that are not its own",
  fixed: "chosen",
} as const;

export const command: CommandFile = () =>
  defineCommand({
    name: "key show",
    description:
      "Prints what a key holds and says of itself. Pictures and the secret stay in it unless they are asked " +
      "for. What it says was " +
      "checked against what it holds when it was read; wildmark key check looks further.",
    arguments: [{ name: "KEY", description: "the key" }],
    flags,
    common: { writes: true },
    examples: [
      ["wildmark key show mark.safetensors", ""],
      ["wildmark key show mark.safetensors --pictures triggers.png", "see the triggers"],
    ],
    async run({ args: [path = ""], flags: { pictures, secret }, force }) {
      const key = await readKey(path);
      if (pictures !== undefined) {
        await requireWritable(pictures, force, [path]);
        await writeFileAtomic(pictures, contactSheet(triggersOf(key)), { force, mode: 0o600 });
      }
      const { drawn, triggers, placebos, heldOut, classNames, options } = key;
      const counts = new Array<number>(key.classes).fill(0);
      for (const label of triggers.labels) counts[label] = (counts[label] ?? 0) + 1;
      const distinct = distinctTriggers(key).length;
      const secretText = drawn === undefined || !secret ? undefined : Buffer.from(drawn.secret).toString("hex");
      const document = {
        command: "key show",
        key: { path, sha256: keySha256(key) },
        scheme: key.scheme,
        options,
        provenance: drawn === undefined ? "chosen" : "drawn",
        ...(drawn === undefined
          ? {}
          : {
              labelling: drawn.labelling,
              exchangeable: drawn.exchangeable,
              base: drawn.base,
              ...defined({ secret: secretText }),
            }),
        shape: key.shape,
        classes: key.classes,
        ...defined({ classNames }),
        triggers: triggers.count,
        distinct,
        labels: counts,
        heldOut: heldOut?.count ?? 0,
        placebos: placebos === undefined ? null : { count: placebos.count, paired: placebos.paired },
        seed: key.seed,
        modelSha256: key.modelSha256 === NO_MODEL ? null : key.modelSha256,
        createdBy: key.createdBy,
        ...defined({ pictures }),
      };
      const used = counts.filter((count) => count > 0).length;
      const pairs =
        placebos === undefined ? "" : drawn?.exchangeable ? ", pairs by coins" : placebos.paired ? ", paired" : "";
      const said = Object.entries(options).map(([name, value]) => `${name} ${value}`);
      const rows: (readonly [string, string])[] = [
        ["scheme", key.scheme],
        ...(said.length === 0 ? [] : [["options", said.join(", ")] as const]),
        ["provenance", drawn === undefined ? "chosen by somebody" : "drawn from a secret"],
        ["labels", drawn === undefined ? "chosen" : LABELLINGS[drawn.labelling]],
        ["images", `${describeShape(key.shape)}, ${key.classes} classes`],
        ...(classNames === undefined ? [] : [["classes", namesInWords(classNames)] as const]),
        [
          "triggers",
          `${triggers.count}${distinct < triggers.count ? `, of which ${distinct} count` : ""}; labels of ` +
            `${used} classes`,
        ],
        ["held out", String(heldOut?.count ?? 0)],
        ["placebos", `${placebos?.count ?? 0}${pairs}`],
        ...(drawn === undefined
          ? []
          : [["base data", `${drawn.base.count} images, SHA-256 ${drawn.base.sha256}`] as const]),
        ...(drawn?.base.picturesSha256 === undefined
          ? []
          : [["pictures", `SHA-256 ${drawn.base.picturesSha256}`] as const]),
        ...(drawn?.base.modelSha256 === undefined
          ? []
          : [["made against", `model, SHA-256 ${drawn.base.modelSha256}`] as const]),
        ["made for", key.modelSha256 === NO_MODEL ? "no model yet" : `model, SHA-256 ${key.modelSha256}`],
        ["file", `SHA-256 ${document.key.sha256}`],
        ["made by", key.createdBy],
        ...(secretText === undefined ? [] : [["secret", secretText] as const]),
      ];
      return {
        document,
        text: [
          textTable(rows),
          ...(pictures === undefined
            ? []
            : [`The ${triggers.count > SHEET_IMAGES ? `first ${SHEET_IMAGES} ` : ""}triggers are in ${pictures}.`]),
        ].join("\n"),
      };
    },
  });

/** Strangers' text: quoted. */
function namesInWords(names: readonly string[]): string {
  const shown = names.slice(0, 12).map((name) => JSON.stringify(name.slice(0, 40)));
  return shown.join(", ") + (names.length > 12 ? ` and ${names.length - 12} more` : "");
}
