/** @file Panels with their caption, as the page holds them. */

import { type Content, html, type Markup, raw } from "../html.js";
import type { Figure } from "./frame.js";

/** How panels stand: in up to three columns, or at their own size, as many as fit. */
export type Arrangement = "columns" | "own size";

export function figureBlock(panels: readonly Figure[], caption: Content, arrangement: Arrangement = "columns"): Markup {
  const kind = arrangement === "own size" ? "maps" : panels.length < 3 ? "panels few" : "panels";
  return html`<figure>
<div class="${kind}">
${panels.map(({ svg }) => html`<div>${raw(svg)}</div>\n`)}</div>
<figcaption>${caption}</figcaption>
</figure>
`;
}
