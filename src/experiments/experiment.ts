/**
 * @file What an experiment is to those who compute it: a plan of cells, and itself as plain data for other threads.
 */

import { type AuditAddress, planAudit } from "./audit-plan.js";
import { type AuditSpec, type PackedAudit, packAudit } from "./audit-spec.js";
import { type CellAddress, type PlannedCell, planCells } from "./plan.js";
import type { ReproduceSpec } from "./reproduce.js";
import { type PackedSpec, packSpec } from "./worker-messages.js";

export interface Experiment<Spec, Address> {
  readonly spec: Spec;
  /** Depends on the spec alone, so that a position means the same cell in every thread. */
  readonly plan: readonly PlannedCell<Address>[];
  readonly pack: () => PackedExperiment;
}

/** An experiment that can be sent to another thread. */
export type PackedExperiment =
  | { readonly kind: "reproduce"; readonly spec: PackedSpec }
  | { readonly kind: "audit"; readonly spec: PackedAudit };

export function reproduceExperiment(spec: ReproduceSpec): Experiment<ReproduceSpec, CellAddress> {
  return { spec, plan: planCells(spec), pack: () => ({ kind: "reproduce", spec: packSpec(spec) }) };
}

export function auditExperiment(spec: AuditSpec): Experiment<AuditSpec, AuditAddress> {
  return { spec, plan: planAudit(spec).cells, pack: () => ({ kind: "audit", spec: packAudit(spec) }) };
}
