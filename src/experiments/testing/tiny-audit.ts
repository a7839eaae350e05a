/** @file A marked tiny model with its key, and audits of it that take a moment. */

import { findMark } from "../../watermarks/registry.js";
import type { AuditCall } from "../../api.js";
import { markModel } from "../../tasks/mark-model.js";
import { tinySpec } from "./tiny.js";

/** A marked model that shows its mark, to be audited in few cells: WILD in two forms, one baseline. */
export async function tinyAudit(): Promise<AuditCall> {
  const { dataset, architecture, training } = tinySpec();
  const mark = findMark("noise").choose({ ...findMark("noise").published, triggers: 16, heldOut: 4 });
  const options = { ...training, epochs: 12, triggersPerBatch: 16 };
  const { model, key } = await markModel({ dataset, mark, start: { architecture }, options, seed: 0 });
  return { model, key, dataset, methods: ["wild"], budgets: [0.25, 0.05], epochs: 2, seeds: [0] };
}
