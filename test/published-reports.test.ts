/**
 * @file The published documents still say what they said: the first screen of each report, read as a person reads it.
 *
 * Documents are evidence and are never rewritten; what reads them changes. A golden that changes is a finding that
 * changes: CHANGELOG must say why.
 */

import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseHTML } from "linkedom";
import { expect, test } from "vitest";
import { readDocument } from "../src/experiments/documents.js";
import { renderReport } from "../src/report/report.js";

const results = fileURLToPath(new URL("../docs/results", import.meta.url));

const documents = readdirSync(results, { recursive: true, encoding: "utf8" })
  .filter((path) => path.endsWith("result.json"))
  .map((path) => path.slice(0, -"/result.json".length).replaceAll("\\", "/"))
  .sort();

/** All that stands above the second heading, and its first table's lines: no figure, no space that only lays out. */
function firstScreen(report: string): string {
  const { document } = parseHTML(report);
  for (const figure of document.querySelectorAll("svg")) figure.remove();
  const lines: string[] = [];
  for (const element of document.querySelectorAll("main > *")) {
    if (element.tagName === "SECTION" && !element.classList.contains("cards")) break;
    const parts = element.querySelectorAll("p, h1, h3, li, tr, dl > div");
    for (const part of parts.length > 0 ? [...parts] : [element]) {
      const cells = part.tagName === "TR" ? [...part.children].map((cell) => cell.textContent ?? "") : [];
      const text = cells.length > 0 ? cells.join(" | ") : (part.textContent ?? "");
      lines.push(text.replaceAll(/\s+/g, " ").trim());
    }
  }
  return `${lines.join("\n")}\n`;
}

test("there are published documents", () => {
  expect(documents.length).toBeGreaterThan(10);
});

test.each(documents)("the report of %s says what it said", async (name) => {
  const text = firstScreen(renderReport(await readDocument(`${results}/${name}/result.json`)));
  await expect(text).toMatchFileSnapshot(`fixtures/published/${name.replaceAll("/", "-")}.txt`);
});
