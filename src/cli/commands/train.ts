/** @file wildmark train: a classifier without a mark, fresh or from a model that is there. */

import { z } from "zod";
import { defined } from "../../core/defined.js";
import { WildmarkError } from "../../core/errors.js";
import { writeFilesAtomic } from "../../core/files.js";
import { percent } from "../../core/percent.js";
import { WILDMARK_VERSION } from "../../core/version.js";
import type { LoadedDataset } from "../../data/registry.js";
import { requireFit } from "../../data/fit.js";
import { recipeFor } from "../../models/recipes.js";
import { findArchitecture } from "../../models/registry.js";
import { encodeModel, type Model, modelSha256 } from "../../onnx/model.js";
import { modelFileChanges } from "../../onnx/model-file.js";
import { keeping } from "../../tasks/checkpoint.js";
import {
  type ContinuedModel,
  continueModel,
  continuingOptions,
  type TrainedModel,
  trainModel,
  trainOptionsOf,
} from "../../tasks/train-model.js";
import { checkpointBeside, modelIdentity } from "../checkpoint.js";
import { type CommandFile, defineCommand, wordAfter } from "../command.js";
import { dataFlags, datasetIn, doubtLines, doubtsOf, loadChosen } from "../data.js";
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
import { requireWritable } from "../outputs.js";
import { readingsDocument } from "../readings.js";

const DEFAULT_ARCHITECTURE = "lenet5";

const flags = z.object({
  ...dataFlags,
  arch: z
    .string()
    .optional()
    .meta({
      description: `architecture where no model is given, such as resnet18-16 (default: ${DEFAULT_ARCHITECTURE})`,
      placeholder: "NAME",
    }),
  width: z.int().min(1).optional().meta({ description: "channels of its first stage", placeholder: "N" }),
  recipe: z.string().optional().meta({
    description: "architecture whose recipe gives the defaults (default: its own; a given model's are gentler)",
    placeholder: "NAME",
  }),
  out: z.string().meta({ description: "where the model goes", placeholder: "FILE" }),
  ...trainFromFlag,
  ...modelFlags,
  ...asReadFlag,
});

