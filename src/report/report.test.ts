import { parseHTML } from "linkedom";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type ExperimentDocument, experimentSchema } from "../experiments/document.js";
import { renderReport } from "./report.js";
import { isPng } from "./sections/pictures.js";
import { FALLS, type SampleCells, sampleAudit } from "./testing/sample-audit.js";
import { CONTENT_FALLS, sampleBench } from "./testing/sample-bench.js";
import { sampleReproduce } from "./testing/sample-reproduce.js";

const warn = vi.spyOn(console, "warn");
beforeEach(() => void warn.mockClear());
afterEach(() => expect(warn).not.toHaveBeenCalled());

const pageOf = (document: ExperimentDocument): Document => parseHTML(renderReport(document)).document;

const SKIPPED: SampleCells = [
  [undefined, [0.98, 4]],
  [[0.98, 90], undefined],
];

const documents: readonly (readonly [string, ExperimentDocument])[] = [
  ["reproduce", sampleReproduce()],
  ["reproduce, one seed", sampleReproduce({ seeds: [1] })],
  ["reproduce, one mark", sampleReproduce({ marks: ["unrelated"] })],
  ["reproduce, baselines only", sampleReproduce({ methods: ["from scratch", "fine-tuning (FTAL)"] })],
  ["reproduce, no baseline", sampleReproduce({ methods: ["WILD-JS"] })],
  ["reproduce, no removal", sampleReproduce({ methods: [] })],
  ["reproduce, one epoch", sampleReproduce({ epochs: 1 })],
  ["reproduce, two budgets", sampleReproduce({ budgets: [0.01, 0.1], marks: ["content", "noise"] })],
  ["audit", sampleAudit()],
  ["audit, several seeds", sampleAudit({ seeds: [0, 1, 2], back: 0.9, nullModels: true })],
  ["audit, nothing run", sampleAudit({ cells: [[undefined, undefined]] })],
  ["audit, some skipped", sampleAudit({ cells: SKIPPED })],
  ["audit, never shown", sampleAudit({ before: 0.1 })],
  ["audit, two models", { ...sampleBench({ given: true }), statement: "audit" }],
  ["bench", sampleBench()],
  ["bench, one seed, one budget", sampleBench({ seeds: [0], budgets: [0.05] })],
  ["bench, no re-activation", sampleBench({ reactivation: false })],
  ["bench, nothing run", sampleBench({ cells: [[undefined, undefined, undefined, undefined]] })],
  ["bench, partly run", sampleBench({ cells: [[CONTENT_FALLS[0]?.[0], undefined, undefined, [0.01, 0.03]]] })],
  ["bench, given models", sampleBench({ given: true })],
  ["bench, with curves", { ...sampleReproduce({ marks: ["content"] }), statement: "bench" }],
];

