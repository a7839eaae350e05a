/** @file wildmark embed: a mark into a model, and the key that proves it. */

import { z } from "zod";
import { WildmarkError } from "../../core/errors.js";
import { writeFilesAtomic } from "../../core/files.js";
import { requireFit } from "../../data/fit.js";
import { imagesSha256 } from "../../experiments/spec.js";
import { keeping } from "../../tasks/checkpoint.js";
import { type MarkedModel, markModel } from "../../tasks/mark-model.js";
import { recipeFor } from "../../models/recipes.js";
import { findArchitecture } from "../../models/registry.js";
import { encodeModel, modelSha256 } from "../../onnx/model.js";
import { modelFileChanges } from "../../onnx/model-file.js";
import { secretOfSeed } from "../../ownership/binding.js";
import { newSecret } from "../../ownership/draw-key.js";
import { keyFileChange, keySha256 } from "../../ownership/key-file.js";
import { describeVerdict } from "../../ownership/verdict.js";
import { embedContinuingOptions, embedFromScratchOptionsOf } from "../../watermarks/embed.js";
import { type ChosenMark, findMark, markSchemes } from "../../watermarks/registry.js";
import { checkpointBeside, modelIdentity } from "../checkpoint.js";
import { type CommandFile, defineCommand, wordAfter } from "../command.js";
import {
  abstractFlag,
  abstractFor,
  dataFlags,
  datasetIn,
  doubtLines,
  doubtsOf,
  loadChosen,
  unrelatedFlag,
  unrelatedFor,
} from "../data.js";
import { noteEpochs } from "../epochs.js";
import {
  asReadFlag,
  type ModelFlags,
  modelFlags,
  modelFlagsGiven,
  openModel,
  requireSidecarWritable,
  trainFromFlag,
} from "../model.js";
import { newNetwork } from "../network.js";
import { textTable } from "../../core/text-table.js";
import { percent } from "../../core/percent.js";
import { requireWritable } from "../outputs.js";
import { readingsDocument } from "../readings.js";
import { defined } from "../../core/defined.js";

const DEFAULT_SCHEME = "content";

/** Below this the owner is told to embed longer: a mark that is weak before any attack proves little after one. */
const FIRM_RETENTION = 0.95;

const flags = z.object({
  scheme: z
    .string()
    .default(DEFAULT_SCHEME)
    .meta({ description: `kind of mark: ${markSchemes.map(({ id }) => id).join(", ")}`, placeholder: "MARK" }),
  ...dataFlags,
  ...unrelatedFlag,
  ...abstractFlag,
  arch: z.string().default("lenet5").meta({ description: "architecture where no model is given", placeholder: "NAME" }),
  out: z.string().meta({ description: "where the marked model goes", placeholder: "FILE" }),
  key: z.string().meta({ description: "where the key goes; keep it secret and safe", placeholder: "FILE" }),
  ...trainFromFlag,
  ...modelFlags,
  ...asReadFlag,
});

