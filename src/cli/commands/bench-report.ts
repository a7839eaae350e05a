/** @file wildmark bench report: the document and report of what is finished of a bench, drawn up at any time. */

import { z } from "zod";
import { benchDocument } from "../../experiments/bench.js";
import { benchFlags, benchPaths, lookAtBench, outcomeTable, tally, tallyText, writeBench } from "../bench.js";
import { type CommandFile, defineCommand } from "../command.js";
import { doubtsOf } from "../data.js";
import { newNetwork } from "../network.js";
import { requireFolder } from "../outputs.js";

export const command: CommandFile = () =>
  defineCommand({
    name: "bench report",
    description:
      "Draws up the result of what is finished of a bench, also while it runs and when it was stopped: result.json and " +
      "report.html say which cells are missing; cells.csv and table.tex are for other programs. Computes nothing, and needs no data.",
    arguments: [{ name: "SPEC|DIR", description: "the spec, or the folder of the bench" }],
    flags: z.object(benchFlags),
    common: { computes: true, loads: true },
    examples: [["wildmark bench report wildmark-bench-mnist", ""]],
    async run({ args: [path = ""], flags, progress, force, runtimeFor, typed }) {
      const { spec, out } = await lookAtBench(path, flags, { progress, force });
      await requireFolder(out);
      const runtime = await runtimeFor(newNetwork(spec));
      const result = await benchDocument(spec, { out, runtime, command: typed });
      const findings = await writeBench(out, result);
      const paths = benchPaths(out);
      return {
        document: {
          command: "bench report",
          out,
          ...paths,
          complete: result.complete,
          ...tally(result.cells),
          doubts: doubtsOf(result.data),
        },
        text: [
          findings.join("\n"),
          outcomeTable(result),
          `${tallyText(result.cells)}${result.complete ? "" : "; partial: run the bench for what is missing"}`,
          `Report: ${paths.report}\nResult: ${paths.result}`,
        ].join("\n\n"),
      };
    },
  });
