/** @file What the page of a verdict adds to the style sheet: one column, as narrow as a letter. */

/** CSS text. Nothing in it comes from a document. */
export const VERDICT_STYLE = `
main { max-width: 1040px; }
h1 { overflow-wrap: anywhere; font-size: 1.6rem; }
.headline { font: 600 1.7rem/1.3 var(--serif); margin: 0 0 1rem; padding: 14px 20px;
  border-left: 6px solid var(--faint); background: var(--soft); text-wrap: pretty; }
.headline.shown { border-color: var(--good); color: var(--good); } .headline.not-shown { border-color: var(--bad);
  color: var(--bad); }
.headline.cannot-be-shown { border-color: var(--warn-line); font-size: 1.4rem; }
.card .question { color: var(--ink); } .grounds .answer { font-size: 1.35rem; } .untested .answer {
  color: var(--faint); }
.untested { border-top-style: dashed; }
.tests td { min-width: 9em; } .tests td:nth-of-type(1) { min-width: 0; } .tests .number { min-width: 0; }
.tests tbody th { min-width: 8em; } .tests tr + tr > * { border-top: 1px solid var(--line); }
.tests tr.decides th { font-weight: 650; } .tests tr.decides small { color: var(--ink); font-weight: 600; }
.small, .from { font-size: .88em; color: var(--faint); } .small { max-width: 92ch; }
.untested-list { border: 1px solid var(--line); border-left: 4px solid var(--warn-line); padding: 8px 18px 10px;
  margin: 2.4rem 0 0; }
.untested-list h2 { margin: .2rem 0 0; padding: 0; border: 0; font-size: 1.2rem; } .untested-list ul { max-width: none;
  padding-left: 1.1rem; margin-bottom: 0; }
.word { display: inline-block; max-width: 100%; overflow-wrap: anywhere; }
dl.plain dd { overflow-wrap: anywhere; } .hashes .hash { font-size: .8em; overflow-wrap: anywhere; } .hashes tbody th {
  overflow-wrap: anywhere; min-width: 7em; }
.triggers { display: grid; grid-template-columns: repeat(auto-fill, minmax(128px, 1fr)); gap: 14px 10px; }
.triggers figure { margin: 0; } .triggers img { width: 58px; height: auto; image-rendering: pixelated;
  outline: 1px solid var(--line); outline-offset: -1px; margin-right: 4px; }
.triggers figcaption { margin-top: .25rem; font-size: .76rem; line-height: 1.3; overflow-wrap: anywhere; }
  .triggers .miss figcaption { color: var(--bad); }
@media screen and (max-width: 640px) {
  .tests thead { display: none; } .tests tr, .tests tbody th, .tests td { display: block; padding: 1px 0; } .tests tr {
    padding: 8px 0; } .tests tr + tr { border-top: 1px solid var(--line); } .tests tr + tr > * { border: 0; }
  .tests tbody th { font-weight: 600; } .tests td::before { content: attr(data-label) ": "; color: var(--faint); }
    .tests .number { text-align: left; } h1 { font-size: 1.3rem; } .headline, .headline.cannot-be-shown {
    font-size: 1.2rem; padding: 10px 14px; } }
@media print {
  main { max-width: none; } h1 { font-size: 14pt; } p, ul, ol, figcaption { max-width: none; } .facts {
    grid-template-columns: repeat(5, auto); margin: 3mm 0; } .facts div { padding: 2mm 3mm 2mm 0; }
  h2 + p { break-after: avoid; } .card { padding: 2.5mm 3.5mm 2mm; } figure { margin: 3mm 0; }
    .headline, .headline.cannot-be-shown { font-size: 14pt; break-inside: avoid; padding: 3mm 4mm; }
  .headline { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  h2 { margin-top: 5mm; padding-top: 3mm; margin-bottom: 1mm; } .untested-list { break-inside: avoid; margin-top: 6mm; }
  .tests { font-size: 7.6pt; } .tests td, .tests tbody th { min-width: 0; } .hashes .hash, dl.plain .hash {
    font-size: 7pt; }
  .triggers { grid-template-columns: repeat(6, 1fr); } .triggers img { width: 40px; } pre { white-space: pre-wrap;
    overflow-wrap: anywhere; } dl.plain { grid-template-columns: max-content 1fr; }
  dl.plain dt, dl.plain dd { break-inside: avoid; } }
`;
