/** @file wildmark verify: does a suspect model carry a key's mark, and how sure is that? */

import { z } from "zod";
import { accuracy } from "../../data/answers.js";
import { requireFit } from "../../data/fit.js";
import { encodeModel, modelSha256 } from "../../onnx/model.js";
import { keySha256, readKey } from "../../ownership/key.js";
import { heldOutTriggersOf } from "../../ownership/key-images.js";
import { describeVerdict } from "../../ownership/verdict.js";
import { verifyModel } from "../../ownership/verify-model.js";
import { type CommandFile, defineCommand } from "../command.js";
import { modelFlags, openModel } from "../model.js";
import { percent } from "../output.js";

const flags = z.object({
  key: z.string().meta({ description: "the owner's key", placeholder: "FILE" }),
  alpha: z.number().gt(0).lt(1).default(0.05).describe("significance level of the verdict"),
  confidence: z.number().gt(0).lt(1).default(0.95).describe("confidence of the interval of the retention"),
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
      ["wildmark verify suspect.onnx --key mark.safetensors --alpha 1e-6", "be much surer"],
    ],
    async run({ args: [path = ""], flags: { key: keyPath, alpha, confidence, ...said }, runtime, progress }) {
      const model = await openModel(path, said, progress);
      const key = await readKey(keyPath);
      requireFit(model, path, { what: `the key ${keyPath}`, shape: key.shape, classes: key.classes, code: "bad-key" });
      const verdict = await verifyModel(model, key, { runtime, alpha, confidence });
      const heldOut = heldOutTriggersOf(key);
      const heldOutRetention = heldOut === undefined ? undefined : await accuracy(model, heldOut, runtime);
      const sha256 = modelSha256(encodeModel(model));
      return {
        document: {
          command: "verify",
          suspect: { path, sha256, isTheMarkedFile: sha256 === key.modelSha256 },
          key: { path: keyPath, sha256: keySha256(key), scheme: key.scheme, madeFor: key.modelSha256 },
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
          ...(sha256 === key.modelSha256 ? ["This is the very file that the key was made for."] : []),
        ].join("\n"),
      };
    },
  });
