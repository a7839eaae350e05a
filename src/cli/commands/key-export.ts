/** @file wildmark key export: a key's images as files, for a suspect that can only be asked by somebody else. */

import { join, relative, resolve } from "node:path";
import { z } from "zod";
import { WildmarkError } from "../../core/errors.js";
import { randomStream, secretSeed } from "../../core/random.js";
import { readKey } from "../../ownership/key-file.js";
import { exportImages, prepareExport, writeExport } from "../../ownership/suspects/export.js";
import { firstQueries, keySecrets } from "../../ownership/suspects/key-queries.js";
import { ledgerPath, openLedger } from "../../ownership/suspects/ledger.js";
import { manifestPath, writeManifest } from "../../ownership/suspects/manifest.js";
import { type CommandFile, defineCommand } from "../command.js";
import { decoyFlags, decoysFor } from "../decoys.js";
import { requireFolder, requireWritable } from "../outputs.js";

const flags = z.object({
  out: z.string().meta({ description: "folder for images/ and answers.csv, to give away", placeholder: "DIR" }),
  queries: z.int().min(1).optional().meta({
    description: "only the first N triggers, with their placebos: the rest of the key stays secret",
    placeholder: "N",
  }),
  ...decoyFlags,
  to: z.string().min(1).optional().meta({
    description: "to whom the images go, for the ledger (default: the folder)",
    placeholder: "WHO",
  }),
  manifest: z.string().optional().meta({
    description: "where to write which name is which image; never give it away (default: KEY.manifest.json)",
    placeholder: "FILE",
  }),
  ledger: z.string().optional().meta({
    description: "where disclosed images are entered (default: KEY.ledger.jsonl)",
    placeholder: "FILE",
  }),
});

export const command: CommandFile = () =>
  defineCommand({
    name: "key export",
    description:
      "Writes triggers and placebos of a key as PNG files under names that tell nothing, with a table to " +
      "fill in, for a " +
      "suspect that somebody else has to ask. The names follow from the images and from the manifest, which " +
      "stays beside " +
      "the key: nobody who saw answers can say that they were about others. " +
      "Whoever gets the images knows that much of the key: the ledger keeps count.",
    arguments: [{ name: "KEY", description: "the owner's key" }],
    flags,
    common: { writes: true },
    examples: [
      ["wildmark key export mark.safetensors --out ask-them", "the whole key"],
      ["wildmark key export mark.safetensors --out ask-them --queries 20 --decoys 200 --dataset mnist", ""],
      ["wildmark verify --answers ask-them/answers.csv --key mark.safetensors", ""],
    ],
    async run({ args: [keyPath = ""], flags: given, force, progress, signal }) {
      const { out, queries, to = out, manifest = manifestPath(keyPath), ledger = ledgerPath(keyPath) } = given;
      for (const [flag, path] of [
        ["--manifest", manifest],
        ["--ledger", ledger],
      ] as const) {
        if (!isInside(path, out)) continue;
        throw new WildmarkError("usage", `${flag} ${path} lies in ${out}, which is given away.`, {
          hint: "Choose a place that stays with you.",
        });
      }
      if (given.decoys === 0 && given.dataset !== undefined) {
        throw new WildmarkError("usage", "--dataset speaks of decoys, and none are asked for.", {
          hint: "Say how many with --decoys N.",
        });
      }
      const key = await readKey(keyPath);
      const { triggers, placebos } = firstQueries(key, queries);
      const decoys = await decoysFor(given, key.shape, randomStream(secretSeed(), "decoys"), { progress, force });
      const exported = exportImages([
        triggers,
        ...(placebos === undefined ? [] : [placebos]),
        ...(decoys === undefined ? [] : [decoys]),
      ]);
      await requireFolder(out);
      await requireWritable(manifest, force, [keyPath, ledger]);
      await prepareExport(out);
      const book = await openLedger(ledger, keySecrets(key), to);
      await book.disclose(exported.manifest.images.map(({ sha256 }) => sha256));
      const total = exported.files.length;
      const onWritten = (done: number): void => progress.update("write images", done, total);
      await writeExport(out, exported, { force, signal, onWritten });
      await writeManifest(manifest, exported.manifest, { force });
      const count = (images: { readonly count: number } | undefined): number => images?.count ?? 0;
      return {
        document: {
          command: "key export",
          key: keyPath,
          images: join(out, "images"),
          answers: join(out, "answers.csv"),
          manifest,
          ledger,
          to,
          count: total,
          triggers: count(triggers),
          placebos: count(placebos),
          decoys: count(decoys),
        },
        text: [
          `${total} images in ${join(out, "images")}: ${triggers.count} of ${key.triggers.count} triggers, ` +
            `${count(placebos)} placebos, ${count(decoys)} decoys` +
            (total < triggers.count + count(placebos) + count(decoys) ? " (what is the same image is there once)" : ""),
          ...(decoys === undefined
            ? [
                "Nothing but triggers and placebos: they may stand out. --dataset NAME --decoys N mixes " +
                  "ordinary images in.",
              ]
            : []),
          `Give away ${out}. Whoever has the suspect fills in ${join(out, "answers.csv")}: a class for every name.`,
          `Keep ${manifest}: the answers cannot be read without it. ${book.entered()} disclosures were ` +
            `entered in ${ledger}.`,
          `Then: wildmark verify --answers ${join(out, "answers.csv")} --key ${keyPath}` +
            (given.manifest === undefined ? "" : ` --manifest ${manifest}`),
        ].join("\n"),
      };
    },
  });

/** Whether a path lies in a folder, or is it. */
function isInside(path: string, folder: string): boolean {
  const way = relative(resolve(folder), resolve(path));
  return way === "" || !(way.startsWith("..") || resolve(way) === way);
}
