/**
 * @file A tagged template for HTML that escapes unless told otherwise.
 *
 * Result documents are files like any other: a title may hold `<script>`. So text becomes markup in one place only, and
 * what is markup already carries a class that JSON cannot forge.
 */

/** A piece of finished markup. Only `html` and `raw` make one. */
export class Markup {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** What may stand in a template: `undefined` and `false` leave nothing behind, so that `condition && html…` works. */
export type Content = Markup | string | number | undefined | false | readonly Content[];

/** Markup from a template; every inserted string or number is escaped, for text and for quoted attributes alike. */
export function html(strings: TemplateStringsArray, ...contents: readonly Content[]): Markup {
  return new Markup(strings.map((text, i) => text + render(contents[i])).join(""));
}

/** Declares a string to be markup. Only for what this room made itself: style sheets and figures. */
export function raw(text: string): Markup {
  return new Markup(text);
}

/** Joins pieces with a separator. */
export function join(pieces: readonly Content[], separator: Content): Content {
  return pieces.map((piece, i) => (i === 0 ? piece : [separator, piece]));
}

function render(content: Content): string {
  if (content === undefined || content === false) return "";
  if (content instanceof Markup) return content.text;
  if (typeof content === "string") return escapeMarkup(content);
  if (typeof content === "number") return String(content);
  return content.map(render).join("");
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Text that is safe as HTML or XML content and inside quoted attributes. */
export function escapeMarkup(text: string): string {
  return legible(text).replace(/[&<>"']/g, (character) => ENTITIES[character] ?? "");
}

/**
 * The text with characters replaced (U+FFFD) that XML forbids or that make a page read differently from its source:
 * control characters, lone surrogates, noncharacters, and the bidirectional overrides.
 */
export function legible(text: string): string {
  return text.replace(/(?![\t\n])[\p{Cc}\p{Cs}\u202a-\u202e\u2066-\u2069\ufffe\uffff]/gu, "\ufffd");
}
