/** @file One cell of an audit: one attack on the marked model, measured from outside. A pure function of its spec. */

import type { z } from "zod";
import { encodeModel } from "../onnx/model.js";
import { saidPreprocessing } from "../onnx/preprocessing.js";
import { formatPValue } from "../ownership/verdict.js";
import type { AuditAddress } from "./audit-plan.js";
import { outcomeSchema } from "./audit-result.js";
import type { AuditSpec } from "./audit-spec.js";
import { slug } from "./cells.js";
import { isAtChance } from "../tasks/chance.js";
import type { EndedCell } from "./experiment.js";
import { cellFolder, type Workshop } from "./finish-cells.js";
import { computedBy } from "./machine.js";
import { removeMark } from "../tasks/remove-mark.js";
import type { RunOptions } from "../tasks/run-options.js";
import { type Cell, type FinishedCell, finishCell, sha256 } from "./store.js";

type Outcome = z.infer<typeof outcomeSchema>;

/** The addressed cell, finished in the audit's folder. */
export function finishAttack(workshop: Workshop<AuditSpec>, address: AuditAddress): Promise<FinishedCell<Outcome>> {
  return finishCell(cellFolder(workshop.out), attackCell(workshop.spec, address, workshop.run));
}

/** The same, and what is said of it. */
export async function finishAuditCell(
  workshop: Workshop<AuditSpec>,
  address: AuditAddress,
  alpha: number,
): Promise<EndedCell> {
  const { methods, budgets, seeds } = workshop.spec;
  const { result, computed } = await finishAttack(workshop, address);
  const name =
    `${at(methods, address.method).label} with ${percent(at(budgets, address.budget))}, ` +
    `seed ${at(seeds, address.seed)}`;
  return { line: `${name}: ${inWords(result, alpha)}`, computed };
}

function inWords({ measured, verdict, epochs }: Outcome, alpha: number): string {
  const drop = (epochs[0]?.measured?.accuracy ?? measured.accuracy) - measured.accuracy;
  return (
    `${verdict.pValue <= alpha ? "mark still shown" : "mark no longer shown"} (${formatPValue(verdict.pValue)}), ` +
    `retention ${percent(measured.retention)}, accuracy ${percent(measured.accuracy)} (${drop > 0 ? "−" : "+"}${Math.abs(100 * drop).toFixed(2)} points)`
  );
}

function percent(share: number): string {
  return `${Number((100 * share).toFixed(2))} %`;
}

/**
 * The verdict is kept at the default level; whoever reads it judges at a level of its own (`atLevel`). The cleaned model
 * is known by its hash only: `wildmark remove` with the same options makes it again.
 */
export function attackCell(spec: AuditSpec, address: AuditAddress, run: RunOptions): Cell<Outcome> {
  const { model, key, dataset, reactivation } = spec;
  const followed = reactivation === undefined ? {} : { reactivation };
  const method = at(spec.methods, address.method);
  const fraction = at(spec.budgets, address.budget);
  const seed = at(spec.seeds, address.seed);
  return {
    name: `attack-${slug(method.label)}-${fraction}-seed${seed}`,
    spec: {
      ...computedBy(run.runtime),
      dataset: dataset.sha256,
      of: {
        model: spec.modelSha256,
        preprocessing: JSON.stringify(saidPreprocessing(model.preprocessing) ?? {}),
        ...(Object.keys(model.head).length === 0 ? {} : { head: JSON.stringify(model.head) }),
        key: spec.keySha256,
      },
      fraction,
      seed,
      removal: { method: method.id, options: { ...method.options } },
      ...followed,
    },
    schema: outcomeSchema,
    async compute() {
      const cleaned = await removeMark({ model, dataset, method, fraction, seed, key, ...followed }, run);
      const correct = Math.round(cleaned.accuracyAfter * dataset.test.count);
      return {
        result: {
          epochs: [...cleaned.epochs],
          measured: cleaned.mark.after,
          verdict: cleaned.mark.verdict,
          atChance: isAtChance(correct, dataset.test),
          seconds: cleaned.seconds,
          ...(cleaned.mark.reactivated === undefined ? {} : { reactivated: cleaned.mark.reactivated }),
          modelSha256: sha256(encodeModel(cleaned.model)),
        },
        files: {},
      };
    },
  };
}

function at<T>(items: readonly T[], position: number): T {
  const item = items[position];
  if (item === undefined) throw new RangeError(`the audit has no entry ${position}`);
  return item;
}
