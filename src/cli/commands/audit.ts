/** @file wildmark audit: the owner's question, answered by every attack that applies. */

import { join } from "node:path";
import { z } from "zod";
import { WildmarkError } from "../../core/errors.js";
import { writeFileAtomic } from "../../core/files.js";
import { requireAuditable, runAudit } from "../../experiments/audit.js";
import { attackCell } from "../../experiments/audit-cell.js";
import { planAudit } from "../../experiments/audit-plan.js";
import type { AuditResult } from "../../experiments/audit-result.js";
import { type AuditSpec, auditSpec, DEFAULT_BUDGETS } from "../../experiments/audit-spec.js";
import { cellFolder } from "../../experiments/finish-cells.js";
import { compareAudit, readAudit } from "../../experiments/finished.js";
import { isFinished } from "../../experiments/store.js";
import { readKey } from "../../ownership/key.js";
import { formatPValue } from "../../ownership/verdict.js";
import { removalMethods } from "../../removal/registry.js";
import { type AuditSummary, type Square, stateWords, summariseAudit } from "../../report/audit/summary.js";
import { renderReport } from "../../report/report.js";
import type { RuntimeOptions } from "../../runtime/session.js";
import { type CommandFile, defineCommand, type Outcome } from "../command.js";
import { dataFlags, loadChosen } from "../data.js";
import { chosenJobs, jobsFlag } from "../jobs.js";
import { asReadFlag, modelFlags, openModel } from "../model.js";
import { count, exactPercent, percent, points, table } from "../output.js";
import { exists, requireFolder, requireWritable } from "../outputs.js";

const attacks = removalMethods.filter((method) => method.ignoresModel !== true).map(({ id }) => id);

const flags = z.object({
  key: z.string().meta({ description: "the owner's key; no attack sees it", placeholder: "FILE" }),
  ...dataFlags,
  budgets: z
    .array(z.number().gt(0).max(1))
    .min(1)
    .default([...DEFAULT_BUDGETS])
    .meta({ description: "the attacker's shares of the training images: 0.01,0.1 or 1%,10%", placeholder: "LIST" }),
  methods: z
    .array(z.string())
    .min(1)
    .default(attacks)
    .meta({ description: "attacks, each tried in all its variants", placeholder: "LIST" }),
  controls: z.boolean().default(true).describe("leave out training from scratch, against which attacks are measured"),
  reactivation: z
    .boolean()
    .default(true)
    .describe("do not follow removals up: whether 200 steps of tuning on clean training images bring the mark back"),
  seeds: z
    .int()
    .min(1)
    .max(1000)
    .default(1)
    .meta({ description: "repetitions: seeds --seed, --seed + 1, …", placeholder: "N" }),
  epochs: z
    .int()
    .min(1)
    .optional()
    .meta({ description: "epochs of every attack (default: each method's own)", placeholder: "N" }),
  alpha: z.number().gt(0).lt(1).default(0.05).describe("significance level of the verdicts"),
  ...jobsFlag,
  dryRun: z.boolean().default(false).describe("list the cells and their work, run nothing"),
  out: z
    .string()
    .default("wildmark-audit")
    .meta({ description: "folder for cells, result.json and report.html", placeholder: "DIR" }),
  ...modelFlags,
  ...asReadFlag,
});

export const command: CommandFile = () =>
  defineCommand({
    name: "audit",
    description:
      "Runs every removal method that applies against your marked model, with each share of the training data, and says which " +
      "break the mark, at what cost in accuracy, and how sure that is. Writes result.json and report.html. Stopped at any " +
      "moment, the same command goes on; more budgets, seeds or methods in the same folder reuse what is finished.",
    arguments: [{ name: "MARKED.onnx", description: "the marked model" }],
    flags,
    resumes: true,
    common: { random: true, computes: "trains", writes: true },
    examples: [
      ["wildmark audit marked.onnx --key mark.safetensors --dataset digits", "then open wildmark-audit/report.html"],
      ["wildmark audit marked.onnx --key mark.safetensors --dataset digits --budgets 0.01,0.1 --seeds 5", ""],
      ["wildmark audit marked.onnx --key mark.safetensors --dataset digits --dry-run", "what would be run"],
    ],
    async run(call) {
      const {
        args: [path = ""],
        flags: { key: keyPath, out, dryRun, alpha, ...chosen },
        progress,
        seed,
        force,
      } = call;
      const { budgets, methods, controls, reactivation, epochs, jobs, asRead } = chosen;
      const names = { model: path, key: keyPath };
      const model = await openModel(path, chosen, progress);
      const key = await readKey(keyPath);
      const dataset = await loadChosen(chosen, call);
      requireAuditable({ model, key, dataset }, names);
      const seeds = Array.from({ length: chosen.seeds }, (_, i) => seed + i);
      const more = epochs === undefined ? {} : { epochs };
      const spec = auditSpec({ model, key, dataset, methods, controls, budgets, seeds, reactivation, ...more });
      const runtime = await call.runtimeFor({ model, shape: key.shape, classes: key.classes });
      if (dryRun) return listed(spec, out, runtime);

      await requireFolder(out);
      const paths = { result: join(out, "result.json"), report: join(out, "report.html") };
      const earlier = await earlierAudit(paths, spec, { alpha, runtime, force });
      if (earlier !== undefined) progress.note(`${out} holds this audit already; only the report is drawn again`);
      const options = { runtime, progress, signal: call.signal, command: call.typed, names, alpha, force, asRead };
      const audit =
        earlier ?? (await runAudit(spec, { ...options, readingWords: "flags", out, jobs: chosenJobs(jobs, runtime) }));
      if (earlier === undefined) {
        await writeFileAtomic(paths.result, Buffer.from(`${JSON.stringify(audit, undefined, 1)}\n`), { force: true });
      }
      await writeFileAtomic(paths.report, Buffer.from(renderReport(audit)), { force: true });
      const summary = summariseAudit(audit);
      return {
        document: { command: "audit", out, ...paths, computed: earlier === undefined, ...withoutRuns(summary) },
        text: [
          summary.headline,
          finalTable(audit, summary),
          ...summary.warnings.map((text) => `Warning: ${text}`),
          `${summary.sureness}\n\nNext:\n${summary.next.map((text) => `  - ${text}`).join("\n")}`,
          `Report: ${paths.report}\nResult: ${paths.result}`,
        ].join("\n\n"),
      };
    },
  });

