/** @file What the page of a scan adds to the style sheet. */

/** CSS text. Nothing in it comes from a document. */
export const SCAN_STYLE = `
h1 { overflow-wrap: anywhere; font-size: 1.6rem; }
.headline.scan { font-size: 1.5rem; line-height: 1.3; padding: 14px 20px; border-left: 6px solid var(--faint);
  background: var(--soft); }
.headline.planted { border-color: var(--hit-line); background: var(--hit); }
.headline.suspicious { border-color: var(--half-line); background: var(--half); }
.headline.note { border-color: var(--dear-line); background: var(--dear); }
.findings { display: grid; gap: 18px; margin: 1.4rem 0; max-width: 920px; }
.finding { border: 1px solid var(--line); border-left: 6px solid var(--faint); border-radius: 3px;
  padding: 12px 20px 14px; min-width: 0; }
.finding.planted { border-left-color: var(--hit-line); } .finding.suspicious { border-left-color: var(--half-line); }
.finding.note { border-left-color: var(--dear-line); }
.finding h3 { margin: .2rem 0 .7rem; font: 600 1.05rem/1.4 var(--sans); max-width: 76ch; overflow-wrap: anywhere; }
.finding .kicker { margin: 0; } .finding dl { margin: 0; }
.finding dd { overflow-wrap: anywhere; max-width: 76ch; }
.finding code { background: var(--soft); border-radius: 3px; padding: 1px 4px; overflow-wrap: anywhere; }
.way { line-height: 1.9; } .way .hop { color: var(--faint); }
.detectors td { min-width: 14rem; } .detectors th small, .detectors td small { white-space: normal; }
.detectors .outcome { min-width: 8rem; }
.unseen { border: 1px solid var(--line); border-left: 4px solid var(--warn-line); padding: 8px 18px 10px;
  margin: 2.4rem 0 0; max-width: 920px; }
.unseen h2 { margin: .2rem 0 0; padding: 0; border: 0; font-size: 1.2rem; }
.word { display: inline-block; max-width: 100%; overflow-wrap: anywhere; }
@media screen and (max-width: 640px) { .headline.scan { font-size: 1.2rem; padding: 10px 14px; }
  .finding { padding: 10px 14px; } h1 { font-size: 1.3rem; }
  .detectors thead { display: none; } .detectors tr, .detectors tbody th, .detectors td { display: block;
    padding: 1px 0; } .detectors tr { padding: 8px 0; } .detectors tr + tr { border-top: 1px solid var(--line); }
  .detectors tbody th { font-weight: 600; }
  .detectors td::before { content: attr(data-label) ": "; color: var(--faint); } }
@media print { .headline.scan { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  .finding { break-inside: avoid; } }
`;