describe.each(documents)("the report: %s", (_, document) => {
  const report = renderReport(document);

  test("is whole, and the same every time", () => {
    expect(renderReport(document)).toBe(report);
    expect(report).not.toMatch(/NaN|undefined|Infinity|\[object|⚠/);
    expect(parseHTML(report).document.querySelectorAll("h1")).toHaveLength(1);
    expect([...parseHTML(report).document.querySelectorAll("h2")].at(-1)?.textContent).toMatch(
      /^How to do it|^Every run/,
    );
  });

  test("fetches nothing and runs nothing", () => {
    for (const [, url] of report.matchAll(/\b(?:src|href|action|srcset)\s*=\s*"([^"]*)"/g)) {
      expect(url).toMatch(/^(data:image\/png;base64,|#)/);
    }
    expect(report).not.toMatch(/@import|url\(|<script|<link|<iframe/);
    expect(report.replaceAll('xmlns="http://www.w3.org/2000/svg"', "")).not.toMatch(/https?:/);
    expect(report).toContain("default-src 'none'");
  });
});

/** The text of the page without its figures, a line for each block, as a person reads it. */
function textOf(document: ExperimentDocument): string {
  const page = pageOf(document);
  for (const figure of page.querySelectorAll("svg, style")) figure.remove();
  const blocks = page.querySelectorAll("h1, h2, h3, p, li, tr, figcaption, caption, summary, dt, dd, pre");
  const lines = [...blocks].map((block) => {
    const parts = block.tagName === "TR" ? [...block.children] : [block];
    const text = parts.map((part) => (part.textContent ?? "").replaceAll(/\s+/g, " ").trim()).join(" | ");
    return block.tagName.startsWith("H") ? `\n${"#".repeat(Number(block.tagName.slice(1)))} ${text}\n` : text;
  });
  return `${lines.join("\n").trim()}\n`;
}

// After a change that is meant: `npx vitest run src/report/report.test.ts -u`, then read them.
test.each([
  ["reproduce", sampleReproduce({ seeds: [1, 2], marks: ["content", "unrelated"], epochs: 2 })],
  ["audit", sampleAudit()],
  ["bench", sampleBench({ seeds: [0, 1, 2] })],
])("what the report of %s says, word for word", async (name, document) => {
  await expect(textOf(document)).toMatchFileSnapshot(`fixtures/report-${name}.txt`);
});

const headings = (document: ExperimentDocument): readonly string[] =>
  [...pageOf(document).querySelectorAll("h2")].map((heading) => heading.textContent ?? "");

describe("sections", () => {
  test("a reproduce with several budgets has what several budgets ask for", () => {
    const more = headings(sampleReproduce({ budgets: [0.01, 0.1] }));
    const one = headings(sampleReproduce());
    expect(more.filter((heading) => !one.includes(heading))).toEqual([
      "What is left of each mark",
      "How much data it takes",
    ]);
    const runs = [...pageOf(sampleReproduce({ budgets: [0.01, 0.1], seeds: [1] })).querySelectorAll(".runs tbody th")];
    expect(runs.map((run) => run.textContent)).toContain("WILD-CE, 1\u202f%");
  });

  test("an audit with null models and re-activation says what they answer", () => {
    const more = headings(sampleAudit({ nullModels: true, back: 0.9 }));
    const plain = headings(sampleAudit());
    expect(more.filter((heading) => !plain.includes(heading))).toEqual([
      "Whether marks come back",
      "The marked models",
    ]);
    expect(textOf(sampleAudit({ nullModels: true }))).toContain("8–8");
  });

  test("an audit of several models has a matrix for each", () => {
    const page = pageOf({ ...sampleBench({ given: true }), statement: "audit" });
    expect(page.querySelectorAll("table.matrix")).toHaveLength(2);
    expect([...page.querySelectorAll("tr.group")].map((row) => row.textContent)).toEqual(["content", "unrelated"]);
  });

  test("a bench of given models names their files and keys", () => {
    expect(textOf(sampleBench({ given: true }))).toMatch(/\nModel\ncontent, 61 706 parameters ?SHA-256/);
    expect(headings(sampleBench({ given: true }))).not.toContain("The marked models");
  });

  test("a bench shows curves and pictures where it has some", () => {
    const shown = headings({ ...sampleReproduce({ marks: ["content"] }), statement: "bench" });
    expect(shown).toContain("What removal does, epoch by epoch");
    expect(shown).toContain("What the triggers look like");
    expect(headings(sampleBench())).not.toContain("What the triggers look like");
  });
});

test.each(documents.filter(([name]) => !name.includes(",")))(
  "the first screen of %s says what is doubtful about the data, and nothing of data that are not",
  (_, sound) => {
    const found = (doubts: string[] | undefined): (string | null)[] => {
      const data = { ...sound.data, ...(doubts === undefined ? {} : { doubts }) };
      const items = pageOf({ ...sound, data }).querySelectorAll("ul.remarks li.warning");
      return [...items].map((item) => item.textContent).filter((text) => text?.includes("doubtful"));
    };
    expect(found(undefined)).toEqual([]);
    expect(found(["<b>a</b> is not the published b", "were they?"])).toEqual([
      "The data are doubtful: <b>a</b> is not the published b.",
      "The data are doubtful: were they?",
    ]);
  },
);

/** Every string of the document replaced, where the schema leaves it free. */
function poison(value: unknown, poisonous: string): unknown {
  if (Array.isArray(value)) return value.map((item) => poison(item, poisonous));
  if (typeof value !== "object" || value === null) return typeof value === "string" ? poisonous + value : value;
  const fixed = ["format", "kind", "statement", "started", "finished", "id", "decidedBy", "status", "outcome", "needs"];
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      key,
      fixed.includes(key) && (typeof item === "string" || Array.isArray(item)) ? item : poison(item, poisonous),
    ]),
  );
}

