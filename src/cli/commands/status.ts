/** @file wildmark status: how far an experiment is. */

import { z } from "zod";
import { cellsUnderWay, estimateCells, finishedSeconds } from "../../experiments/estimate.js";
import { readExperiment } from "../../experiments/folder.js";
import { planCells } from "../../experiments/plan.js";
import { documentOf, failureReasons, foreignCells } from "../../experiments/run.js";
import { cellRuntime } from "../../experiments/run-cells.js";
import { type CommandFile, defineCommand } from "../command.js";
import { doubtLines, doubtsOf } from "../data.js";
import { failuresText, tally, tallyText } from "../experiment.js";
import { newNetwork } from "../network.js";
import { textTable } from "../../core/text-table.js";
import { count } from "../output.js";
import { clock } from "../progress.js";

export const command: CommandFile = () =>
  defineCommand({
    name: "status",
    description:
      "How far the experiment in a folder is: of reproduce, audit or bench, while it runs or when it was stopped. " +
      "Computes and writes nothing, and needs no data.",
    arguments: [{ name: "DIR", description: "the experiment's folder" }],
    flags: z.object({}),
    common: { computes: true },
    examples: [
      ["wildmark status wildmark-bench-mnist", ""],
      ["wildmark status wildmark-audit", ""],
    ],
    async run({ args: [out = ""], runtimeFor }) {
      const spec = await readExperiment(out);
      const plan = planCells(spec);
      const runtime = await runtimeFor(newNetwork(spec));
      const result = await documentOf(spec, { out, runtime });
      const finished = await finishedSeconds({ spec, out, run: { runtime: cellRuntime(runtime) } }, plan);
      const estimates = [...estimateCells(spec, plan, finished, undefined).values()];
      const secondsLeft = estimates.reduce((sum, { seconds = 0 }) => sum + seconds, 0);
      const unknown = estimates.filter(({ seconds }) => seconds === undefined).length;
      const underWay = await cellsUnderWay(out);
      const models = [...result.nullModels, ...result.marked];
      const trained = models.filter(({ status }) => status === "done").length;
      const failures = await failureReasons(spec, out, result);
      const notes = await foreignCells(out);
      const doubts = doubtsOf(spec.dataset);
      return {
        document: {
          ...{ command: "status", out, complete: result.complete, ...tally(result) },
          models: { all: models.length, done: trained },
          ...{ underWay, secondsLeft, cellsOfUnknownTime: unknown, failures, notes, doubts },
        },
        text: [
          `${result.title}: ${result.complete ? "complete" : "not complete"}`,
          textTable([
            ["models", `${trained} of ${models.length} there`],
            ["attacks", tallyText(result)],
            ["under way", underWay.length === 0 ? "nothing" : underWay.join(", ")],
            ["left", finished.size === 0 ? "not known yet" : leftText(secondsLeft, unknown)],
          ]),
          ...(failures.length === 0 ? [] : [failuresText(failures)]),
          ...notes,
          ...doubtLines(doubts),
        ].join("\n\n"),
      };
    },
  });

function leftText(seconds: number, unknown: number): string {
  return `about ${clock(seconds)} of computing${unknown === 0 ? "" : `, and ${count(unknown)} cells of unknown time`}`;
}
