/**
 * @file The owner's question: which attacks break this mark, at what cost, with how much data, and how sure is that?
 *
 * Every attack starts from the same marked model with the attacker's view only; accuracy, retention and the verdict of
 * the key are measured from outside. What is finished in the folder is not computed again.
 */

import { mkdir } from "node:fs/promises";
import { performance } from "node:perf_hooks";
import { type ErrorCode, WildmarkError } from "../core/errors.js";
import { elementCount } from "../core/tensor.js";
import { requireFit } from "../data/fit.js";
import { storedTensors } from "../onnx/traverse.js";
import { atLevel, formatPValue } from "../ownership/verdict.js";
import { verifyModel } from "../ownership/verify-model.js";
import { removalMethods } from "../removal/registry.js";
import { ACCEPTABLE_DROP } from "../tasks/acceptable-drop.js";
import { finishAttack } from "./audit-cell.js";
import { planAudit } from "./audit-plan.js";
import type { AuditCellResult, AuditResult } from "./audit-result.js";
import { type AuditChoices, type AuditSpec, auditSpec } from "./audit-spec.js";
import { isAtChance } from "../tasks/chance.js";
import { auditExperiment } from "./experiment.js";
import { dataSummary, thisMachine, thisSoftware } from "./machine.js";
import { measure, yardstickOf } from "../tasks/measure.js";
import { type ReadingWords, settleReading } from "../tasks/reading.js";
import { RESULT_FORMAT, RESULT_VERSION } from "./result.js";
import { type CellsOptions, cellRuntime, cellThreads, runCells } from "./run-cells.js";

export interface AuditOptions extends CellsOptions {
  /** The command line that does this again, for the document. */
  readonly command?: string;
  /** What the document calls model and key: their paths. */
  readonly names?: { readonly model: string; readonly key: string };
  /** Significance level of the verdicts in (0, 1), 0.05 by default. */
  readonly alpha?: number;
  /** Whether to go on although the mark is not shown before any attack; default false. */
  readonly force?: boolean;
  /** Whether to take the model as it is read, although another reading fits the data clearly better; default false. */
  readonly asRead?: boolean;
  /** How a hint says a reading; default as a call does. */
  readonly readingWords?: ReadingWords;
}

/**
 * Attacks one marked model in every way chosen and gathers what became of the mark.
 *
 * A cell that cannot be tried (too little data for every class, a model that the method cannot work on) is skipped and one that fails is reported as failed; the
 * others go on.
 *
 * @throws WildmarkError `usage` for budgets, methods or levels that cannot be; `bad-model`, `bad-data` and `bad-key` where model,
 *   data and key do not belong together, `usage` where the model is plainly read otherwise than it was trained, unless
 *   `asRead`; `bad-key` when the mark is not shown to begin with, unless forced; `interrupted`.
 */
export async function audit(choices: AuditChoices, options: AuditOptions): Promise<AuditResult> {
  return runAudit(auditSpec(choices), options);
}

/** The same for a spec that is already settled. */
export async function runAudit(spec: AuditSpec, options: AuditOptions): Promise<AuditResult> {
  const started = new Date();
  const start = performance.now();
  const { key, dataset, methods, budgets, seeds } = spec;
  const { alpha = 0.05, command = "", jobs = 1, runtime, names = { model: "the model", key: "the key" } } = options;
  requireAuditable(spec, names);
  const { asRead = false, readingWords = "call", progress } = options;
  const settling = { where: names.model, asRead, words: readingWords, runtime, progress };
  await settleReading(spec.model, dataset.test, settling);
  const before = await lookBefore(spec, alpha, options);
  if (!before.verdict.owned && options.force !== true) throw nothingToAudit(before.verdict, names.model);
  await mkdir(options.out, { recursive: true });
  const cells = await attackAll(spec, { ...options, alpha });

  return {
    format: RESULT_FORMAT,
    version: RESULT_VERSION,
    kind: "audit",
    title: `The ${key.scheme} mark of ${names.model}`,
    command,
    started: started.toISOString(),
    finished: new Date().toISOString(),
    seconds: (performance.now() - start) / 1000,
    software: thisSoftware(),
    machine: thisMachine(runtime ?? {}, jobs * cellThreads(runtime)),
    data: dataSummary({ dataset }),
    model: { name: names.model, sha256: spec.modelSha256, parameters: weightsOf(spec) },
    key: {
      name: names.key,
      sha256: spec.keySha256,
      scheme: key.scheme,
      triggers: key.triggers.count,
      heldOutTriggers: key.heldOut?.count ?? 0,
      madeForThisModel: key.modelSha256 === spec.modelSha256,
    },
    before,
    alpha,
    acceptableDrop: ACCEPTABLE_DROP,
    reactivation: spec.reactivation ?? null,
    budgets: [...budgets],
    seeds: [...seeds],
    attacks: methods.map(({ id, label, ignoresModel, options: run }) => {
      const { summary = "", paper = "" } = removalMethods.find((method) => method.id === id) ?? {};
      return { method: id, title: label, summary, paper, control: ignoresModel, options: { ...run } };
    }),
    cells,
  };
}

