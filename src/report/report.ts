/**
 * @file One result document becomes one HTML file: a pure function, so the same document gives the same bytes.
 *
 * The file stands alone. It needs no network, no script and no font, and its content security policy forbids them, so
 * that a hostile string that slipped through could still do nothing.
 */

import type { ResultDocument } from "../experiments/finished.js";
import type { Result } from "../experiments/result.js";
import { auditSections } from "./audit/sections.js";
import { AUDIT_STYLE } from "./audit/style.js";
import { benchSections } from "./bench/sections.js";
import { BENCH_STYLE } from "./bench/style.js";
import { type Content, html, raw } from "./html.js";
import { charts } from "./sections/charts.js";
import { redo, settings, tests } from "./sections/methods.js";
import { opening } from "./sections/opening.js";
import { pictures } from "./sections/pictures.js";
import { runs } from "./sections/runs.js";
import { verdicts } from "./sections/verdicts.js";
import { STYLE } from "./style.js";
import { verdictSections } from "./verdict/sections.js";
import { VERDICT_STYLE } from "./verdict/style.js";

/**
 * The report of a document, of whatever kind, as a self-contained HTML document (UTF-8).
 *
 * @throws {WildmarkError} `bad-file` where a removal lacks its marked model.
 */
export function renderReport(document: ResultDocument): string {
  switch (document.kind) {
    case "reproduce":
      return page(document, STYLE, resultSections(document));
    case "audit":
      return page(document, `${STYLE}${AUDIT_STYLE}`, auditSections(document));
    case "bench":
      return page(document, `${STYLE}${BENCH_STYLE}`, benchSections(document));
    case "verdict":
      return page(document, `${STYLE}${VERDICT_STYLE}`, verdictSections(document));
  }
}

function resultSections(result: Result): Content {
  return [opening, charts, pictures, verdicts, settings, tests, redo, runs].map((section) => section(result));
}

function page({ title, software }: Pick<Result, "title" | "software">, style: string, sections: Content): string {
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
