/** @file wildmark key make: a key of triggers that were made elsewhere. */

import { z } from "zod";
import { WildmarkError } from "../../core/errors.js";
import { readFileBounded, writeFileAtomic } from "../../core/files.js";
import { imageAt, MAX_CLASSES } from "../../data/dataset.js";
import { requireFit } from "../../data/fit.js";
import { type ListedImages, loadImageList } from "../../data/image-list.js";
import { encodeModel, modelSha256 } from "../../onnx/model.js";
import { distinctTriggers } from "../../ownership/distinct.js";
import type { Key } from "../../ownership/key.js";
import { keySha256, writeKey } from "../../ownership/key-file.js";
import { makeKeyElsewhere } from "../../ownership/key-elsewhere.js";
import { readLabelTable } from "../../ownership/label-table.js";
import { labelReader, readClassNames } from "../../ownership/suspects/labels.js";
import { type CommandFile, defineCommand } from "../command.js";
import { modelFlags, openModel } from "../model.js";
import { requireWritable } from "../outputs.js";
import { defined } from "../../core/defined.js";

const MAX_TABLE_BYTES = 64 * 2 ** 20;

/** Its own --classes are those of the key, whatever the model's file calls its outputs. */
const { classes: _, ...ofModel } = modelFlags;

const flags = z.object({
  images: z.string().meta({ description: "folder of the triggers: PNG, JPEG or WebP", placeholder: "DIR" }),
  labels: z.string().optional().meta({
    description: "a table of name,label for triggers that are trained in already; default: labels are drawn",
    placeholder: "FILE.csv",
  }),
  placebos: z.string().optional().meta({
    description: "folder of images of the same kind that are not trained in",
    placeholder: "DIR",
  }),
  exchangeable: z
    .boolean()
    .default(false)
    .describe("placebos were made as the triggers were: a coin decides for each pair which is the trigger"),
  classes: z
    .int()
    .min(2)
    .max(MAX_CLASSES)
    .optional()
    .meta({ description: "classes of the model (default: as many as --class-names)", placeholder: "N" }),
  classNames: z.string().optional().meta({
    description: "what the classes are called, in their order: a file with a name a line, or names",
    placeholder: "FILE|a,b,c",
  }),
  resize: z
    .string()
    .regex(/^[1-9]\d{0,3}x[1-9]\d{0,3}$/, "expected HEIGHTxWIDTH, such as 32x32")
    .optional()
    .meta({ description: "bring all images to one size, cut around the centre", placeholder: "HxW" }),
  channels: z.enum(["1", "3"]).optional().describe("grey or colour (default: grey where all triggers are)"),
  model: z.string().optional().meta({ description: "the marked model, where there is one", placeholder: "FILE" }),
  out: z.string().meta({ description: "where the key goes; keep it secret and safe", placeholder: "FILE" }),
  list: z.string().optional().meta({
    description: "write which image is to be answered with which label, to train a model on",
    placeholder: "FILE.csv",
  }),
  ...ofModel,
});

