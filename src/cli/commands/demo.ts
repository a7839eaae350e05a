/** @file wildmark demo: the paper's experiment on the built-in digits, sized for about a minute on two cores. */

import { z } from "zod";
import { loadDataset, loadImages } from "../../data/registry.js";
import { reproduceSpec } from "../../experiments/statements/reproduce.js";
import { findArchitecture } from "../../models/registry.js";
import { type CommandFile, defineCommand } from "../command.js";
import { runFlags, runStatement } from "../experiment.js";

const flags = z.object({
  out: z.string().default("wildmark-demo").meta({ description: "folder for everything", placeholder: "DIR" }),
  ...runFlags,
});

export const command: CommandFile = () =>
  defineCommand({
    name: "demo",
    description:
      "Trains small classifiers of built-in digits, marks them in three ways, attacks the marks with WILD " +
      "and baselines, " +
      "and draws the report. About a minute on two cores; nothing is downloaded.",
    flags,
    resumes: true,
    common: { random: true, computes: "trains", writes: true },
    examples: [["wildmark demo", "then open wildmark-demo/report.html"]],
    async run(call) {
      const dataset = await loadDataset("digits", { limits: { train: 6_000, test: 1_000 } });
      const spec = reproduceSpec({
        dataset,
        unrelated: await loadImages("shapes"),
        architecture: findArchitecture("lenet5"),
        marks: ["content", "noise", "unrelated"],
        metrics: ["ce", "js"],
        baselines: true,
        seeds: [call.seed],
      });
      return runStatement(spec, { name: "demo", out: call.flags.out }, call);
    },
  });
