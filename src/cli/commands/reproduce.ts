/** @file wildmark reproduce: the paper's experiment on a data set. */

import { z } from "zod";
import { paperSpec } from "../../experiments/paper.js";
import { findArchitecture, usualArchitecture } from "../../models/registry.js";
import { findMark, markSchemes } from "../../watermarks/registry.js";
import { type CommandFile, defineCommand } from "../command.js";
import { dataFlags, loadChosen, unrelatedFlag, unrelatedFor } from "../data.js";
import { runExperiment } from "../experiment.js";
import { jobsFlag } from "../jobs.js";

/** The paper's; any other mark can be chosen too. */
const marks = ["content", "noise", "unrelated"];

const flags = z.object({
  ...dataFlags,
  ...unrelatedFlag,
  watermarks: z
    .array(z.string())
    .default(marks)
    .meta({ description: `marks to attack, of ${markSchemes.map(({ id }) => id).join(", ")}`, placeholder: "LIST" }),
  publishedForms: z
    .boolean()
    .default(false)
    .describe(
      "marks in the form of the papers, the same for every owner: to compare with; as keys anybody can forge them",
    ),
  metrics: z
    .array(z.enum(["ce", "js"]))
    .min(1)
    .default(["ce", "js"])
    .describe("WILD's distances"),
  controls: z.boolean().default(true).describe("leave out fine-tuning, random erasing alone and training from scratch"),
  fraction: z
    .number()
    .gt(0)
    .max(1)
    .default(0.1)
    .meta({ description: "the attacker's share of the training images: 0.1 or 10%", placeholder: "SHARE" }),
  epochs: z
    .int()
    .min(1)
    .optional()
    .meta({ description: "epochs of every removal (default: each method's own)", placeholder: "N" }),
  trainingEpochs: z.int().min(1).optional().meta({ description: "epochs of training and embedding", placeholder: "N" }),
  arch: z.string().optional().meta({
    description: "architecture (default: lenet5 for grey images, resnet18-16 for colour)",
    placeholder: "NAME",
  }),
  seeds: z
    .int()
    .min(1)
    .max(1000)
    .default(1)
    .meta({ description: "repetitions: seeds --seed, --seed + 1, …", placeholder: "N" }),
  ...jobsFlag,
  out: z
    .string()
    .optional()
    .meta({ description: "folder for everything (default: wildmark-<dataset>)", placeholder: "DIR" }),
});

export const command: CommandFile = () =>
  defineCommand({
    name: "reproduce",
    description:
      "The experiment of the WILD paper: trains marked models, attacks each with WILD and with controls, measures, tests " +
      "ownership, and writes result.json and report.html. Stopped at any moment, the same command goes on.",
    flags,
    resumes: true,
    common: { random: true, computes: "trains", writes: true },
    examples: [
      ["wildmark reproduce --dataset digits", "built in, nothing to download"],
      ["wildmark data fetch mnist && wildmark reproduce --dataset mnist --seeds 5", "the paper's, with intervals"],
      [
        "wildmark data fetch cifar-10 && wildmark reproduce --dataset cifar-10",
        "the paper's second; hours on two cores",
      ],
      ["wildmark reproduce --dataset digits --watermarks noise --metrics js --no-controls", "one mark, one metric"],
    ],
    async run(call) {
      const { flags: chosen, seed } = call;
      const { epochs, trainingEpochs, watermarks, metrics, controls, fraction } = chosen;
      const named = chosen.arch === undefined ? undefined : findArchitecture(chosen.arch);
      const needsUnrelated = watermarks.some((id) => findMark(id).pictures === "unrelated");
      const dataset = await loadChosen(chosen, call);
      const architecture = named ?? usualArchitecture(dataset.train.shape);
      const spec = paperSpec({
        dataset,
        ...(await unrelatedFor(needsUnrelated, dataset, chosen, call)),
        architecture,
        marks: watermarks,
        metrics,
        controls,
        fraction,
        publishedForms: chosen.publishedForms,
        ...(epochs === undefined ? {} : { epochs }),
        ...(trainingEpochs === undefined ? {} : { trainingEpochs }),
        seeds: Array.from({ length: chosen.seeds }, (_, i) => seed + i),
      });
      return runExperiment("reproduce", spec, chosen.out ?? `wildmark-${dataset.id}`, call);
    },
  });
