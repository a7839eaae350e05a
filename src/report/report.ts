/** @file One result document becomes one HTML file: a pure function, so the same document gives the same bytes. */

import type { ExperimentDocument } from "../experiments/document.js";
import type { ResultDocument } from "../experiments/documents.js";
import { findingsOf } from "./findings/findings.js";
import { page } from "./page.js";
import { STYLE } from "./style.js";
import { verdictSections } from "./verdict/sections.js";
import { VERDICT_STYLE } from "./verdict/style.js";
import { auditView } from "./views/audit.js";
import { benchView } from "./views/bench.js";
import { reproduceView } from "./views/reproduce.js";
import type { View } from "./views/view.js";

const views: Readonly<Record<ExperimentDocument["statement"], View>> = {
  reproduce: reproduceView,
  audit: auditView,
  bench: benchView,
};

/** The report of a document, of whatever kind, as a self-contained HTML document (UTF-8). */
export function renderReport(document: ResultDocument): string {
  if (document.kind === "verdict") return page(document, `${STYLE}${VERDICT_STYLE}`, verdictSections(document));
  const findings = findingsOf(document);
  const sections = views[findings.document.statement].map((section) => section(findings));
  return page(document, STYLE, sections);
}
