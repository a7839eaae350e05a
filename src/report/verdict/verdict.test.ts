/**
 * @file What the page of a verdict says: word for word once, each outcome, and nothing that a suspect's name could
 * smuggle in.
 */

import { parseHTML } from "linkedom";
import { expect, test } from "vitest";
import { verdictDocumentSchema } from "../../experiments/verdict-result.js";
import { renderReport } from "../report.js";
import { type SampleVerdict, sampleVerdict } from "../testing/sample-verdict.js";
import { summariseVerdict } from "./summary.js";

/** The text of the page, a line for each block, cells with bars between; spaces are all alike. */
function textOf(page: string): string {
  const { document } = parseHTML(page);
  const plain = (element: Element): string => (element.textContent ?? "").replaceAll(/\s+/g, " ").trim();
  const blocks = document.querySelectorAll(
    "h1, h2, h3, main p, li, .facts div, dl.plain dt, dl.plain dd, tr, figcaption, caption, pre",
  );
  return [...blocks]
    .map((block) => (block.matches("tr, .facts div") ? [...block.children].map(plain).join(" | ") : plain(block)))
    .join("\n");
}

const FULL: SampleVerdict = { nullModels: [7, 15, 11], strangers: [9, 12, 14, 8], options: { committed: true } };

// After a change that is meant: `npx vitest run src/report/verdict -u`, then look at the page.
test("the page, word for word", async () => {
  await expect(`${textOf(renderReport(sampleVerdict(FULL)))}\n`).toMatchFileSnapshot("../fixtures/verdict.txt");
});

test.each<readonly [string, SampleVerdict, RegExp, readonly string[]]>([
  [
    "shown",
    {},
    /^Ownership is shown at the significance level 0\.05: p = \d/,
    ["ruled out", "ruled out", "not tested"],
  ],
  [
    "not-shown",
    { matches: 14, strangers: [9, 12] },
    /^Ownership is not shown at the significance level 0\.05: p = 1\.$/,
    ["not ruled out", "ruled out", "not ruled out"],
  ],
  [
    "cannot-be-shown",
    { drawn: false, matches: 100 },
    /^Ownership cannot be shown, whatever the suspect answers, without null models, keys that strangers draw .* and a public commitment/,
    ["not tested", "ruled out", "not tested"],
  ],
  [
    "cannot-be-shown",
    { matches: 100, options: { alpha: 1e-60 } },
    /^With this key, asked like this, ownership cannot be shown at the significance level 1e-60, .*at least 7\.9 × 10⁻³¹\.$/,
    ["ruled out", "not ruled out", "not tested"],
  ],
])("%s", (outcome, sample, headline, grounds) => {
  const summary = summariseVerdict(sampleVerdict(sample));
  expect(summary.outcome).toBe(outcome);
  expect(summary.headline).toMatch(headline);
  expect(summary.grounds.map(({ answer }) => answer)).toEqual(grounds);
});

test("a claim that cannot be shown has no test that decides, and nothing follows from it", () => {
  const text = textOf(renderReport(sampleVerdict({ drawn: false, matches: 100 })));
  expect(text).toContain("Nothing follows from that");
  expect(text).toContain("None of them decides: without null models");
  expect(text).not.toContain("testdecides");
  expect(text).toContain("Evidence of the weaker kind");
});

test("says what was paid for, and only where something was", () => {
  const paid = textOf(renderReport(sampleVerdict({ options: { keysTried: 3, readings: 4 } })));
  expect(paid).toMatch(/“Counts as”: p multiplied by 2⁶⁴ in tests .*, by 3 in all tests, .* and by 4 in all tests/);
  expect(textOf(renderReport(sampleVerdict({ options: { committed: true, triesLog2: 0 } })))).not.toContain(
    "Counts as",
  );
});

test("a suspect that was asked from afar: the table, the endpoint, and what that weakens", () => {
  const table = textOf(
    renderReport(
      sampleVerdict({ suspect: { kind: "answers", name: "answers.csv", table: { exported: 300, answered: 280 } } }),
    ),
  );
  expect(table).toContain("280 of 300 images that were given away");
  expect(table).toContain("may have filtered triggers out");
  const endpoint = {
    ...{ transcript: "t.jsonl", ledger: "l.jsonl", head: "e".repeat(64), asked: 250, askedNow: 50, requests: 61 },
    ...{
      answered: 240,
      refused: 10,
      unreadable: 0,
      unknownWords: ["emu"],
      decoys: { answered: 40, right: 38 },
      cost: 0.15,
    },
  };
  const asked = textOf(
    renderReport(sampleVerdict({ suspect: { kind: "endpoint", name: "https://x.example/v1", endpoint } })),
  );
  for (const words of [
    "https://x.example/v1 (an endpoint)",
    "38 of 40 ordinary images",
    "61 requests",
    "e".repeat(64),
  ]) {
    expect(asked).toContain(words);
  }
});

test("pictures stand there only where the document holds some, and only PNGs", () => {
  const without = sampleVerdict();
  expect(renderReport(without)).not.toContain("<img");
  const png = "data:image/png;base64,iVBORw0KGgo=";
  const one = { trigger: png, placebo: "https://evil.example/a.png", label: 3, answer: 3, placeboAnswer: null };
  const page = renderReport(verdictDocumentSchema.parse({ ...without, pictures: [one] }));
  expect(page.match(/<img/g)).toHaveLength(1);
  expect(page).not.toContain("evil.example");
  expect(textOf(page)).toContain("key 3answer 3 ✓placebo no answer");
});

test.each<readonly [string, SampleVerdict]>([
  ["full", FULL],
  ["bare", {}],
  ["chosen", { drawn: false }],
  ["no match", { matches: 0 }],
  ["made here", { options: { madeHere: true } }],
])("the page is whole and fetches nothing: %s", (_, sample) => {
  const document = sampleVerdict(sample);
  const page = renderReport(document);
  expect(renderReport(verdictDocumentSchema.parse(JSON.parse(JSON.stringify(document))))).toBe(page);
  expect(page).not.toMatch(/NaN|undefined|Infinity|\[object|⚠/);
  expect(page).not.toMatch(/@import|url\(|<script|<link|<iframe| src=/);
  expect(page.replaceAll('xmlns="http://www.w3.org/2000/svg"', "")).not.toMatch(/https?:/);
});

test("strings of the document stay text", () => {
  const hostile = `</style></title></svg>"'><img src=x onerror=alert(1)><script>alert(1)</script>\u202e`;
  const fixed = [
    "format",
    "kind",
    "started",
    "finished",
    "id",
    "decidedBy",
    "layout",
    "channelOrder",
    "against",
    "sha256",
  ];
  const more = ["provenance", "madeFor", "commitment", "head"];
  const poison = (value: unknown, key = ""): unknown => {
    if (Array.isArray(value)) return value.map((item) => poison(item));
    if (typeof value !== "object" || value === null) {
      return typeof value === "string" && ![...fixed, ...more].includes(key) ? hostile + value : value;
    }
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, poison(item, name)]));
  };
  const page = renderReport(verdictDocumentSchema.parse(poison(sampleVerdict(FULL))));
  expect(page).not.toMatch(/<script|<img|\u202e/);
  const { document } = parseHTML(page);
  expect(document.querySelector("h1")?.textContent).toContain("<script>alert(1)</script>");
});
