/** @file What a bench's report adds to the style sheet: headline, rankings, tables of budgets. */

/** CSS text. Nothing in it comes from a document. */
export const BENCH_STYLE = `
.headline { font: 600 1.3rem/1.4 var(--serif); margin: 0 0 .8rem; max-width: 88ch; text-wrap: pretty; }
.headline p { max-width: none; margin: .35rem 0; }
.ranks td.tied::before { content: "= "; color: var(--faint); }
.ranks tr.tied th, .ranks tr.best th { font-weight: 650; }
table.reach { min-width: 0; margin-bottom: 1.6rem; }
.reach tbody .number, .reach thead .number { padding-left: 1.6rem; }
.reach tbody .price { padding-left: 0; color: var(--faint); min-width: 3.2em; }
details pre { max-height: 26rem; overflow: auto; font: .78rem/1.45 var(--mono); background: var(--soft); padding: 10px 12px; }
`;
