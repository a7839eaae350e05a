/** @file wildmark train: a classifier without a mark. */

import { z } from "zod";
import { writeFileAtomic } from "../../core/files.js";
import { WILDMARK_VERSION } from "../../core/version.js";
import { trainModel, trainOptionsOf } from "../../tasks/train-model.js";
import { recipeFor } from "../../models/recipes.js";
import { findArchitecture } from "../../models/registry.js";
import { encodeModel, modelSha256 } from "../../onnx/model.js";
import { type CommandFile, defineCommand, wordAfter } from "../command.js";
import { dataFlags, datasetIn, doubtLines, doubtsOf, loadChosen } from "../data.js";
import { noteEpochs } from "../epochs.js";
import { newNetwork } from "../network.js";
import { percent } from "../../core/percent.js";
import { requireWritable } from "../outputs.js";

const flags = z.object({
  ...dataFlags,
  arch: z
    .string()
    .default("lenet5")
    .meta({ description: "architecture, such as resnet18 or resnet18-16", placeholder: "NAME" }),
  width: z.int().min(1).optional().meta({ description: "channels of its first stage", placeholder: "N" }),
  out: z.string().meta({ description: "where the model goes", placeholder: "FILE" }),
});

export const command: CommandFile = (words) => {
  // The defaults of training are those of the architecture's recipe.
  const options = trainOptionsOf(recipeFor(findArchitecture(wordAfter(words, "--arch") ?? "lenet5")));
  return defineCommand({
    name: "train",
    description: "Trains a classifier without a mark and writes it as ONNX: a null model, or one to mark later.",
    flags,
    extras: [{ heading: "Training (defaults depend on --arch)", schema: options }],
    common: { random: true, computes: "trains", writes: true },
    examples: [
      ["wildmark train --dataset digits --out model.onnx", "LeNet-5 on the built-in digits"],
      ["wildmark train --dataset mnist --arch lenet-caffe --epochs 4 --out small.onnx", ""],
      ["wildmark train --dataset cifar-10 --arch resnet18 --width 16 --out resnet.onnx", "by ResNet-18's recipe"],
    ],
    async run({ flags: { arch, width, out, ...data }, read, seed, force, ...call }) {
      const architecture = findArchitecture(arch, width);
      const chosen = read(options);
      await requireWritable(out, force);
      const dataset = await loadChosen(data, { ...call, force });
      const { model, accuracy, epochs } = await trainModel(
        { dataset, architecture, seed, options: chosen },
        {
          ...call,
          runtime: await call.runtimeFor(newNetwork({ architecture, dataset })),
          onEpoch: noteEpochs(call.progress),
        },
      );
      const bytes = encodeModel(model);
      await writeFileAtomic(out, bytes, { force });
      return {
        document: {
          command: "train",
          wildmark: WILDMARK_VERSION,
          out,
          modelSha256: modelSha256(bytes),
          dataset: datasetIn(dataset),
          architecture: architecture.id,
          seed,
          options: chosen,
          accuracy,
          epochs,
        },
        text: [
          `Accuracy ${percent(accuracy, 2)} on ${dataset.test.count} test images of ${dataset.title}.\nModel: ${out}`,
          ...doubtLines(doubtsOf(dataset)),
        ].join("\n\n"),
      };
    },
  });
};
