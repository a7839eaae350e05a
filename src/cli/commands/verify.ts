/** @file wildmark verify: does a suspect model carry a key's mark, and how sure is that? */

import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { WildmarkError } from "../../core/errors.js";
import type { Progress } from "../../core/progress.js";
import { accuracy } from "../../data/answers.js";
import { requireFit } from "../../data/fit.js";
import { modelFacts, type VerdictFacts, verdictDocument } from "../../experiments/verdict-document.js";
import { requireCommitment } from "../../ownership/commitment.js";
import { decodeKey, type Key, keySha256, readKeyBytes } from "../../ownership/key.js";
import { type BaseData, baseOf } from "../../ownership/draw-key.js";
import { requireKnownScheme } from "../../ownership/key-format.js";
import { requireRegenerable } from "../../ownership/regenerate.js";
import { STRANGERS, strangersKeys } from "../../ownership/strangers.js";
import { modelSuspect } from "../../ownership/suspect.js";
import { TRIES_LOG2, verifyAnswers } from "../../ownership/verify.js";
import { findMark } from "../../watermarks/registry.js";
import { baseDataFlags, baseDataFor } from "../base-data.js";
import { heldOutTriggersOf } from "../../ownership/key-images.js";
import { type NullModel, requireNullModels } from "../../ownership/null-models.js";
import { describeVerdict } from "../../ownership/verdict.js";
import { gatherAnswers } from "../../ownership/verify-model.js";
import { type CommandFile, defineCommand } from "../command.js";
import { type ModelFlags, modelFlags, openModel } from "../model.js";
import { percent } from "../output.js";
import { requireVerdictOut, verdictOutFlags, writeVerdict } from "../verdict-out.js";

const flags = z.object({
  key: z.string().meta({ description: "the owner's key", placeholder: "FILE" }),
  alpha: z.number().gt(0).lt(1).default(0.05).describe("significance level of the verdict"),
  confidence: z.number().gt(0).lt(1).default(0.95).describe("confidence of the interval of the retention"),
  nullModels: z
    .string()
    .optional()
    .meta({
      description:
        "models without the mark, files or folders of .onnx with commas between: what they answer bounds what an innocent " +
        "suspect may",
      placeholder: "A.onnx,B.onnx",
    }),
  strangers: z
    .int()
    .min(1)
    .max(100_000)
    .default(STRANGERS)
    .describe("with --dataset: fresh keys of the same scheme that the suspect is asked too"),
  regenerate: z.boolean().default(false).describe("with --dataset: make the key again from its secret, byte for byte"),
  keysTried: z.int().min(1).default(1).describe("keys tried on this suspect, this one too: multiplies the p-value"),
  triesLog2: z
    .number()
    .min(0)
    .max(256)
    .optional()
    .meta({
      description: `binary logarithm of the secrets that a forger may have tried (default: ${TRIES_LOG2}; 0 with --commitment)`,
      placeholder: "N",
    }),
  commitment: z.string().optional().meta({
    description:
      "what wildmark key commit printed and the owner published before the suspect was made; refused for any other key",
    placeholder: "HEX",
  }),
  salt: z.string().optional().meta({ description: "the salt of the commitment", placeholder: "HEX" }),
  ...verdictOutFlags,
  ...baseDataFlags,
  ...modelFlags,
});

