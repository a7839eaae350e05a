/** @file wildmark evaluate: accuracy on a test set. */

import { z } from "zod";
import { answers } from "../../data/answers.js";
import { classesInWords } from "../../data/class-names.js";
import { requireAskable } from "../../data/fit.js";
import { answersOnViews, testTimeViews } from "../../data/test-time.js";
import { chanceAccuracy, isAtChance } from "../../tasks/chance.js";
import { type BetterReading, betterReading } from "../../tasks/reading.js";
import { modelPreprocessing } from "../../onnx/image-graph.js";
import { encodeModel, modelSha256 } from "../../onnx/model.js";
import { preprocessingInWords, type ResolvedPreprocessing } from "../../onnx/preprocessing.js";
import { agreement } from "../../training/evaluate.js";
import { type CommandFile, defineCommand } from "../command.js";
import { dataFlags, datasetIn, doubtLines, doubtsOf, loadChosen } from "../data.js";
import { modelFlags, openModel } from "../model.js";
import { textTable } from "../../core/text-table.js";
import { indented } from "../output.js";
import { percent } from "../../core/percent.js";

export const command: CommandFile = () =>
  defineCommand({
    name: "evaluate",
    description:
      "Measures the share of a data set's test images that a model answers correctly, and warns where that " +
      "is no better " +
      "than guessing, or would be clearly better if the model were read otherwise.",
    arguments: [{ name: "MODEL.onnx", description: "an image classifier" }],
    flags: z.object({
      ...dataFlags,
      tta: z
        .enum(testTimeViews)
        .optional()
        .describe("tells the accuracy with test-time augmentation too: the mean of the scores of several views"),
      ...modelFlags,
    }),
    common: { computes: true, loads: true },
    examples: [
      ["wildmark evaluate model.onnx --dataset digits", ""],
      ["wildmark evaluate airnet.onnx --dataset cifar-10 --tta mirror-shift", "both numbers"],
      ["wildmark evaluate model.onnx --dataset mnist --json", "for programs"],
    ],
    async run({ args: [path = ""], flags, runtimeFor, progress, force }) {
      const model = await openModel(path, flags, progress);
      const dataset = await loadChosen(flags, { progress, force });
      const { shape, classes, count, labels } = dataset.test;
      const fitting = { what: `the images of ${dataset.id}`, shape, classes };
      for (const sentence of requireAskable(model, path, fitting, { exactly: true }))
        progress.note(`note: ${sentence}`);
      const runtime = await runtimeFor({ model, shape, classes });
      const answered = await answers(model, dataset.test, runtime);
      const accuracy = agreement(answered, labels);
      const correct = Math.round(accuracy * count);
      const atChance = isAtChance(correct, dataset.test);
      const augmented =
        flags.tta === undefined
          ? undefined
          : agreement(await answersOnViews(model, dataset.test, flags.tta, runtime), labels);
      const { tried, better } = await betterReading(model, dataset.test, answered, runtime);
      const preprocessing = modelPreprocessing(model, shape);
      return {
        document: {
          command: "evaluate",
          model: { path, sha256: modelSha256(encodeModel(model)) },
          dataset: {
            ...datasetIn(dataset),
            testImages: count,
            classNames: dataset.classNames ?? null,
          },
          accuracy,
          correct,
          ...(augmented === undefined
            ? {}
            : {
                testTimeAugmentation: { views: flags.tta, accuracy: augmented, correct: Math.round(augmented * count) },
              }),
          chance: chanceAccuracy(dataset.test),
          atChance,
          preprocessing,
          readingsTried: tried,
          better: better ?? null,
        },
        text: [
          `Accuracy ${percent(accuracy, 2)}: ${correct} of ${count} test images of ${dataset.title}.`,
          ...(augmented === undefined
            ? []
            : [
                `With test-time augmentation (${flags.tta}) ${percent(augmented, 2)}: ` +
                  `${Math.round(augmented * count)} of ${count}.`,
              ]),
          ...classLines(dataset.classNames ?? []),
          ...doubtLines(doubtsOf(dataset)),
          ...(atChance || better !== undefined
            ? [warning(atChance ? chanceAccuracy(dataset.test) : undefined, preprocessing, better)]
            : []),
        ].join("\n\n"),
      };
    },
  });

/** By labels, which is how the model answers; names that are only the labels again go without saying. */
function classLines(names: readonly string[]): string[] {
  return names.every((name, label) => name === String(label)) ? [] : [`Classes: ${classesInWords(names)}.`];
}

function warning(
  chance: number | undefined,
  preprocessing: ResolvedPreprocessing,
  better: BetterReading | undefined,
): string {
  const guesses = `That is no better than guessing (${percent(chance ?? 0, 2)}). `;
  const cause =
    better === undefined
      ? "The usual cause is another preprocessing than the model was trained with, but none of the usual ones does " +
        "better than this:"
      : "The model was trained with another preprocessing than this:";
  return [
    `${chance === undefined ? "" : guesses}${cause}`,
    indented(textTable(preprocessingInWords(preprocessing).map((row) => [...row]))),
    better === undefined
      ? "Or the data are not what the model was trained on."
      : `With ${better.flags} it answers ${percent(better.accuracy)} of ${better.images} images correctly, ` +
        `as it is read ` +
        `now ${percent(better.usedAccuracy)}.`,
  ].join("\n");
}