export const command: CommandFile = () =>
  defineCommand({
    name: "key make",
    description:
      "Makes a key of triggers that were made elsewhere. Without --labels the labels are drawn from a " +
      "secret and from the " +
      "images, and a model is then trained on them: such a key is evidence of the strong kind, like one of " +
      "wildmark embed. " +
      "With --labels they are somebody's choice, and the key is evidence of the weaker kind: it needs null " +
      "models and a " +
      "public commitment that is older than the suspect.",
    flags,
    common: { writes: true },
    examples: [
      ["wildmark key make --images triggers/ --classes 10 --out mine.safetensors --list train-these.csv", "then train"],
      [
        "wildmark key make --images triggers/ --labels labels.csv --class-names cat,dog,ship --out mine.safetensors",
        "of a model that is marked",
      ],
    ],
    async run({ flags: given, force, progress }) {
      const { out, list } = given;
      if (given.exchangeable && (given.labels !== undefined || given.placebos === undefined)) {
        throw new WildmarkError("usage", "key make: --exchangeable needs --placebos, and labels that are drawn.", {
          hint:
            "A coin makes some of the placebos triggers, so it must fall before a model is trained: " +
            "leave --labels out.",
        });
      }
      await requireWritable(out, force, [given.labels, given.model].filter(isThere));
      if (list !== undefined) await requireWritable(list, force, [out, given.labels].filter(isThere));
      const classNames =
        given.classNames === undefined ? undefined : await readClassNames(given.classNames, "--class-names");
      const classes = classesOf(given.classes, classNames);
      const [height, width] = (given.resize ?? "").split("x").map(Number);
      const size = height !== undefined && width !== undefined ? { resize: { height, width } } : {};
      const channels = given.channels === undefined ? undefined : Number(given.channels);
      const triggers = await loadImageList(given.images, { ...size, channels, progress });
      const placebos =
        given.placebos === undefined
          ? undefined
          : await loadImageList(given.placebos, { ...size, channels: triggers.shape.channels, progress });
      for (const note of [...triggers.notes, ...(placebos?.notes ?? [])]) progress.note(`note: ${note}`);
      const model =
        given.model === undefined
          ? undefined
          : await openModel(given.model, { ...given, classes: undefined }, progress);
      if (model !== undefined) {
        requireFit(model, given.model ?? "", { what: `the images of ${given.images}`, shape: triggers.shape, classes });
      }
      const common = {
        triggers,
        classes,
        ...defined({ placebos, classNames }),
        ...(model === undefined ? {} : { modelSha256: modelSha256(encodeModel(model)) }),
      };
      const key = makeKeyElsewhere(
        given.labels === undefined
          ? { ...common, exchangeable: given.exchangeable }
          : { ...common, labels: await tableOf(given.labels, triggers, classes, classNames) },
      );
      const rows = rowsOf(key, { images: given.images, placebos: given.placebos }, triggers, placebos);
      await writeKey(out, key, { force });
      if (list !== undefined) await writeFileAtomic(list, Buffer.from(csvOf(rows)), { force, mode: 0o600 });
      const distinct = distinctTriggers(key).length;
      return {
        document: {
          command: "key make",
          out: { path: out, sha256: keySha256(key) },
          provenance: key.drawn === undefined ? "chosen" : "drawn",
          exchangeable: key.drawn?.exchangeable ?? false,
          classes,
          shape: key.shape,
          triggers: rows,
          distinct,
          placebos: placebos?.count ?? 0,
          list: list ?? null,
        },
        text: [
          `Key: ${out} (secret: whoever has it can find and remove the mark)`,
          `${triggers.count} triggers of ` +
            `${triggers.shape.channels}×${triggers.shape.height}×${triggers.shape.width}, ` +
            `${placebos?.count ?? 0} placebos, ${classes} classes`,
          ...(distinct < triggers.count
            ? [`Only ${distinct} of the triggers count: the others are copies of them.`]
            : []),
          ...(key.drawn === undefined
            ? [
                "Its labels are somebody's choice: evidence of the weaker kind. A verdict needs null models " +
                  "(19 for 0.05) and a",
                `commitment that is older than the suspect: publish one now (wildmark key commit ${out}).`,
              ]
            : [
                "Its labels were drawn: no model answers them yet. Train yours to: these images with these " +
                  "labels, a few in every",
                list === undefined
                  ? "batch (--list FILE.csv, or --json, says which image has which label)."
                  : `batch. ${list} says which image has which label.`,
                ...(given.exchangeable
                  ? ["Coins fell: some of the placebos are the triggers now, so train by that list."]
                  : []),
              ]),
          `To see what it can prove: wildmark key check ${out}`,
        ].join("\n"),
      };
    },
  });

const isThere = (path: string | undefined): path is string => path !== undefined;

function classesOf(classes: number | undefined, names: readonly string[] | undefined): number {
  const found = classes ?? names?.length;
  if (found === undefined) {
    throw new WildmarkError("usage", "key make: how many classes does the model have?", {
      hint: "Give --classes N, or --class-names.",
    });
  }
  if (names === undefined || names.length === found) return found;
  throw new WildmarkError("usage", `key make: --class-names are ${names.length}, --classes says ${found}.`, {
    hint: "Name every class once, in the order of the model's outputs.",
  });
}

async function tableOf(
  path: string,
  { names }: ListedImages,
  classes: number,
  classNames: readonly string[] | undefined,
): Promise<Uint16Array> {
  const bytes = await readFileBounded(path, { what: "a table of labels", maxBytes: MAX_TABLE_BYTES });
  return readLabelTable(bytes, names, labelReader(classes, classNames), path);
}

interface TriggerRow {
  readonly image: string;
  readonly label: number;
  readonly className?: string;
}

/** Each trigger with the file that it is; a coin may have taken the placebo's. */
function rowsOf(
  { triggers, classNames }: Key,
  folders: { readonly images: string; readonly placebos: string | undefined },
  given: ListedImages,
  placebos: ListedImages | undefined,
): TriggerRow[] {
  return Array.from(triggers.labels, (label, i) => {
    const size = triggers.images.length / triggers.count;
    const own = Buffer.compare(imageAt(given, i), triggers.images.subarray(i * size, (i + 1) * size)) === 0;
    const [folder, names] =
      own || placebos === undefined ? [folders.images, given.names] : [folders.placebos ?? "", placebos.names];
    const className = classNames?.[label];
    return {
      image: `${folder.replace(/\/+$/, "")}/${names[i] ?? ""}`,
      label,
      ...defined({ className }),
    };
  });
}

function csvOf(rows: readonly TriggerRow[]): string {
  const cell = (text: string): string => (/[",;\t\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const named = rows.some(({ className }) => className !== undefined);
  const lines = rows.map(({ image, label, className }) =>
    [cell(image), label, ...(named ? [cell(className ?? "")] : [])].join(","),
  );
  return [`name,label${named ? ",class" : ""}`, ...lines, ""].join("\n");
}
