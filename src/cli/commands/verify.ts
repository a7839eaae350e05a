/** @file wildmark verify: does a suspect model carry a key's mark, and how sure is that? */

import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { WildmarkError } from "../../core/errors.js";
import type { Progress } from "../../core/progress.js";
import { accuracy } from "../../data/answers.js";
import { requireFit } from "../../data/fit.js";
import { encodeModel, modelSha256 } from "../../onnx/model.js";
import { requireCommitment } from "../../ownership/commitment.js";
import { decodeKey, type Key, keySha256, readKeyBytes } from "../../ownership/key.js";
import { heldOutTriggersOf } from "../../ownership/key-images.js";
import { requireUnmarked, type UnmarkedModel } from "../../ownership/unmarked.js";
import { describeVerdict } from "../../ownership/verdict.js";
import { verifyModel } from "../../ownership/verify-model.js";
import { type CommandFile, defineCommand } from "../command.js";
import { type ModelFlags, modelFlags, openModel } from "../model.js";
import { percent } from "../output.js";

const flags = z.object({
  key: z.string().meta({ description: "the owner's key", placeholder: "FILE" }),
  alpha: z.number().gt(0).lt(1).default(0.05).describe("significance level of the verdict"),
  confidence: z.number().gt(0).lt(1).default(0.95).describe("confidence of the interval of the retention"),
  unmarked: z
    .string()
    .optional()
    .meta({
      description:
        "models without the mark, files or folders of .onnx with commas between: the suspect is ranked among them, in " +
        "place of the placebo control; N of them show ownership at alpha = 1/(N + 1) at best",
      placeholder: "A.onnx,B.onnx",
    }),
  keysTried: z.int().min(1).default(1).describe("keys tried on this suspect, this one too: multiplies the p-value"),
  commitment: z.string().optional().meta({
    description: "what wildmark key commit printed and the owner published; refused for any other key",
    placeholder: "HEX",
  }),
  salt: z.string().optional().meta({ description: "the salt of the commitment", placeholder: "HEX" }),
  ...modelFlags,
});

export const command: CommandFile = () =>
  defineCommand({
    name: "verify",
    description:
      "Asks a suspect model the triggers of a key and tests whether its answers show the mark. Every test states its " +
      "null hypothesis and p-value; the weakest evidence decides. Exit status 0 for either verdict; --json has `owned`.",
    arguments: [{ name: "SUSPECT.onnx", description: "the model in question" }],
    flags,
    common: { computes: true },
    examples: [
      ["wildmark verify suspect.onnx --key mark.safetensors", ""],
      [
        "wildmark verify suspect.onnx --key mark.safetensors --alpha 1e-6",
        "be much surer (not with --unmarked: it would take 999,999 models)",
      ],
      [
        "wildmark verify suspect.onnx --key mark.safetensors --unmarked innocent/",
        "ranked among the models of a folder: 19 or more for the usual level 0.05",
      ],
    ],
    async run({ args: [path = ""], flags: given, runtimeFor, progress }) {
      const { key: keyPath, alpha, confidence, unmarked: listed, keysTried, commitment, salt, ...said } = given;
      const key = await committedKey(keyPath, commitment, salt);
      const model = await openModel(path, said, progress);
      requireFit(model, path, { what: `the key ${keyPath}`, shape: key.shape, classes: key.classes, code: "bad-key" });
      const unmarked = listed === undefined ? undefined : await openUnmarked(listed, said, progress);
      if (unmarked !== undefined) requireUnmarked(model, key, unmarked);
      const runtime = await runtimeFor({ model, shape: key.shape, classes: key.classes });
      const verdict = await verifyModel(model, key, {
        runtime,
        alpha,
        confidence,
        keysTried,
        ...(unmarked === undefined ? {} : { unmarked: unmarked.map((each) => each.model) }),
      });
      const heldOut = heldOutTriggersOf(key);
      const heldOutRetention = heldOut === undefined ? undefined : await accuracy(model, heldOut, runtime);
      const sha256 = modelSha256(encodeModel(model));
      return {
        document: {
          command: "verify",
          suspect: { path, sha256, isTheMarkedFile: sha256 === key.modelSha256 },
          key: { path: keyPath, sha256: keySha256(key), scheme: key.scheme, madeFor: key.modelSha256 },
          ...(commitment === undefined ? {} : { commitment: commitment.toLowerCase() }),
          ...(unmarked === undefined ? {} : { unmarkedModels: unmarked.map(({ name }) => name) }),
          ...verdict,
          heldOutRetention: heldOutRetention ?? null,
        },
        text: [
          ...describeVerdict(verdict),
          ...(heldOut === undefined || heldOutRetention === undefined
            ? []
            : [
                `held-out retention ${percent(heldOutRetention)}, on ${heldOut.count} triggers that were never trained on`,
              ]),
          ...(commitment === undefined
            ? []
            : [`The key is the one that was committed to: ${commitment}; where that was published proves its age.`]),
          ...(sha256 === key.modelSha256 ? ["This is the very file that the key was made for."] : []),
        ].join("\n"),
      };
    },
  });

/** The key, after its bytes were held against a commitment where there is one. */
async function committedKey(path: string, commitment: string | undefined, salt: string | undefined): Promise<Key> {
  if ((commitment === undefined) !== (salt === undefined)) {
    throw new WildmarkError("usage", "verify: --commitment and --salt belong together, found one of them.", {
      hint: "wildmark key commit prints both.",
    });
  }
  const bytes = await readKeyBytes(path);
  if (commitment !== undefined && salt !== undefined) requireCommitment(bytes, { commitment, salt }, path);
  return decodeKey(bytes, path);
}

/** The models of --unmarked; a folder means its .onnx files, in the order of their names. */
async function openUnmarked(listed: string, flags: ModelFlags, progress: Progress): Promise<UnmarkedModel[]> {
  const models: UnmarkedModel[] = [];
  for (const place of listed.split(",").map((each) => each.trim())) {
    const isFolder = await stat(place).then(
      (found) => found.isDirectory(),
      () => false,
    );
    const files = isFolder ? (await readdir(place)).filter((name) => name.endsWith(".onnx")).sort() : [];
    if (place === "" || (isFolder && files.length === 0)) {
      throw new WildmarkError("usage", `verify: --unmarked ${listed}: no model at "${place}".`, {
        hint: "Give .onnx files or folders of them, with commas between.",
      });
    }
    for (const name of isFolder ? files.map((file) => join(place, file)) : [place]) {
      models.push({ name, model: await openModel(name, flags, progress) });
    }
  }
  return models;
}
