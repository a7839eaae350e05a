/**
 * @file One result document becomes one HTML file: a pure function, so the same document gives the same bytes.
 *
 * The file stands alone. It needs no network, no script and no font, and its content security policy forbids them, so
 * that a hostile string that slipped through could still do nothing.
 */

import type { ExperimentDocument } from "../experiments/document.js";
import type { ResultDocument } from "../experiments/documents.js";
import { findingsOf } from "./findings/findings.js";
import { type Content, html, raw } from "./html.js";
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

function page({ title, software }: Pick<ExperimentDocument, "title" | "software">, style: string, sections: Content) {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="Wildmark ${software.wildmark}">
<title>${title}</title>
<style>${raw(style)}</style>
</head>
<body>
<main>
${sections}<footer>
<p>Made by Wildmark ${software.wildmark}. Responsible use: audit models and marks that you own or have permission to
test. Taking a mark off someone else's model to hide where it came from is not an audit.</p>
</footer>
</main>
</body>
</html>
`.text;
}
