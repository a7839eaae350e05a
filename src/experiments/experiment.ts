/**
 * @file What an experiment is to those who compute it: a plan of cells, how one is finished, and itself as plain data for
 * other processes.
 */

import { finishAuditCell } from "./audit-cell.js";
import { type AuditAddress, planAudit } from "./audit-plan.js";
import { type AuditSpec, type PackedAudit, packAudit, unpackAudit } from "./audit-spec.js";
import { finishBenchCell } from "./bench-cells.js";
import type { BenchAddress, BenchPlan } from "./bench-plan.js";
import { type BenchSpec, type PackedBench, packBench, unpackBench } from "./bench-spec.js";
import { finishAddressed } from "./finish-cells.js";
import { type PackedSpec, packSpec, unpackSpec } from "./packed.js";
import { type CellAddress, type PlannedCell, type PlannedWork, planCells } from "./plan.js";
import type { ReproduceSpec } from "./reproduce.js";
import type { RunOptions } from "../tasks/run-options.js";

/** A cell that has been finished. */
export interface EndedCell {
  /** What is said of its result. */
  readonly line: string;
  /** False when it was found finished. */
  readonly computed: boolean;
}

/** Finishes the cell at a position of the plan in the experiment's folder `out`. */
export type FinishAt = (position: number, out: string, run: RunOptions) => Promise<EndedCell>;

export interface Experiment {
  readonly plan: readonly PlannedWork[];
  readonly finishAt: FinishAt;
  readonly pack: () => PackedExperiment;
}

/** An experiment that can be sent to another process; the addresses are those of its plan, in its order. */
export type PackedExperiment =
  | { readonly kind: "reproduce"; readonly spec: PackedSpec; readonly addresses: readonly CellAddress[] }
  | {
      readonly kind: "audit";
      readonly spec: PackedAudit;
      readonly alpha: number;
      readonly addresses: readonly AuditAddress[];
    }
  | { readonly kind: "bench"; readonly spec: PackedBench; readonly addresses: readonly BenchAddress[] };

export function reproduceExperiment(spec: ReproduceSpec): Experiment {
  const plan = planCells(spec);
  const addresses = addressesOf(plan);
  return {
    plan,
    finishAt: finishReproduce(spec, addresses),
    pack: () => ({ kind: "reproduce", spec: packSpec(spec), addresses }),
  };
}

/** @param alpha the level at which lines speak of a mark as shown. */
export function auditExperiment(spec: AuditSpec, alpha: number): Experiment {
  const plan = planAudit(spec).cells;
  const addresses = addressesOf(plan);
  return {
    plan,
    finishAt: finishAudit(spec, alpha, addresses),
    pack: () => ({ kind: "audit", spec: packAudit(spec), alpha, addresses }),
  };
}

export function benchExperiment(spec: BenchSpec, { cells }: BenchPlan): Experiment {
  const addresses = addressesOf(cells);
  return {
    plan: cells,
    finishAt: finishBench(spec, addresses),
    pack: () => ({ kind: "bench", spec: packBench(spec), addresses }),
  };
}

/**
 * The experiment in the process that it was sent to.
 *
 * @throws WildmarkError `usage` where a record is not in its registry.
 */
export function unpackExperiment(packed: PackedExperiment): FinishAt {
  switch (packed.kind) {
    case "reproduce":
      return finishReproduce(unpackSpec(packed.spec), packed.addresses);
    case "audit":
      return finishAudit(unpackAudit(packed.spec), packed.alpha, packed.addresses);
    case "bench":
      return finishBench(unpackBench(packed.spec), packed.addresses);
  }
}

function finishReproduce(spec: ReproduceSpec, addresses: readonly CellAddress[]): FinishAt {
  return (position, out, run) => finishAddressed({ spec, out, run }, at(addresses, position));
}

function finishAudit(spec: AuditSpec, alpha: number, addresses: readonly AuditAddress[]): FinishAt {
  return (position, out, run) => finishAuditCell({ spec, out, run }, at(addresses, position), alpha);
}

function finishBench(spec: BenchSpec, addresses: readonly BenchAddress[]): FinishAt {
  return (position, out, run) => finishBenchCell({ spec, out, run }, at(addresses, position));
}

function addressesOf<Address>(plan: readonly PlannedCell<Address>[]): Address[] {
  return plan.map(({ address }) => address);
}

function at<T>(items: readonly T[], position: number): T {
  const item = items[position];
  if (item === undefined) throw new RangeError(`the plan has no cell ${position}`);
  return item;
}
