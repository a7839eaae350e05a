/** @file The report of an audit, section by section: the answer first, then the evidence, then how to redo it. */

import type { AuditResult } from "../../experiments/audit-result.js";
import { type Content, html, type Markup } from "../html.js";
import { auditCharts } from "./charts.js";
import { evidence } from "./evidence.js";
import { firstScreen } from "./first-screen.js";
import { assumptions, attacksTable, redoAudit } from "./methods.js";
import { summariseAudit } from "./summary.js";

export function auditSections(audit: AuditResult): Content {
  const summary = summariseAudit(audit);
  const parts: readonly Markup[] = [
    firstScreen(audit, summary),
    auditCharts(audit),
    evidence(audit, summary),
    attacksTable(audit),
    assumptions(audit),
    redoAudit(audit),
  ];
  return html`${parts}`;
}
