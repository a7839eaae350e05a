/** @file What the audit's report adds to the style sheet: the matrix. States differ in sign, word and hue. */

/** CSS text. Nothing in it comes from a document. */
export const AUDIT_STYLE = `
:root { --hit: #fbe3d6; --hit-line: #d04a00; --half: #fdf1cf; --half-line: #b98a00; --dear: #efecf6; --dear-line: #7a6aa8; --safe: #dcecf7; --safe-line: #0072b2; }
@media (prefers-color-scheme: dark) { :root { --hit: #4a2312; --hit-line: #ff8f52; --half: #40340f; --half-line: #dfbe50; --dear: #2c2840; --dear-line: #a99be0;
  --safe: #12303f; --safe-line: #5bb8f0; } }
.headline { font: 600 1.38rem/1.35 var(--serif); margin: 0 0 .8rem; max-width: 88ch; text-wrap: pretty; }
.kicker b { color: var(--ink); font-weight: 600; }
.matrix { border-collapse: separate; border-spacing: 4px; width: 100%; table-layout: fixed; min-width: 640px; font-size: .87rem; line-height: 1.3; margin: 0 -4px; }
.matrix th { font-weight: 600; text-align: left; padding: 3px 8px 3px 0; }
.matrix thead th { vertical-align: bottom; padding-left: 10px; } .matrix thead th:first-child { padding-left: 0; }
.matrix thead small, .matrix tbody th small { display: block; font-weight: 400; color: var(--faint); font-size: .92em; }
.matrix tbody th { width: 21%; }
.matrix td { padding: 6px 10px; border-left: 4px solid var(--line); background: var(--soft); font-variant-numeric: tabular-nums; }
.matrix td b { display: block; } .matrix td span { white-space: nowrap; }
.matrix .sign { display: inline-block; width: 1.25em; }
.matrix td.removed { background: var(--hit); border-color: var(--hit-line); } .matrix td.sometimes { background: var(--half); border-color: var(--half-line); }
.matrix td.costly, .matrix td.pointless { background: var(--dear); border-color: var(--dear-line); }
.matrix td.survives { background: var(--safe); border-color: var(--safe-line); }
.matrix td.control { background: none; border: 1px dashed var(--line); border-left: 4px solid var(--line); }
.matrix tr.controls th { padding-top: 6px; } .matrix tbody.controls::before { content: ""; display: block; height: 4px; }
.legend { display: flex; flex-wrap: wrap; gap: 2px 20px; font-size: .84rem; color: var(--faint); margin: .4rem 0 0; padding: 0; list-style: none; max-width: none; }
.next { border: 1px solid var(--line); border-left: 4px solid var(--ink); padding: 8px 18px 10px; margin: 1.3rem 0 0; }
.next h2 { font-size: 1.05rem; margin: 0; padding: 0; border: 0; } .next ul { margin: .3rem 0 0; padding-left: 1.1rem; max-width: 110ch; }
.sure { font-size: .92rem; color: var(--faint); max-width: 110ch; }
.evidence td small { display: inline; }
@media print {
  :root { --hit: #fbe3d6; --hit-line: #d04a00; --half: #fdf1cf; --half-line: #b98a00; --dear: #efecf6; --dear-line: #7a6aa8; --safe: #dcecf7; --safe-line: #0072b2; }
  .matrix, .matrix td { print-color-adjust: exact; -webkit-print-color-adjust: exact; } .matrix { font-size: 7.6pt; } .headline { font-size: 15pt; }
  .next { break-inside: avoid; } }
`;
