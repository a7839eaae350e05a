/**
 * @file The frame of every page: one HTML file that stands alone.
 *
 * It needs no network, no script and no font, and its content security policy forbids them, so that a hostile string
 * that slipped through could still do nothing.
 */

import { type Content, html, raw } from "./html.js";

export interface PageFacts {
  readonly title: string;
  readonly software: { readonly wildmark: string };
}

/**
 * @param style CSS text. Nothing in it may come from a document.
 * @returns a self-contained HTML document (UTF-8).
 */
export function page({ title, software }: PageFacts, style: string, sections: Content): string {
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