export const command: CommandFile = (words) => {
  const scheme = findMark(wordAfter(words, "--scheme") ?? DEFAULT_SCHEME);
  // A given model comes first on the command line; it wants fewer epochs at a smaller rate than a fresh one.
  const continues = words[0] !== undefined && !words[0].startsWith("-");
  const fromScratch = embedFromScratchOptionsOf(recipeFor(findArchitecture(wordAfter(words, "--arch") ?? "lenet5")));
  return defineCommand({
    name: "embed",
    fullName: `embed --scheme ${scheme.id}`,
    description:
      "Marks a model: makes secret triggers from your data, trains them in, and writes the marked model and its key. " +
      "With MODEL.onnx that model goes on training; without, a fresh one is trained. The triggers and their " +
      "labels follow from " +
      "32 secret random bytes that the key holds; with --seed they follow from that, and whoever knows it " +
      "and the data has the key.",
    arguments: [{ name: "MODEL.onnx", description: "a trained model to mark", optional: true }],
    flags,
    extras: [
      { heading: `Triggers of the ${scheme.id} mark`, schema: scheme.options },
      continues
        ? { heading: "Training (going on)", schema: embedContinuingOptions }
        : { heading: "Training (from scratch; a given model has other defaults)", schema: fromScratch },
    ],
    resumes: true,
    common: { random: "secret", computes: "trains", writes: true },
    examples: [
      ["wildmark embed --scheme content --dataset digits --out marked.onnx --key mark.safetensors", "from scratch"],
      ["wildmark embed model.onnx --scheme noise --dataset digits --out marked.onnx --key mark.safetensors", ""],
      ["wildmark embed --scheme unrelated --help", "the options of another mark"],
    ],
    async run({ args: [path], flags: { arch, out, key: keyPath, trainFrom, asRead, ...chosen }, read, ...call }) {
      const { seedGiven, force, progress } = call;
      const mark = scheme.choose(read(scheme.options));
      const options = read(path === undefined ? fromScratch : embedContinuingOptions);
      const architecture = findArchitecture(arch);
      const inputs = path === undefined ? [] : [path];
      await requireWritable(out, force, inputs);
      await requireWritable(keyPath, force, [...inputs, out]);
      const given = path === undefined ? undefined : await openModel(path, chosen, progress);
      if (given !== undefined) await requireSidecarWritable(out, given, force);
      else refuseModelFlags(trainFrom, chosen);
      const dataset = await loadChosen(chosen, call);
      const { shape, classes } = dataset.train;
      if (given !== undefined) {
        requireFit(given, path ?? "", { what: `the images of ${dataset.id}`, shape, classes });
      }
      const network = given === undefined ? newNetwork({ architecture, dataset }) : { model: given, shape, classes };
      const runtime = await call.runtimeFor(network);
      const { unrelated } = await unrelatedFor(mark.pictures === "unrelated", dataset, chosen, call);
      const { abstract } = await abstractFor(mark.pictures === "abstract", dataset, chosen, call);
      const identity = {
        command: "embed",
        origin: given === undefined ? architecture.id : modelIdentity(given),
        dataset: dataset.sha256,
        pictures: [imagesSha256(unrelated), imagesSha256(abstract)],
        mark: { id: mark.id, options: mark.options },
        options,
        seed: seedGiven ? call.seed : null,
        ...{ trainFrom, asRead },
      };
      // A run that goes on has the secret, and the seed, of the run that was stopped.
      const drawn = encodeDrawn(call.seed, seedGiven ? secretOfSeed(call.seed) : newSecret());
      const checkpoint = await checkpointBeside(out, { identity, runtime, drawn }, progress);
      const { seed, secret } = decodeDrawn(checkpoint.drawn);
      const marked = await keeping(checkpoint, async () => {
        const made = await markModel(
          {
            dataset,
            ...defined({ unrelated, abstract }),
            mark,
            start: given === undefined ? { architecture } : { model: given },
            options,
            seed,
            secret,
            asRead,
            ...(path === undefined ? {} : { named: { where: path, words: "flags" } }),
          },
          { ...call, runtime, checkpoint, ...defined({ trainFrom }), onEpoch: noteEpochs(progress) },
        );
        // Both or none; the key first: a marked model without its key would be worth nothing.
        const files = [keyFileChange(keyPath, made.key), ...(await modelFileChanges(out, made.model, { force }))];
        await writeFilesAtomic(files, { force });
        return made;
      });
      const bytes = encodeModel(marked.model);
      return {
        document: {
          command: "embed",
          model: path === undefined ? null : { path },
          out: { path: out, sha256: modelSha256(bytes) },
          key: { path: keyPath, sha256: keySha256(marked.key) },
          dataset: datasetIn(dataset, unrelated, abstract),
          scheme: mark.id,
          options: mark.options,
          training: options,
          seed,
          accuracyBefore: marked.accuracyBefore ?? null,
          graph: marked.graph ?? null,
          readings: marked.readings === undefined ? null : readingsDocument(marked.readings),
          measured: marked.measured,
          verdict: marked.verdict,
          epochs: marked.epochs,
        },
        text: [
          inWords(marked, mark),
          ...doubtLines(doubtsOf(dataset, unrelated, abstract)),
          `Model: ${out}\nKey:   ${keyPath} (secret: whoever has it can find and remove the mark)`,
        ].join("\n\n"),
      };
    },
  });
};

/** Seed and secret of a run, for the file that it goes on from. */
const encodeDrawn = (seed: number, secret: Uint8Array): string => `${seed} ${Buffer.from(secret).toString("hex")}`;

function decodeDrawn(text: string): { readonly seed: number; readonly secret: Uint8Array } {
  const [seed, secret = ""] = text.split(" ");
  return { seed: Number(seed), secret: new Uint8Array(Buffer.from(secret, "hex")) };
}

/** A fresh model takes images as they are, and is trained from its first node on. */
function refuseModelFlags(trainFrom: string | undefined, said: ModelFlags): void {
  const flagsGiven = [...modelFlagsGiven(said), ...(trainFrom === undefined ? [] : ["--train-from"])];
  if (flagsGiven.length === 0) return;
  throw new WildmarkError("usage", `${flagsGiven.join(", ")} speak of a given model; there is none.`, {
    hint: "Name the model first: wildmark embed MODEL.onnx …",
  });
}

function inWords({ accuracyBefore, measured, verdict }: MarkedModel, mark: ChosenMark): string {
  const [sentence] = describeVerdict(verdict);
  const weights = "weight" in mark.options ? ", --weight" : "";
  const weak =
    `The mark took hold on ${percent(measured.retention)} of its triggers only: raise --epochs, ` +
    `--learning-rate${weights} or --triggers-per-batch.`;
  return [
    `${sentence}.`,
    textTable([
      ...(accuracyBefore === undefined ? [] : [["accuracy before", percent(accuracyBefore, 2)]]),
      [accuracyBefore === undefined ? "accuracy" : "accuracy after", percent(measured.accuracy, 2)],
      ["retention", percent(measured.retention, 2)],
      ...(measured.heldOutRetention === undefined
        ? []
        : [["held-out retention", percent(measured.heldOutRetention, 2)]]),
    ]),
    ...(measured.retention < FIRM_RETENTION ? [weak] : []),
  ].join("\n\n");
}
