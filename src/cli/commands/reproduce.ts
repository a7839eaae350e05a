/** @file wildmark reproduce: the paper's experiment on a data set. */

import { z } from "zod";
import { picturesNeeded } from "../../experiments/spec.js";
import { PAPER_BUDGETS, reproduceSpec } from "../../experiments/statements/reproduce.js";
import { findArchitecture, usualArchitecture } from "../../models/registry.js";
import { findMark, markSchemes } from "../../watermarks/registry.js";
import { type CommandFile, defineCommand } from "../command.js";
import { abstractFor, dataFlags, loadChosen, unrelatedFlag, unrelatedFor } from "../data.js";
import { askFlags, budgetsFlag, runFlags, runStatement, seedsOf } from "../experiment.js";
import { defined } from "../../core/defined.js";

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
  baselines: z
    .boolean()
    .default(true)
    .describe("leave out fine-tuning, random erasing alone and training from scratch"),
  budgets: budgetsFlag(PAPER_BUDGETS),
  trainingEpochs: z.int().min(1).optional().meta({ description: "epochs of training and embedding", placeholder: "N" }),
  reactivation: z
    .boolean()
    .default(false)
    .describe("follow removals up: do 200 steps of tuning on clean training images bring the mark back?"),
  nullModels: z
    .int()
    .min(0)
    .max(1000)
    .optional()
    .meta({ description: "models trained without a mark, to try keys on (default: one a seed)", placeholder: "N" }),
  ...askFlags,
  ...runFlags,
  out: z
    .string()
    .optional()
    .meta({ description: "folder for everything (default: wildmark-<dataset>)", placeholder: "DIR" }),
});

export const command: CommandFile = () =>
  defineCommand({
    name: "reproduce",
    description:
      "The experiment of the WILD paper: trains marked models, attacks each with WILD and with baselines, measures, " +
      "tests ownership, and writes result.json and report.html. Stopped at any moment, the same command goes on.",
    flags,
    groups: [
      {
        heading: "What is tried",
        keys: [
          ...["watermarks", "publishedForms", "unrelated", "metrics", "baselines", "budgets", "epochs"],
          ...["trainingEpochs", "reactivation", "arch", "seeds"],
        ],
      },
      { heading: "How it is judged", keys: ["alpha", "acceptableDrop", "nullModels"] },
    ],
    resumes: true,
    common: { random: true, computes: "trains", writes: true },
    examples: [
      ["wildmark reproduce --dataset digits", "built in, nothing to download"],
      ["wildmark data fetch mnist && wildmark reproduce --dataset mnist --seeds 5", "the paper's, with intervals"],
      [
        "wildmark data fetch cifar-10 && wildmark reproduce --dataset cifar-10",
        "the paper's second; hours on two cores",
      ],
      ["wildmark reproduce --dataset digits --watermarks noise --metrics js --no-baselines", "one mark, one metric"],
    ],
    async run(call) {
      const { flags: chosen, seed } = call;
      const { epochs, trainingEpochs, nullModels, watermarks } = chosen;
      const named = chosen.arch === undefined ? undefined : findArchitecture(chosen.arch);
      const needed = picturesNeeded(watermarks.map(findMark));
      const dataset = await loadChosen(chosen, call);
      const spec = reproduceSpec({
        dataset,
        ...(await unrelatedFor(needed.unrelated, dataset, chosen, call)),
        ...(await abstractFor(needed.abstract, dataset, chosen, call)),
        architecture: named ?? usualArchitecture(dataset.train.shape),
        marks: watermarks,
        ...{ metrics: chosen.metrics, baselines: chosen.baselines, budgets: chosen.budgets },
        ...{ publishedForms: chosen.publishedForms, reactivation: chosen.reactivation },
        ...{ alpha: chosen.alpha, acceptableDrop: chosen.acceptableDrop, seeds: seedsOf(seed, chosen.seeds) },
        ...defined({ epochs, trainingEpochs, nullModels }),
      });
      return runStatement(spec, { name: "reproduce", out: chosen.out ?? `wildmark-${dataset.id}` }, call);
    },
  });
