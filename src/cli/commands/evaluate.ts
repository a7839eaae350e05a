/** @file wildmark evaluate: accuracy on a test set. */

import { z } from "zod";
import { answers } from "../../data/answers.js";
import { requireFit } from "../../experiments/fit.js";
import { encodeModel, modelSha256 } from "../../onnx/model.js";
import { readModelFile } from "../../onnx/model-file.js";
import { agreement } from "../../training/evaluate.js";
import { type CommandFile, defineCommand } from "../command.js";
import { dataFlags, loadChosen } from "../data.js";
import { percent } from "../output.js";

export const command: CommandFile = () =>
  defineCommand({
    name: "evaluate",
    description: "Measures the share of a data set's test images that a model answers correctly.",
    arguments: [{ name: "MODEL.onnx", description: "an image classifier" }],
    flags: z.object(dataFlags),
    common: { computes: true },
    examples: [
      ["wildmark evaluate model.onnx --dataset digits", ""],
      ["wildmark evaluate model.onnx --dataset mnist --json", "for programs"],
    ],
    async run({ args: [path = ""], flags, runtime, progress }) {
      const model = await readModelFile(path);
      const dataset = await loadChosen(flags, progress);
      const { shape, classes, count, labels } = dataset.test;
      requireFit(model, path, { what: `the images of ${dataset.id}`, shape, classes });
      const accuracy = agreement(await answers(model, dataset.test, runtime), labels);
      return {
        document: {
          command: "evaluate",
          model: { path, sha256: modelSha256(encodeModel(model)) },
          dataset: { id: dataset.id, sha256: dataset.sha256, testImages: count },
          accuracy,
          correct: Math.round(accuracy * count),
        },
        text: `Accuracy ${percent(accuracy, 2)}: ${Math.round(accuracy * count)} of ${count} test images of ${dataset.title}.`,
      };
    },
  });
