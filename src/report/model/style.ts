/** @file What the picture of a model adds to the style sheet of the report. */

/** CSS text. Nothing in it comes from a model. */
export const MODEL_STYLE = `
.model-figure { display: flex; flex-wrap: wrap; gap: 12px 36px; align-items: flex-start; }
.model-figure .scroll { margin: 0; max-width: 100%; } .model-figure figcaption { flex: 1 1 18rem; max-width: 54ch; }
svg.model { display: block; font-family: var(--sans); }
.model rect { fill: var(--soft); stroke: var(--line); }
.model .end rect { fill: none; stroke: var(--faint); } .model .folded rect { fill: none; stroke: var(--faint);
  stroke-dasharray: 4 3; }
.model rect.trains { fill: var(--series-0); stroke: none; }
.model rect.holds { fill: var(--page); stroke: var(--series-0); }
.model text { fill: var(--ink); }
.model .title { font-size: 12.5px; font-weight: 600; } .model .small { font-size: 11px; fill: var(--faint); }
.model .folded .title { font-weight: 400; fill: var(--faint); }
.model .name { font: 10.5px var(--mono); fill: var(--faint); }
.model .edge { fill: none; stroke: var(--rest); stroke-width: 1.3; } .model .edge.head { fill: var(--rest);
  stroke: none; }
.model .on-path { stroke: var(--series-1); stroke-width: 2.4; } .model .on-path.head { fill: var(--series-1); }
.model .planted > rect:first-of-type { fill: var(--hit); stroke: var(--hit-line); stroke-width: 2; }
.model .suspicious > rect:first-of-type { fill: var(--half); stroke: var(--half-line); stroke-width: 2; }
.model .note > rect:first-of-type { fill: var(--dear); stroke: var(--dear-line); }
.model .badge { font-size: 12.5px; font-weight: 700; } .model .planted .badge { fill: var(--hit-line); }
.model .suspicious .badge { fill: var(--half-line); } .model .note .badge { fill: var(--dear-line); }
.layers code { font-size: .82em; overflow-wrap: anywhere; } .layers tbody th { min-width: 12rem; }
.layers td:last-child { min-width: 22rem; }
.layers tr.planted th, .layers tr.planted td { background: var(--hit); }
.layers tr.suspicious th, .layers tr.suspicious td { background: var(--half); }
.layers .badge { border: 1px solid; border-radius: 8px; padding: 0 6px; font-size: .85em; }
.weights td, .weights th { white-space: nowrap; }
`;
