/** @file wildmark bench: marks × removers × budgets × seeds, as a file says. */

import { z } from "zod";
import { WildmarkError } from "../../core/errors.js";
import { failureReasons, runBench, type Shard } from "../../experiments/bench.js";
import { planBench, shardOf } from "../../experiments/bench-plan.js";
import { calibrate, type Estimate, estimateCells, finishedSeconds } from "../../experiments/bench-progress.js";
import { readBench } from "../../experiments/finished.js";
import { cellRuntime } from "../../experiments/run-cells.js";
import {
  benchFlags,
  benchPaths,
  keepSpec,
  failuresText,
  type OpenBench,
  openBench,
  outcomeTable,
  parseShard,
  tally,
  tallyText,
  writeBench,
} from "../bench.js";
import { type Call, type CommandFile, defineCommand, type Outcome } from "../command.js";
import { doubtsOf } from "../data.js";
import { chosenJobs, jobsFlag } from "../jobs.js";
import { newNetwork } from "../network.js";
import { count, table } from "../output.js";
import { exists, requireFolder } from "../outputs.js";
import { clock } from "../progress.js";

const flags = z.object({
  ...benchFlags,
  ...jobsFlag,
  shard: z
    .string()
    .regex(/^\d{1,4}\/\d{1,4}$/, "expected a part and their number, such as 2/3")
    .optional()
    .meta({ description: "compute only part I of N, on this machine; other parts elsewhere", placeholder: "I/N" }),
  dryRun: z.boolean().default(false).describe("list the cells and how long they may take, run nothing"),
});

type BenchCall = Call<z.infer<typeof flags>>;

export const command: CommandFile = () =>
  defineCommand({
    name: "bench",
    description:
      "Sets removers against marks: every mark under every remover, with every share of the data and every seed, as a YAML file " +
      "says (docs/bench.md). Marked models are trained once and shared. Every cell is kept as soon as it is finished: stopped or killed " +
      "at any moment, the same command goes on, and several may work in one folder. Exit status 1 where cells failed.",
    arguments: [
      { name: "SPEC.yaml", description: "marks, removers, budgets, seeds; or a folder where a bench was run" },
    ],
    flags,
    resumes: true,
    common: { computes: "trains", writes: true },
    examples: [
      ["wildmark bench bench-specs/digits.yaml", "built-in digits; a minute or two"],
      ["wildmark bench bench-specs/mnist.yaml --dry-run", "how many cells, how long"],
      ["wildmark bench bench-specs/mnist.yaml --jobs 8 --shard 1/3", "a third of it on this machine"],
      ["wildmark bench status wildmark-bench-mnist", "how far it is, at any time"],
      ["wildmark bench report wildmark-bench-mnist", "what is known so far"],
    ],
    async run(call) {
      const {
        args: [path = ""],
        flags: chosen,
        progress,
        signal,
        typed,
        force,
      } = call;
      const shard = chosen.shard === undefined ? undefined : parseShard(chosen.shard);
      const bench = await openBench(path, chosen, call);
      if (chosen.dryRun) return listed(bench, shard, call);

      const { spec, out } = bench;
      await requireFolder(out);
      if (!force) await requireSameSubject(bench);
      await keepSpec(bench);
      const runtime = await call.runtimeFor(newNetwork(spec));
      const jobs = chosenJobs(chosen.jobs, runtime);
      const options = { runtime, progress, signal, out, command: typed, jobs };
      const result = await runBench(spec, { ...options, ...(shard === undefined ? {} : { shard }) });
      const findings = await writeBench(out, result);
      const paths = benchPaths(out);
      const failures = await failureReasons(spec, out, result);
      return {
        failed: failures.length > 0,
        document: {
          command: "bench",
          out,
          ...paths,
          complete: result.complete,
          ...tally(result.cells),
          doubts: doubtsOf(result.data),
        },
        text: [
          findings.join("\n"),
          outcomeTable(result),
          ...[failuresText(failures)].filter((part) => part !== ""),
          `${tallyText(result.cells)}${result.complete ? "" : "; the same command goes on with what is missing"}`,
          `Report: ${paths.report}\nResult: ${paths.result}`,
        ].join("\n\n"),
      };
    },
  });

/** @throws WildmarkError `cannot-write` where the folder holds the result of a bench on other data. */
async function requireSameSubject({ spec, out }: OpenBench): Promise<void> {
  const path = benchPaths(out).result;
  if (!(await exists(path))) return;
  const { data, architecture } = await readBench(path);
  if (data.sha256 === spec.dataset.sha256 && architecture.id === spec.architecture.id) return;
  throw new WildmarkError(
    "cannot-write",
    `${path} is the result of a bench of ${architecture.id} on ${data.id}${data.id === spec.dataset.id ? " (other images)" : ""}.`,
    { hint: "Choose another folder with --out, or pass --force to replace it; finished cells are kept in any case." },
  );
}

/** What would be run. */
async function listed(bench: OpenBench, shard: Shard | undefined, call: BenchCall): Promise<Outcome> {
  const { spec, out } = bench;
  const { flags: chosen } = call;
  const runtime = await call.runtimeFor(newNetwork(spec));
  const plan = planBench(spec);
  const workshop = { spec, out, run: { runtime: cellRuntime(runtime) } };
  const finished = await finishedSeconds(workshop, plan);
  const pace = finished.size === 0 ? await calibrate(workshop) : undefined;
  const estimates = estimateCells(spec, plan, finished, pace);
  const cells = shard === undefined ? plan.cells : shardOf(plan.cells, shard.index, shard.count);
  const rows = cells.map(({ what, steps, position }) => {
    const estimate = estimates.get(position);
    return { what, steps, finished: finished.has(position), seconds: estimate?.seconds, grounds: estimate?.grounds };
  });
  const left = rows.filter((row) => !row.finished);
  const seconds = left.reduce((sum, row) => sum + (row.seconds ?? 0), 0);
  const unknown = left.filter((row) => row.seconds === undefined).length;
  const jobs = chosenJobs(chosen.jobs, runtime);
  return {
    document: {
      command: "bench",
      dryRun: true,
      cells: rows,
      skipped: plan.skipped.length,
      secondsLeft: seconds,
      cellsOfUnknownTime: unknown,
      jobs,
    },
    text: [
      table(
        rows.map((row) => [row.what, count(row.steps), row.finished ? "finished" : inWords(row)]),
        ["cell", "steps", "time"],
      ),
      `${count(rows.length)} cells, ${count(rows.length - left.length)} finished, ${count(plan.skipped.length)} that cannot be tried. ` +
        `Left: about ${clock(seconds)} of computing, with ${jobs} side by side ${clock(seconds / jobs)}` +
        `${unknown === 0 ? "" : `, and ${count(unknown)} cells of unknown time`}. ${groundsOf(left)}`,
    ].join("\n\n"),
  };
}

function inWords({ seconds }: { readonly seconds: number | undefined }): string {
  return seconds === undefined ? "unknown" : clock(seconds);
}

/** What the estimates rest on. */
function groundsOf(rows: readonly { readonly grounds: Estimate["grounds"] | undefined }[]): string {
  const words: Readonly<Record<Estimate["grounds"], string>> = {
    "same kind": "finished cells of the same kind",
    pace: "the pace of other finished cells",
    calibration: "a few steps tried just now",
    unknown: "nothing, because the method does not say how many steps it takes",
  };
  const used = [...new Set(rows.map(({ grounds }) => grounds))].filter((grounds) => grounds !== undefined);
  return used.length === 0 ? "" : `Estimated from ${used.map((grounds) => words[grounds]).join("; ")}.`;
}
