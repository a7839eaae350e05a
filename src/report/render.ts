/** @file Renders a report, and loads what draws it only then: programs that draw none do not wait for it. */

import type { ResultDocument } from "../experiments/documents.js";

/**
 * The report of a document, of whatever kind, as a self-contained HTML document (UTF-8).
 *
 * @throws WildmarkError `bad-file` where a removal lacks its marked model.
 */
export async function renderReport(document: ResultDocument): Promise<string> {
  const report = await import("./report.js");
  return report.renderReport(document);
}
