/**
 * @file The style sheet of the report: one column of prose like a paper, figures as wide as the page, dark where asked.
 */

import { colourVariables } from "./figures/palette.js";

/** CSS text. Nothing in it comes from a document. */
export const STYLE = `
:root { color-scheme: light dark; ${colourVariables("light")}
  --paper: #faf9f6; --soft: #f1efe9; --line: #d8d4ca; --good: #00694b; --bad: #a8320a; --warn: #fff3dc;
    --warn-line: #d79a2b;
  --serif: "Iowan Old Style", "Palatino Linotype", Palatino, "Book Antiqua", "URW Palladio L", Georgia, serif;
  --sans: "Helvetica Neue", Helvetica, Arial, "Liberation Sans", sans-serif;
  --mono: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace;
  --hit: #fbe3d6; --hit-line: #d04a00; --half: #fdf1cf; --half-line: #b98a00; --dear: #efecf6; --dear-line: #7a6aa8;
  --safe: #dcecf7; --safe-line: #0072b2; }
@media (prefers-color-scheme: dark) { :root { ${colourVariables("dark")}
  --paper: #100f0d; --soft: #21201c; --line: #3a3832; --good: #4fd1a5; --bad: #ff9a70; --warn: #33270f;
    --warn-line: #b9842a;
  --hit: #4a2312; --hit-line: #ff8f52; --half: #40340f; --half-line: #dfbe50; --dear: #2c2840; --dear-line: #a99be0;
  --safe: #12303f; --safe-line: #5bb8f0; } }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.55 var(--sans); overflow-wrap: break-word; }
main { max-width: 1288px; margin: 0 auto; padding: 56px 32px 40px; background: var(--page); }
@media (min-width: 1320px) { main { margin: 28px auto; border: 1px solid var(--line); border-radius: 4px;
  padding: 64px 40px 44px; } }
h1, h2, h3, .answer { font-family: var(--serif); font-weight: 600; line-height: 1.2; text-wrap: balance; }
h1 { font-size: 2.1rem; margin: 0 0 .7rem; letter-spacing: -.01em; }
h2 { font-size: 1.45rem; margin: 3.4rem 0 .6rem; padding-top: 1.1rem; border-top: 1px solid var(--line); }
h3 { font-size: 1.08rem; margin: 1.8rem 0 .5rem; }
p, ul, ol { max-width: 76ch; margin: .6rem 0; }
li { margin: .25rem 0; }
.kicker { margin: 0 0 .5rem; color: var(--faint); font-size: .84rem; letter-spacing: .07em; text-transform: uppercase; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 250px), 1fr)); gap: 14px;
  margin: 1.2rem 0; }
.card { border: 1px solid var(--line); border-top: 4px solid var(--faint); border-radius: 3px; padding: 14px 18px 12px;
  max-width: 560px; }
.card h3 { margin: 0; font: 600 .92rem/1.35 var(--sans); }
.card .answer { font-size: 1.9rem; margin: .35rem 0 .3rem; }
.card p { margin: .15rem 0; font-size: .9rem; color: var(--faint); }
.card strong { color: var(--ink); font-weight: 600; }
.survives { border-top-color: var(--good); } .survives .answer { color: var(--good); }
.unsound { border-top-color: var(--warn-line); }
.falls, .sometimes { border-top-color: var(--bad); } .falls .answer, .sometimes .answer { color: var(--bad); }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 1px; margin: 1.6rem 0 1.2rem;
  border-block: 1px solid var(--line); }
.facts div { padding: 10px 12px 10px 0; }
.facts dt { color: var(--faint); font-size: .8rem; }
.facts dd { margin: 0; font-size: .93rem; font-weight: 500; }
.remarks { padding: 0; list-style: none; font-size: .95rem; }
.remarks li { padding-left: 1.1rem; text-indent: -1.1rem; }
.remarks li::before { content: "–"; display: inline-block; width: 1.1rem; text-indent: 0; color: var(--faint); }
.remarks .warning { background: var(--warn); border-left: 4px solid var(--warn-line); padding: 8px 12px 8px 26px; }
figure { margin: 1.2rem 0 1.6rem; }
figcaption { max-width: 92ch; margin-top: .7rem; font-size: .88rem; line-height: 1.5; color: var(--faint); }
figcaption b { color: var(--ink); font-weight: 600; }
.panels { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 340px), 1fr)); gap: 18px 16px; }
.panels.few { grid-template-columns: repeat(auto-fit, minmax(min(100%, 340px), 480px)); }
.panels svg { display: block; width: 100%; height: auto; max-width: 480px; overflow: visible; }
.maps { display: flex; flex-wrap: wrap; gap: 18px 16px; } .maps > div { max-width: 100%; overflow-x: auto; }
  .maps svg { display: block; }
.key { display: flex; flex-wrap: wrap; gap: 4px 22px; margin: 0 0 10px; font-size: .84rem; color: var(--faint); }
.key span { display: inline-flex; align-items: center; gap: 7px; }
.key svg { flex: none; }
.pictures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 370px), 1fr)); gap: 26px 28px; }
.pictures h3 { margin: 0 0 .5rem; font: 600 .92rem/1.35 var(--sans); }
.strip { border-collapse: collapse; }
.strip th { padding: 0 8px 0 0; font: 400 .8rem/1.2 var(--sans); color: var(--faint); text-align: right;
  vertical-align: middle; }
.strip thead th { padding: 0 2px 4px; text-align: center; color: var(--ink); font-variant-numeric: tabular-nums;
  white-space: nowrap; }
.strip td { padding: 2px; }
.strip img, .strip .none { display: block; width: 52px; height: auto; image-rendering: pixelated;
  outline: 1px solid var(--line); outline-offset: -1px; }
.strip .none { height: 52px; line-height: 52px; text-align: center; font-size: .7rem; color: var(--faint);
  background: var(--soft); }
.scroll { overflow-x: auto; margin: 1rem 0; }
table.data { border-collapse: collapse; font-size: .87rem; line-height: 1.35; font-variant-numeric: tabular-nums;
  min-width: 100%; }
.data caption { text-align: left; color: var(--faint); font-size: .88rem; padding-bottom: .5rem; }
.data th { font-weight: 600; text-align: left; vertical-align: bottom; }
.data thead th { border-bottom: 1.5px solid var(--ink); color: var(--ink); font-size: .82rem; line-height: 1.25; }
.data th, .data td { padding: 5px 12px 5px 0; }
.data td { vertical-align: top; }
.data .number { text-align: right; white-space: nowrap; }
.data thead .number { white-space: normal; }
.data small { display: block; color: var(--faint); font-size: .92em; white-space: nowrap; }
.data tbody { border-bottom: 1px solid var(--line); }
.data tbody tr.group th { padding-top: 14px; font: 600 .98rem/1.3 var(--serif); }
.data tbody th { font-weight: 500; vertical-align: top; }
.verdicts tbody th { white-space: nowrap; }
.data tr.control th, .data tr.yardstick th { font-weight: 400; color: var(--faint); }
.data tr.yardstick td { color: var(--faint); }
.verdict { white-space: nowrap; font-weight: 600; }
.verdict.shown { color: var(--good); } .verdict.gone { color: var(--bad); }
.verdict small { font-weight: 400; }
code, pre { font-family: var(--mono); font-size: .86em; }
.hash { overflow-wrap: anywhere; }
.runs .hash { white-space: nowrap; font-size: .8em; } .runs small { white-space: normal; }
code.option { white-space: nowrap; background: var(--soft); border-radius: 3px; padding: 1px 5px; margin: 0 3px 3px 0;
  display: inline-block; }
pre { background: var(--soft); border: 1px solid var(--line); border-radius: 3px; padding: 12px 14px; overflow-x: auto;
  line-height: 1.45; }
.redo pre { white-space: pre-wrap; overflow-wrap: anywhere; }
details { margin: 1rem 0; } summary { cursor: pointer; font-weight: 600; }
dl.plain { display: grid; grid-template-columns: max-content 1fr; gap: 4px 18px; font-size: .9rem; margin: .8rem 0; }
dl.plain dt { color: var(--faint); } dl.plain dd { margin: 0; min-width: 0; }
.headline { font: 600 1.32rem/1.4 var(--serif); margin: 0 0 .8rem; max-width: 88ch; text-wrap: pretty; }
.headline p { max-width: none; margin: .35rem 0; }
.matrix { border-collapse: separate; border-spacing: 4px; width: 100%; table-layout: fixed; min-width: 640px;
  font-size: .87rem; line-height: 1.3; margin: 0 -4px; }
.matrix th { font-weight: 600; text-align: left; padding: 3px 8px 3px 0; }
.matrix thead th { vertical-align: bottom; padding-left: 10px; } .matrix thead th:first-child { padding-left: 0; }
.matrix thead small, .matrix tbody th small { display: block; font-weight: 400; color: var(--faint); font-size: .92em; }
.matrix tbody th { width: 21%; }
.matrix td { padding: 6px 10px; border-left: 4px solid var(--line); background: var(--soft);
  font-variant-numeric: tabular-nums; }
.matrix td b { display: block; } .matrix td span { white-space: nowrap; }
.matrix .sign { display: inline-block; width: 1.25em; }
.matrix td.removed { background: var(--hit); border-color: var(--hit-line); } .matrix td.sometimes {
  background: var(--half); border-color: var(--half-line); }
.matrix td.costly, .matrix td.pointless { background: var(--dear); border-color: var(--dear-line); }
.matrix td.survives { background: var(--safe); border-color: var(--safe-line); }
.matrix td.control { background: none; border: 1px dashed var(--line); border-left: 4px solid var(--line); }
.matrix tr.controls th { padding-top: 6px; } .matrix tbody.controls::before { content: ""; display: block; height: 4px;
  }
.legend { display: flex; flex-wrap: wrap; gap: 2px 20px; font-size: .84rem; color: var(--faint); margin: .4rem 0 0;
  padding: 0; list-style: none; max-width: none; }
.next { border: 1px solid var(--line); border-left: 4px solid var(--ink); padding: 8px 18px 10px; margin: 1.3rem 0 0; }
.next h2 { font-size: 1.05rem; margin: 0; padding: 0; border: 0; } .next ul { margin: .3rem 0 0; padding-left: 1.1rem;
  max-width: 110ch; }
.sure { font-size: .92rem; color: var(--faint); max-width: 110ch; }
.evidence td small { display: inline; }
.ranks td.tied::before { content: "= "; color: var(--faint); }
.ranks tr.tied th, .ranks tr.best th { font-weight: 650; }
table.reach { min-width: 0; margin-bottom: 1.6rem; }
.reach tbody .number, .reach thead .number { padding-left: 1.6rem; }
.reach tbody .price { padding-left: 0; color: var(--faint); min-width: 3.2em; }
details pre { max-height: 26rem; overflow: auto; font: .78rem/1.45 var(--mono); background: var(--soft);
  padding: 10px 12px; }
main { counter-reset: figure; }
section > figure > figcaption::before { counter-increment: figure; content: "Figure " counter(figure) ". ";
  color: var(--ink); font-weight: 600; }
footer { margin-top: 3rem; padding-top: 1rem; border-top: 1px solid var(--line); color: var(--faint);
  font-size: .88rem; }
footer p { max-width: none; }
@media (max-width: 640px) {
  body { font-size: 15px; } main { padding: 28px 16px; } h1 { font-size: 1.6rem; } .headline { font-size: 1.12rem; }
  h2 { margin-top: 2.4rem; } .facts { grid-template-columns: 1fr 1fr; } dl.plain { grid-template-columns: 1fr; gap: 0; }
  dl.plain dd { margin-bottom: 8px; } .strip img, .strip .none { width: 44px; } .strip .none { height: 44px;
    line-height: 44px; } }
@page { size: A4; margin: 14mm 12mm; }
@media print {
  :root { color-scheme: light; ${colourVariables("light")} --paper: #fff; --soft: #f4f3ef; --line: #cfcbc0;
    --good: #00694b;
    --bad: #a8320a; --warn: #fff;
    --hit: #fbe3d6; --hit-line: #d04a00; --half: #fdf1cf; --half-line: #b98a00; --dear: #efecf6; --dear-line: #7a6aa8;
    --safe: #dcecf7; --safe-line: #0072b2; }
  .matrix, .matrix td { print-color-adjust: exact; -webkit-print-color-adjust: exact; } .matrix { font-size: 7.6pt; }
    .headline { font-size: 15pt; }
  .next { break-inside: avoid; }
  html { font-size: 12.5px; } body { font-size: 9.5pt; line-height: 1.45; } main { max-width: none; margin: 0;
    padding: 0; border: 0; }
  h2 { margin-top: 7mm; } h2, h3, thead, .group { break-after: avoid; } .key { break-after: avoid; }
  .card, tr, pre, .pictures > div, .panels > div, .maps > div, .triggers figure { break-inside: avoid; } figcaption {
    break-before: avoid; }
  .panels, .panels.few { grid-template-columns: repeat(2, 1fr); gap: 10px 14px; }
  .panels > div:only-child { grid-column: 1 / -1; max-width: 125mm; }
  .maps > div { overflow: visible; } .maps svg { max-width: 100%; height: auto; } .cards {
    grid-template-columns: repeat(3, 1fr); }
  .pictures { grid-template-columns: 1fr 1fr; } .strip img { width: 40px; }
  .scroll { overflow: visible; } table.data { font-size: 7.4pt; } table.runs { font-size: 6pt; } .runs .hash {
    font-size: 4.2pt; } .data th, .data td { padding: 3px 6px 3px 0; }
  details::details-content { content-visibility: visible; block-size: auto; } }
`;
