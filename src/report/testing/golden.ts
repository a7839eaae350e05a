/**
 * @file A figure as a file, for golden pictures: black on white, in the colours of a light page, for any reader of SVG.
 */

import type { Figure } from "../figures/frame.js";
import { colours } from "../figures/palette.js";

export function goldenSvg({ svg }: Figure): string {
  const plain = colours("light").reduce((text, [name, value]) => text.replaceAll(`var(--${name})`, value), svg);
  const background = '<rect width="100%" height="100%" fill="#ffffff"/>';
  return `<?xml version="1.0" encoding="UTF-8"?>\n${plain.replace(">", ` color="#1c1b19">${background}`)}\n`;
}
