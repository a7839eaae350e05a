/**
 * @file Triggers as pictures: what the owner planted, what it was made from, and how the attacker's erasing hits it.
 */

import type { TriggerPicture } from "../../tasks/records.js";
import type { Findings } from "../findings/findings.js";
import { html, type Markup } from "../html.js";

/** More than these make a long report, not a better one. */
const SHOWN = 6;

/** A strip of triggers for each mark. Empty where the document holds no pictures. */
export function pictures({ subjects }: Findings): Markup {
  const strips = subjects.flatMap(({ subject, done }) => {
    const shown = done.find((marked) => marked.pictures.length > 0)?.pictures.slice(0, SHOWN);
    return shown === undefined ? [] : [strip(subject.name, shown)];
  });
  if (strips.length === 0) return html``;
  return html`<section><h2>What the triggers look like</h2>
<p>Above each trigger, the label that the owner wants answered, after the class of the image it was made from.
The erased
copies show how Random Erasing may cover a trigger: the attacker does it to clean images only, never having seen
one.</p>
<div class="pictures">
${strips}</div></section>
`;
}

function strip(name: string, shown: readonly TriggerPicture[]): Markup {
  const rows = [
    ["original", shown.map((p) => p.original)],
    ["trigger", shown.map((p) => p.trigger)],
    ["erased", shown.map((p) => p.erased)],
  ] as const;
  return html`<div><h3>${name}</h3><div class="scroll"><table class="strip">
<thead><tr><th></th>${shown.map((p) => html`<th scope="col">${labels(p)}</th>`)}</tr></thead>
<tbody>${rows
    .filter(([, images]) => images.some((image) => image !== undefined))
    .map(
      ([row, images]) => html`
<tr><th scope="row">${row}</th>${images.map((uri, i) => html`<td>${image(uri, `${row} ${i + 1}`)}</td>`)}</tr>`,
    )}
</tbody></table></div></div>
`;
}

function labels(picture: TriggerPicture): string {
  return picture.sourceLabel === undefined ? `→ ${picture.label}` : `${picture.sourceLabel} → ${picture.label}`;
}

/** The picture if it is a PNG within the document, else a placeholder: nothing is ever fetched. */
function image(uri: string | undefined, description: string): Markup {
  if (uri === undefined) return html`<span class="none">–</span>`;
  if (!isPng(uri)) return html`<span class="none">no PNG</span>`;
  return html`<img src="${uri}" alt="${description}">`;
}

/** Whether a URI is a base64 PNG and nothing else. */
export function isPng(uri: string): boolean {
  // Every PNG starts with the same eight bytes; in base64 that fixes the first ten characters.
  return /^data:image\/png;base64,iVBORw0KGg[A-Za-z0-9+/]*={0,2}$/.test(uri);
}