/** The document in the folder when it is this very audit with nothing left to try again. */
async function earlierAudit(
  paths: { readonly result: string; readonly report: string },
  spec: AuditSpec,
  { alpha, runtime, force }: { readonly alpha: number; readonly runtime: RuntimeOptions; readonly force: boolean },
): Promise<AuditResult | undefined> {
  if (!(await exists(paths.result))) {
    if (!force && (await exists(paths.report))) await requireWritable(paths.report, false);
    return undefined;
  }
  const found = await readAudit(paths.result).catch((error) => (force ? undefined : Promise.reject(error)));
  if (found === undefined) return undefined;
  const failed = found.cells.some((cell) => cell.status === "failed" && cell.mayPass);
  switch (compareAudit(found, spec, { alpha, runtime })) {
    case "same":
      return failed ? undefined : found;
    case "another":
      return undefined;
    case "other":
      if (force) return undefined;
      throw new WildmarkError("cannot-write", `${paths.result} is the audit of another model, key or data set.`, {
        hint: "Choose another folder with --out, or pass --force to replace it.",
      });
  }
}

/** What would be run. */
async function listed(spec: AuditSpec, out: string, runtime: RuntimeOptions): Promise<Outcome> {
  const { cells, skipped } = planAudit(spec);
  const finished = await Promise.all(
    cells.map(({ address }) => isFinished(cellFolder(out), attackCell(spec, address, { runtime }))),
  );
  const which = ({ method, budget, seed }: (typeof cells)[number]["address"]) => ({
    attack: spec.methods[method]?.label ?? "",
    fraction: spec.budgets[budget] ?? 0,
    seed: spec.seeds[seed] ?? 0,
  });
  const plan = cells.map(({ address, images, steps }, i) => {
    return { ...which(address), images, steps, finished: finished[i] ?? false };
  });
  const left = plan.filter((cell) => !cell.finished).reduce((sum, { steps }) => sum + steps, 0);
  const rows = plan.map(({ attack, fraction, images, seed, steps, finished: done }) => {
    return [attack, exactPercent(fraction), count(images), String(seed), count(steps), done ? "finished" : ""];
  });
  const notTried = skipped.map(({ address, reason }) => ({ ...which(address), reason }));
  return {
    document: { command: "audit", dryRun: true, cells: plan, skipped: notTried, stepsLeft: left },
    text: [
      table(rows, ["attack", "data", "images", "seed", "steps", ""]),
      ...(notTried.length === 0
        ? []
        : [
            table(
              notTried.map((cell) => [
                cell.attack,
                exactPercent(cell.fraction),
                `seed ${cell.seed}`,
                `skipped: ${cell.reason}`,
              ]),
            ),
          ]),
      `${plan.length} cells, ${finished.filter(Boolean).length} finished; ${count(left)} training steps left, and after each epoch ` +
        `${count(spec.dataset.test.count + spec.key.triggers.count)} images to answer.`,
    ].join("\n\n"),
  };
}

function finalTable({ budgets }: AuditResult, { lines }: AuditSummary): string {
  const rows = lines.flatMap((line) =>
    line.squares.map((square) => [
      line.control ? `${line.title} (control)` : line.title,
      exactPercent(square.fraction),
      ...numbers(square),
      line.control ? "" : stateWords(square),
    ]),
  );
  const ordered = budgets.flatMap((fraction) => rows.filter((row) => row[1] === exactPercent(fraction)));
  return table(ordered, ["attack", "data", "images", "retention", "points", "p-value", ""]);
}

function numbers({ found }: Square): string[] {
  if (found === undefined) return ["", "", "", ""];
  const [low, high] = found.pValues.map((p) => formatPValue(p).replace(/^p (= )?/, ""));
  const p = low === high ? (low ?? "") : `${low} to ${high}`;
  return [count(found.images), percent(found.retention), points(-found.drop), p];
}

/** The summary as a document: the runs stand in result.json. */
function withoutRuns({ lines, ...summary }: AuditSummary) {
  return {
    ...summary,
    attacks: lines.map(({ title, control, squares }) => ({
      title,
      control,
      budgets: squares.map(({ runs, attack: _, ...square }) => ({ ...square, seeds: runs.length })),
    })),
  };
}