export const command: CommandFile = () =>
  defineCommand({
    name: "verify",
    description:
      "Asks a suspect model the triggers of a key and tests whether its answers show the mark: against luck, against " +
      "look-alikes, against forgers. Every test states its null hypothesis and p-value; the weakest evidence decides. Exit " +
      "status 0 for either verdict; --json has `owned`.",
    arguments: [{ name: "SUSPECT.onnx", description: "the model in question" }],
    flags,
    common: { computes: true, writes: true },
    examples: [
      ["wildmark verify suspect.onnx --key mark.safetensors", ""],
      ["wildmark verify suspect.onnx --key mark.safetensors --alpha 1e-6", "be much surer"],
      [
        "wildmark verify suspect.onnx --key mark.safetensors --dataset mnist --regenerate",
        "make the key again, and ask strangers' keys too",
      ],
      [
        "wildmark verify suspect.onnx --key mark.safetensors --null-models innocent/",
        "beside the models of a folder, trained without the mark",
      ],
      ["wildmark verify suspect.onnx --key mark.safetensors --out verdict.html", "a document to hand over"],
    ],
    async run({ args: [path = ""], flags: given, runtimeFor, progress, force, typed }) {
      const started = new Date();
      const { key: keyPath, alpha, confidence, nullModels: listed, keysTried, commitment, salt, ...said } = given;
      const key = await committedKey(keyPath, commitment, salt);
      await requireVerdictOut(said, { key, force, others: [path, keyPath] });
      const model = await openModel(path, said, progress);
      requireFit(model, path, { what: `the key ${keyPath}`, shape: key.shape, classes: key.classes, code: "bad-key" });
      const nullModels = listed === undefined ? undefined : await openNullModels(listed, said, progress);
      if (nullModels !== undefined) requireNullModels(model, key, nullModels);
      const runtime = await runtimeFor({ model, shape: key.shape, classes: key.classes });
      const base = await baseDataFor(key, said, progress, runtime);
      if (said.regenerate) await regenerated(key, base, keyPath);
      const mark = base === undefined ? undefined : findMark(key.scheme).choose(key.options);
      const strangers =
        base === undefined || mark === undefined ? undefined : await strangersKeys(mark, base, said.strangers);
      const answers = await gatherAnswers(modelSuspect(model, path, runtime), key, {
        runtime,
        ...(nullModels === undefined ? {} : { nullModels: nullModels.map((each) => each.model) }),
        ...(strangers === undefined ? {} : { strangers }),
      });
      const verdict = verifyAnswers(key, answers, {
        alpha,
        confidence,
        keysTried,
        committed: commitment !== undefined,
        ...(said.triesLog2 === undefined ? {} : { triesLog2: said.triesLog2 }),
      });
      const heldOut = heldOutTriggersOf(key);
      const heldOutRetention = heldOut === undefined ? undefined : await accuracy(model, heldOut, runtime);
      const suspect = modelFacts(model, path, key);
      const { sha256, isTheMarkedFile } = suspect;
      if (said.out !== undefined) {
        const facts: VerdictFacts = {
          ...{ command: typed, started, runtime, suspect, key, keyName: keyPath, answers, verdict },
          ...{ regenerated: said.regenerate, pictures: said.pictures },
          ...(nullModels === undefined ? {} : { nullModels }),
          ...(strangers === undefined || base === undefined || mark === undefined
            ? {}
            : {
                strangers: {
                  base: baseOf(mark, base),
                  images: strangers.reduce((n, each) => n + each.triggers.count, 0),
                },
              }),
          ...(heldOut === undefined || heldOutRetention === undefined
            ? {}
            : { heldOut: { matches: Math.round(heldOutRetention * heldOut.count), n: heldOut.count } }),
          ...(commitment === undefined ? {} : { commitment }),
        };
        await writeVerdict(verdictDocument(facts), said.out, force);
      }
      return {
        document: {
          command: "verify",
          suspect: { path, sha256, isTheMarkedFile },
          key: { path: keyPath, sha256: keySha256(key), scheme: key.scheme, madeFor: key.modelSha256 },
          regenerated: said.regenerate,
          ...(commitment === undefined ? {} : { commitment: commitment.toLowerCase() }),
          ...(nullModels === undefined ? {} : { nullModelFiles: nullModels.map(({ name }) => name) }),
          ...verdict,
          heldOutRetention: heldOutRetention ?? null,
          ...(said.out === undefined ? {} : { out: said.out }),
        },
        text: [
          ...describeVerdict(verdict),
          ...(heldOut === undefined || heldOutRetention === undefined
            ? []
            : [
                `held-out retention ${percent(heldOutRetention)}, on ${heldOut.count} triggers that were never trained on`,
              ]),
          ...(said.regenerate ? ["The key was made again from its secret and the data, byte for byte."] : []),
          ...(commitment === undefined
            ? []
            : [`The key is the one that was committed to: ${commitment}; where that was published proves its age.`]),
          ...(isTheMarkedFile ? ["This is the very file that the key was made for."] : []),
          ...(said.out === undefined ? [] : [`Document: ${said.out.join(", ")}`]),
        ].join("\n"),
      };
    },
  });

async function regenerated(key: Key, base: BaseData | undefined, keyPath: string): Promise<void> {
  if (base === undefined) {
    throw new WildmarkError("usage", "verify: --regenerate needs what the key was drawn from.", {
      hint: "Give --dataset too, as it was given to wildmark embed.",
    });
  }
  await requireRegenerable(key, base, keyPath);
}

/** The key, after its bytes were held against a commitment where there is one. */
async function committedKey(path: string, commitment: string | undefined, salt: string | undefined): Promise<Key> {
  if ((commitment === undefined) !== (salt === undefined)) {
    throw new WildmarkError("usage", "verify: --commitment and --salt belong together, found one of them.", {
      hint: "wildmark key commit prints both.",
    });
  }
  const bytes = await readKeyBytes(path);
  if (commitment !== undefined && salt !== undefined) requireCommitment(bytes, { commitment, salt }, path);
  const key = decodeKey(bytes, path);
  requireKnownScheme(key, path);
  return key;
}

/** The models of --null-models; a folder means its .onnx files, in the order of their names. */
async function openNullModels(listed: string, flags: ModelFlags, progress: Progress): Promise<NullModel[]> {
  const models: NullModel[] = [];
  for (const place of listed.split(",").map((each) => each.trim())) {
    const isFolder = await stat(place).then(
      (found) => found.isDirectory(),
      () => false,
    );
    const files = isFolder ? (await readdir(place)).filter((name) => name.endsWith(".onnx")).sort() : [];
    if (place === "" || (isFolder && files.length === 0)) {
      throw new WildmarkError("usage", `verify: --null-models ${listed}: no model at "${place}".`, {
        hint: "Give .onnx files or folders of them, with commas between.",
      });
    }
    for (const name of isFolder ? files.map((file) => join(place, file)) : [place]) {
      models.push({ name, model: await openModel(name, flags, progress) });
    }
  }
  return models;
}
