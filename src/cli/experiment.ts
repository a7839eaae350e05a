/** @file An experiment in its folder: run or taken up again, then written down as result.json and report.html. */

import { join } from "node:path";
import { WildmarkError } from "../core/errors.js";
import { writeFileAtomic } from "../core/files.js";
import { isResultOf, readResult } from "../experiments/finished.js";
import { attackerSubset } from "../tasks/attacker-images.js";
import { type ReproduceOptions, type ReproduceSpec, reproduce } from "../experiments/reproduce.js";
import type { Result } from "../experiments/result.js";
import { renderReport } from "../report/report.js";
import { answer, type MarkSummary, summarise } from "../report/summary.js";
import type { RuntimeOptions } from "../runtime/session.js";
import type { Call, Outcome } from "./command.js";
import { doubtLines } from "./data.js";
import { chosenJobs } from "./jobs.js";
import { newNetwork } from "./network.js";
import { percent, points, table } from "./output.js";
import { exists, requireFolder, requireWritable } from "./outputs.js";

/**
 * Runs what is not finished of the experiment and writes its result and report into `out`.
 *
 * @throws WildmarkError `cannot-write` when `out` holds another experiment's result (without force).
 */
export async function runExperiment(
  name: string,
  spec: ReproduceSpec,
  out: string,
  call: Call<{ readonly jobs?: number | undefined }>,
): Promise<Outcome> {
  const { progress } = call;
  const { dataset, fraction } = spec;
  for (const seed of spec.seeds) attackerSubset({ dataset, fraction, seed });
  await requireFolder(out);
  const paths = { result: join(out, "result.json"), report: join(out, "report.html") };
  const runtime = await call.runtimeFor(newNetwork(spec));
  const earlier = await earlierResult(paths, spec, { force: call.force, runtime });
  if (earlier !== undefined) progress.note(`${out} holds this result already; only the report is drawn again`);
  const result = earlier ?? (await reproduce(spec, experimentOptions(call, out, runtime)));

  if (earlier === undefined) {
    await writeFileAtomic(paths.result, Buffer.from(`${JSON.stringify(result, undefined, 1)}\n`), { force: true });
  }
  await writeFileAtomic(paths.report, Buffer.from(renderReport(result)), { force: true });
  const marks = summarise(result);
  return {
    document: {
      ...{ command: name, out, ...paths, computed: earlier === undefined, seconds: result.seconds, marks },
      doubts: result.data.doubts ?? [],
    },
    text: [
      findings(marks, result),
      ...doubtLines(result.data.doubts ?? []),
      `Report: ${paths.report}\nResult: ${paths.result}`,
    ].join("\n\n"),
  };
}

function experimentOptions(
  call: Call<{ readonly jobs?: number | undefined }>,
  out: string,
  runtime: RuntimeOptions,
): ReproduceOptions {
  const { progress, signal, typed: command } = call;
  return { runtime, progress, signal, out, command, jobs: chosenJobs(call.flags.jobs, runtime) };
}

/** The result in `out` when it is this experiment's; undefined where there is none, or it may be replaced. */
async function earlierResult(
  paths: { readonly result: string; readonly report: string },
  spec: ReproduceSpec,
  { force, runtime }: { readonly force: boolean; readonly runtime: RuntimeOptions },
): Promise<Result | undefined> {
  if (await exists(paths.result)) {
    const found = await readResult(paths.result).catch((error) => (force ? undefined : Promise.reject(error)));
    if (found !== undefined && isResultOf(found, spec, runtime)) return found;
    if (force) return undefined;
    throw new WildmarkError("cannot-write", `${paths.result} is the result of another experiment.`, {
      hint: "Choose another folder with --out, or pass --force to replace it.",
    });
  }
  if (!force && (await exists(paths.report))) await requireWritable(paths.report, false);
  return undefined;
}

/** One line for each mark: does it survive, and what did the strongest attack leave? */
function findings(marks: readonly MarkSummary[], { attacker }: Result): string {
  const rows = marks.map(({ id, fate, retentionBefore, strongest }) => [
    `${id} mark`,
    fate === "never-shown" ? "not shown even before" : `survives: ${answer(fate).toLowerCase()}`,
    strongest === undefined
      ? "not attacked"
      : `${strongest.title} leaves ${percent(strongest.retention)} of ${percent(retentionBefore)} retention, ` +
        `accuracy ${points(-strongest.drop)} points`,
  ]);
  return `With ${percent(attacker.fraction)} of the training data (${attacker.images} images):\n${table(rows)}`;
}