test.each(documents.filter(([name]) => !name.includes(",") || name.endsWith("several seeds")))(
  "every string stays text: %s",
  (_, document) => {
    const hostile = `</style></title></text>"'><img src=x onerror=alert(1)><script>alert(1)</script>\u202e`;
    const report = renderReport(experimentSchema.parse(poison(document, hostile)));
    const page = parseHTML(report).document;
    expect(report).not.toMatch(/<script|<img src=x/);
    expect(report).not.toContain("\u202e");
    expect(page.querySelectorAll("script, iframe, object, embed, a, form")).toHaveLength(0);
    expect(page.querySelectorAll("img")).toHaveLength(0); // No picture of a poisoned document is a PNG.
    expect(page.querySelectorAll("style")).toHaveLength(1);
    for (const element of page.querySelectorAll("*")) {
      for (const name of element.getAttributeNames()) expect(name).not.toMatch(/^on/);
    }
    expect(page.querySelector("h1")?.textContent).toContain("<script>alert(1)</script>");
  },
);

test("shows only PNG data URIs as pictures", () => {
  const sample = sampleReproduce({ seeds: [1], marks: ["content"] });
  const [good = ""] = sample.marked.flatMap((m) => (m.status === "done" ? m.pictures.map((p) => p.trigger) : []));
  expect(isPng(good)).toBe(true);
  const bad = [
    "https://example.org/a.png",
    "data:image/svg+xml;base64,iVBORw0KGgo=",
    `${good}" onload="x`,
    `${good}\n`,
    good.replace("image/png", "text/html"),
    "data:image/png;base64,PHNjcmlwdD4=",
  ];
  for (const uri of bad) expect(isPng(uri), uri.slice(-40)).toBe(false);
  const marked = sample.marked.map((cell) =>
    cell.status === "done"
      ? { ...cell, pictures: cell.pictures.map((p, i) => ({ ...p, trigger: bad[i] ?? "" })) }
      : cell,
  );
  const page = pageOf({ ...sample, marked });
  expect([...page.querySelectorAll(".strip .none")].map((e) => e.textContent)).toEqual(bad.map(() => "no PNG"));
});

test("tells the verdicts, of null models too", () => {
  const rows = [...pageOf(sampleReproduce()).querySelectorAll(".verdicts tr")];
  const of = (name: string): readonly string[] =>
    rows.map((row) => (row.textContent ?? "").replaceAll(/\s+/g, " ")).filter((text) => text.trim().startsWith(name));
  expect(of("WILD-CE").map((text) => /no longer shown/.test(text))).toEqual([true, true, false]);
  expect(of("fine-tuning").every((text) => /mark still shown/.test(text))).toBe(true);
  expect(of("null model").every((text) => /not shown, as it must be/.test(text))).toBe(true);
  expect(of("null model")).toHaveLength(3);
});

test("tells of each audited attack what tuning brings back", () => {
  const page = pageOf(sampleAudit({ cells: FALLS, back: 0.9 }));
  const cells = [...page.querySelectorAll(".matrix td")].map((cell) => cell.textContent ?? "");
  expect(cells.filter((text) => text.includes("comes back when tuned on"))).toHaveLength(3);
  const rows = [...page.querySelectorAll(".evidence tr.tested, .evidence tr.control")].map(
    (row) => row.textContent ?? "",
  );
  expect(rows).toHaveLength(8);
  expect(rows.every((text) => text.includes("90.0 %, shown"))).toBe(true);
});

test("what removes most, at the lowest price, stands first in the table of budgets", () => {
  const rows = [...pageOf(sampleBench()).querySelectorAll("table.reach tbody tr")].map((row) => row.textContent ?? "");
  expect(rows[0]).toMatch(/^WILD-JS0 of 10.*5 of 10/);
  expect(rows.at(-1)).toMatch(/^Distillation0 of 10/);
  expect(pageOf(sampleBench({ budgets: [0.1] })).querySelector("table.reach")).toBeNull();
});

test("a budget is told as it was chosen", () => {
  const text = textOf(sampleBench({ budgets: [0.0025, 0.1] }));
  expect(text).toContain("0.25\u202f% and 10\u202f% of the training data".replaceAll(/\s/g, " "));
  expect(text).not.toContain("0.3 % of the");
});