/** Number of weights and constants that the model's file holds. */
function weightsOf({ model: { graph } }: AuditSpec): number {
  let count = 0;
  for (const tensor of storedTensors(graph).values()) if (tensor.type === "float32") count += elementCount(tensor.dims);
  return count;
}

/** @throws WildmarkError where model, key and data do not belong together: before anything long is begun. */
export function requireAuditable(
  { model, key, dataset }: Pick<AuditSpec, "model" | "key" | "dataset">,
  names: { readonly model: string; readonly key: string },
): void {
  const { shape, classes } = dataset.train;
  const what = names.key === "the key" ? names.key : `the key ${names.key}`;
  requireFit(model, names.model, { what, shape: key.shape, classes: key.classes, code: "bad-key" });
  requireFit(model, names.model, { what: `the images of ${dataset.id}`, shape, classes });
}

async function lookBefore({ model, key, dataset }: AuditSpec, alpha: number, { runtime }: AuditOptions) {
  const measured = await measure(model, yardstickOf(key, dataset.test), runtime);
  const atChance = isAtChance(Math.round(measured.accuracy * dataset.test.count), dataset.test);
  const asked = { alpha, madeHere: true, ...(runtime === undefined ? {} : { runtime }) };
  return { measured, atChance, verdict: await verifyModel(model, key, asked) };
}

function nothingToAudit({ matches, n, pValue, alpha }: AuditResult["before"]["verdict"], name: string): WildmarkError {
  return new WildmarkError(
    "bad-key",
    `Nothing to audit: ${name} does not show the key's mark before any attack (${matches} of ${n} triggers, ` +
      `${formatPValue(pValue)}, significance level ${alpha}).`,
    { hint: "Check that model and key belong together, or embed the mark longer; --force audits all the same." },
  );
}

/** All cells in the order of attacks, budgets and seeds. */
async function attackAll(
  spec: AuditSpec,
  options: AuditOptions & { readonly alpha: number },
): Promise<AuditCellResult[]> {
  const { methods, budgets, seeds } = spec;
  const { cells, skipped } = planAudit(spec);
  const which = ({ method, budget, seed }: (typeof cells)[number]["address"]) => ({
    attack: method,
    fraction: budgets[budget] ?? 0,
    seed: seeds[seed] ?? 0,
  });
  for (const { address, reason } of skipped) {
    const { attack, fraction, seed } = which(address);
    options.progress?.note(`skipped: ${methods[attack]?.label} with ${percent(fraction)}, seed ${seed}: ${reason}`);
  }
  const failures = await runCells(auditExperiment(spec, options.alpha), options, { goOn: true });
  const workshop = { spec, out: options.out, run: { runtime: cellRuntime(options.runtime) } };
  const all: AuditCellResult[] = skipped.map(({ address, reason }) => ({
    status: "skipped",
    ...which(address),
    reason,
  }));
  for (const { address, position, images } of cells) {
    const cell = { ...which(address), images };
    const failure = failures.get(position);
    if (failure !== undefined) {
      all.push(unfinished(failure, which(address), images));
      continue;
    }
    const { verdict, reactivated, ...outcome } = (await finishAttack(workshop, address)).result;
    const again =
      reactivated === undefined
        ? {}
        : { reactivated: { ...reactivated, verdict: atLevel(reactivated.verdict, options.alpha) } };
    all.push({ status: "done", ...cell, ...outcome, verdict: atLevel(verdict, options.alpha), ...again });
  }
  return all.sort(
    (a, b) => a.attack - b.attack || a.fraction - b.fraction || seeds.indexOf(a.seed) - seeds.indexOf(b.seed),
  );
}

/** What is not of this kind of model, or of this much data, can never be tried; a training that diverges does so again. */
function unfinished(
  failure: Error,
  which: Pick<AuditCellResult, "attack" | "fraction" | "seed">,
  images: number,
): AuditCellResult {
  const code = failure instanceof WildmarkError ? failure.code : undefined;
  if (code !== undefined && CANNOT_BE_TRIED.has(code)) return { status: "skipped", ...which, reason: failure.message };
  return { status: "failed", ...which, images, reason: failure.message, mayPass: code !== "numeric" };
}

const CANNOT_BE_TRIED: ReadonlySet<ErrorCode> = new Set([
  ...(["usage", "bad-model", "unsupported-operator"] as const),
  ...(["bad-data", "bad-key"] as const),
]);

function percent(share: number): string {
  return `${Number((100 * share).toFixed(2))} %`;
}
