import { describe, expect, it } from "vitest";
import { escapeMarkup, html, join, legible, raw } from "./html.js";

describe("html", () => {
  it("escapes strings in text and in attributes", () => {
    const hostile = `"><script>alert('1')</script>&`;
    expect(html`<p title="${hostile}">${hostile}</p>`.text).toBe(
      `<p title="${escapeMarkup(hostile)}">${escapeMarkup(hostile)}</p>`,
    );
    expect(escapeMarkup(hostile)).toBe("&quot;&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;");
  });

  it("keeps markup, flattens lists, drops what is absent", () => {
    expect(html`${raw("<b>")}${[html`<i>`, ["a", 1]]}${undefined}${false}`.text).toBe("<b><i>a1");
    expect(html`${join(["a", "<"], html`<br>`)}`.text).toBe("a<br>&lt;");
  });

  it("takes no object of a parsed document for markup", () => {
    const forged = JSON.parse('{"text":"<script>"}');
    expect(() => html`${forged}`).toThrow();
  });

  it("replaces what XML forbids and what reverses the reading order", () => {
    expect(legible("a\0b\u001bc\u202ed\ud800e\uffff")).toBe("a\ufffdb\ufffdc\ufffdd\ufffde\ufffd");
    expect(legible("tab\tline\n4 → 6 😀 ナ")).toBe("tab\tline\n4 → 6 😀 ナ");
  });
});
