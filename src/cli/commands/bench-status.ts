/** @file wildmark bench status: how far a bench is. */

import { z } from "zod";
import { benchDocument, failureReasons, foreignCells } from "../../experiments/bench.js";
import { planBench } from "../../experiments/bench-plan.js";
import { cellsUnderWay, estimateCells, finishedSeconds } from "../../experiments/bench-progress.js";
import { cellRuntime } from "../../experiments/run-cells.js";
import { benchFlags, failuresText, lookAtBench, tally, tallyText } from "../bench.js";
import { type CommandFile, defineCommand } from "../command.js";
import { doubtLines, doubtsOf } from "../data.js";
import { newNetwork } from "../network.js";
import { count, table } from "../output.js";
import { clock } from "../progress.js";

export const command: CommandFile = () =>
  defineCommand({
    name: "bench status",
    description:
      "How far a bench is: also while it runs, and when it was stopped. Computes and writes nothing, and needs no data.",
    arguments: [{ name: "SPEC|DIR", description: "the spec, or the folder of the bench" }],
    flags: z.object(benchFlags),
    common: { computes: true, loads: true },
    examples: [["wildmark bench status wildmark-bench-mnist", ""]],
    async run({ args: [path = ""], flags, progress, force, runtimeFor }) {
      const { spec, out } = await lookAtBench(path, flags, { progress, force });
      const plan = planBench(spec);
      const runtime = await runtimeFor(newNetwork(spec));
      const workshop = { spec, out, run: { runtime: cellRuntime(runtime) } };
      const result = await benchDocument(spec, { out, runtime });
      const finished = await finishedSeconds(workshop, plan);
      const estimates = [...estimateCells(spec, plan, finished, undefined).values()];
      const secondsLeft = estimates.reduce((sum, { seconds = 0 }) => sum + seconds, 0);
      const unknown = estimates.filter(({ seconds }) => seconds === undefined).length;
      const underWay = await cellsUnderWay(out);
      const models = [...result.unmarked, ...result.owners];
      const failures = await failureReasons(spec, out, result);
      const counts = tally(result.cells);
      const notes = await foreignCells(out);
      return {
        document: {
          command: "bench status",
          out,
          complete: result.complete,
          ...counts,
          models: { all: models.length, done: models.filter(({ status }) => status === "done").length },
          underWay,
          secondsLeft,
          cellsOfUnknownTime: unknown,
          failures,
          notes,
          doubts: doubtsOf(spec.dataset, spec.unrelated, spec.abstract),
        },
        text: [
          `${result.title}: ${result.complete ? "complete" : "not complete"}`,
          table([
            ["models", `${models.filter(({ status }) => status === "done").length} of ${models.length} trained`],
            ["attacks", tallyText(result.cells)],
            ["under way", underWay.length === 0 ? "nothing" : underWay.join(", ")],
            ["left", finished.size === 0 ? "not known yet" : leftText(secondsLeft, unknown)],
          ]),
          ...[failuresText(failures)].filter((part) => part !== ""),
          ...notes,
          ...doubtLines(doubtsOf(spec.dataset, spec.unrelated, spec.abstract)),
        ].join("\n\n"),
      };
    },
  });

function leftText(seconds: number, unknown: number): string {
  return `about ${clock(seconds)} of computing${unknown === 0 ? "" : `, and ${count(unknown)} cells of unknown time`}`;
}