export const command: CommandFile = (words) => {
  // A given model comes first on the command line; the defaults of a fresh one are those of its architecture's recipe.
  const continues = words[0] !== undefined && !words[0].startsWith("-");
  const recipe = wordAfter(words, "--recipe");
  const byRecipe = trainOptionsOf(
    recipeFor(findArchitecture(recipe ?? wordAfter(words, "--arch") ?? DEFAULT_ARCHITECTURE)),
  );
  return defineCommand({
    name: "train",
    description:
      "Trains a classifier without a mark and writes it as ONNX. With MODEL.onnx that model goes on training, " +
      "whichever framework it comes from; without, a fresh one is trained: a null model, or one to mark later.",
    arguments: [{ name: "MODEL.onnx", description: "a model to train further", optional: true }],
    flags,
    extras: [
      continues && recipe === undefined
        ? { heading: "Training (going on)", schema: continuingOptions }
        : { heading: "Training (defaults depend on --arch and --recipe)", schema: byRecipe },
    ],
    resumes: true,
    common: { random: true, computes: "trains", writes: true },
    examples: [
      ["wildmark train --dataset digits --out model.onnx", "LeNet-5 on the built-in digits"],
      ["wildmark train --dataset cifar-10 --arch airnet --out airnet.onnx", "by airnet's recipe"],
      ["wildmark train model.onnx --dataset mnist --epochs 3 --out tuned.onnx", "another model, tuned"],
    ],
    async run({ args: [path], flags: { out, trainFrom, asRead, ...chosen }, read, seed, force, ...call }) {
      const settled = read(path === undefined || recipe !== undefined ? byRecipe : continuingOptions);
      await requireWritable(out, force, path === undefined ? [] : [path]);
      const start = await startOf(path, chosen, trainFrom, call.progress);
      if ("model" in start) await requireSidecarWritable(out, start.model, force);
      const dataset = await loadChosen(chosen, { ...call, force });
      const { shape, classes } = dataset.train;
      if ("model" in start)
        requireFit(start.model, start.path, { what: `the images of ${dataset.id}`, shape, classes });
      const network = "model" in start ? { model: start.model, shape, classes } : newNetwork({ ...start, dataset });
      const runtime = await call.runtimeFor(network);
      const origin = "model" in start ? modelIdentity(start.model) : start.architecture.id;
      const identity = { command: "train", origin, dataset: dataset.sha256, seed, options: settled, trainFrom, asRead };
      const checkpoint = await checkpointBeside(out, { identity, runtime }, call.progress);
      const run = { ...call, runtime, checkpoint, ...defined({ trainFrom }), onEpoch: noteEpochs(call.progress) };
      const training = { dataset, seed, options: settled };
      const trained: TrainedModel & Partial<Pick<ContinuedModel, "readings" | "accuracyBefore">> = await keeping(
        checkpoint,
        async () => {
          const made =
            "model" in start
              ? await continueModel({ ...training, model: start.model, asRead, named: namedFile(start.path) }, run)
              : await trainModel({ ...training, architecture: start.architecture }, run);
          await writeFilesAtomic(await modelFileChanges(out, made.model, { force }), { force });
          return made;
        },
      );
      const { accuracyBefore, readings } = trained;
      const { model, accuracy, epochs } = trained;
      return {
        document: {
          command: "train",
          wildmark: WILDMARK_VERSION,
          ...("model" in start ? { model: { path: start.path } } : {}),
          out,
          modelSha256: modelSha256(encodeModel(model)),
          dataset: datasetIn(dataset),
          ...("model" in start ? {} : { architecture: start.architecture.id }),
          seed,
          options: settled,
          ...(readings === undefined ? {} : { readings: readingsDocument(readings) }),
          ...defined({ accuracyBefore }),
          accuracy,
          epochs,
        },
        text: [`${accuracyInWords(trained, dataset)}\nModel: ${out}`, ...doubtLines(doubtsOf(dataset))].join("\n\n"),
      };
    },
  });
};

/** A given model, or the architecture of a fresh one. */
async function startOf(
  path: string | undefined,
  chosen: ModelFlags & { readonly arch?: string | undefined; readonly width?: number | undefined },
  trainFrom: string | undefined,
  progress: Parameters<typeof openModel>[2],
): Promise<
  { readonly path: string; readonly model: Model } | { readonly architecture: ReturnType<typeof findArchitecture> }
> {
  const { arch, width } = chosen;
  if (path === undefined) {
    const said = [...modelFlagsGiven(chosen), ...(trainFrom === undefined ? [] : ["--train-from"])];
    if (said.length === 0) return { architecture: findArchitecture(arch ?? DEFAULT_ARCHITECTURE, width) };
    throw new WildmarkError("usage", `${said.join(", ")} speak of a given model; there is none.`, {
      hint: "Name the model first: wildmark train MODEL.onnx …",
    });
  }
  if (arch !== undefined || width !== undefined) {
    throw new WildmarkError("usage", `${path} has an architecture already: --arch and --width are of a fresh model.`, {
      hint: "Leave them out; --recipe NAME takes an architecture's recipe.",
    });
  }
  return { path, model: await openModel(path, chosen, progress) };
}

const namedFile = (where: string) => ({ where, words: "flags" as const });

function accuracyInWords(
  trained: { readonly accuracy: number; readonly accuracyBefore?: number },
  { test, title }: LoadedDataset,
): string {
  const { accuracy, accuracyBefore } = trained;
  const before = accuracyBefore === undefined ? "" : `, ${percent(accuracyBefore, 2)} before,`;
  return `Accuracy ${percent(accuracy, 2)}${before} on ${test.count} test images of ${title}.`;
}
