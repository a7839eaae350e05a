/** @file wildmark certify: how far a marked model's weights may be moved before its mark can be lost under noise. */

import { z } from "zod";
import { WildmarkError } from "../../core/errors.js";
import { randomStream } from "../../core/random.js";
import { requireFit } from "../../data/fit.js";
import { encodeModel, modelSha256 } from "../../onnx/model.js";
import { certifyModel, describeCertificate, weightDistance } from "../../ownership/certify.js";
import type { Key } from "../../ownership/key.js";
import { keySha256, readKey } from "../../ownership/key-file.js";
import { type CommandFile, defineCommand } from "../command.js";
import { modelFlags, openModel } from "../model.js";
import { percent } from "../../core/percent.js";

const flags = z.object({
  key: z.string().meta({ description: "the owner's key", placeholder: "FILE" }),
  weightNoise: z.number().gt(0).optional().meta({
    description: "σ, standard deviation of the noise on each weight (default: what a certified mark was trained with)",
    placeholder: "SIGMA",
  }),
  draws: z.int().min(1).max(1_000_000).default(1000).describe("draws of noise"),
  confidence: z.number().gt(0.5).lt(1).default(0.99).describe("how sure each bound is"),
  least: z.number().gt(0).max(1).default(0.5).describe("retention that is not to be fallen below"),
  moved: z.string().optional().meta({
    description: "the model after an attack, to say how far its weights were moved",
    placeholder: "OTHER.onnx",
  }),
  ...modelFlags,
});

export const command: CommandFile = () =>
  defineCommand({
    name: "certify",
    description:
      "Puts Gaussian noise on a model's weights many times, counts the key's triggers that it still " +
      "answers, and says how " +
      "far, in the l2 norm, all weights together may be moved before the median over noise can fall below a " +
      "bound. It speaks " +
      "of changes to these weights alone, not of models trained anew.",
    arguments: [{ name: "MODEL.onnx", description: "the marked model" }],
    flags,
    common: { random: true, computes: true },
    examples: [
      ["wildmark certify marked.onnx --key mark.safetensors", "a model with a certified mark"],
      ["wildmark certify marked.onnx --key mark.safetensors --weight-noise 0.01", "any other"],
      ["wildmark certify marked.onnx --key mark.safetensors --moved cleaned.onnx", "and how far an attack went"],
    ],
    async run({ args: [path = ""], flags: given, seed, runtimeFor, progress, signal }) {
      const { key: keyPath, weightNoise, draws, confidence, least, moved, ...said } = given;
      const key = await readKey(keyPath);
      const sigma = weightNoise ?? noiseOf(key);
      const open = async (place: string) => {
        const model = await openModel(place, said, progress);
        const { shape, classes } = key;
        requireFit(model, place, { what: `the key ${keyPath}`, shape, classes, code: "bad-key" });
        return model;
      };
      const model = await open(path);
      const distance = moved === undefined ? undefined : weightDistance(model, await open(moved), key);
      const runtime = await runtimeFor({ model, shape: key.shape, classes: key.classes });
      const random = randomStream(seed, "certificate");
      const smoothing = { sigma, draws, confidence, least, random, runtime, progress, signal };
      const certificate = await certifyModel(model, key, smoothing);
      return {
        document: {
          command: "certify",
          model: { path, sha256: modelSha256(encodeModel(model)) },
          key: { path: keyPath, sha256: keySha256(key), scheme: key.scheme },
          seed,
          ...certificate,
          ...(moved === undefined ? {} : { moved: { path: moved, distance } }),
        },
        text: [
          ...describeCertificate(certificate, (share) => percent(share)),
          ...(distance === undefined ? [] : [comparison(moved ?? "", distance, certificate.radius)]),
        ].join("\n"),
      };
    },
  });

function noiseOf({ scheme, options }: Key): number {
  const { weightNoise } = options;
  if (scheme === "certified" && typeof weightNoise === "number") return weightNoise;
  throw new WildmarkError(
    "usage",
    `certify: the ${scheme} mark was not trained under noise; how much is to be put on?`,
    {
      hint: "Give --weight-noise SIGMA, in the units of the weights: 0.01, say.",
    },
  );
}

function comparison(path: string, distance: number, radius: number | null): string {
  const how = radius !== null && distance <= radius ? "within what is certified" : "beyond what is certified";
  return `${path} lies at a distance of ${Number(distance.toPrecision(3))}: ${how}.`;
}
