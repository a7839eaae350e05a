import { parseHTML } from "linkedom";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { ResultDocument } from "../experiments/finished.js";
import { type Result, resultSchema } from "../experiments/result.js";
import { renderReport } from "./report.js";
import { isPng } from "./sections/pictures.js";
import { type SampleOptions, sampleResult } from "./testing/sample.js";
import { sampleAudit } from "./testing/sample-audit.js";
import { sampleBench } from "./testing/sample-bench.js";

const warn = vi.spyOn(console, "warn");
beforeEach(() => void warn.mockClear());
afterEach(() => expect(warn).not.toHaveBeenCalled());

const documentOf = (report: string): Document => parseHTML(report).document;

/** Every string of the document replaced, where the schema leaves it free. */
function poison(value: unknown, poisonous: string): unknown {
  if (Array.isArray(value)) return value.map((item) => poison(item, poisonous));
  if (typeof value !== "object" || value === null) return typeof value === "string" ? poisonous + value : value;
  const fixed = ["format", "kind", "started", "finished", "id", "decidedBy", "marks", "mark"];
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      key,
      fixed.includes(key) && (typeof item === "string" || Array.isArray(item)) ? item : poison(item, poisonous),
    ]),
  );
}

describe("renderReport", () => {
  const cases: readonly (readonly [string, SampleOptions])[] = [
    ["several seeds", {}],
    ["one seed", { seeds: [1] }],
    ["one mark", { marks: ["unrelated"] }],
    ["controls only", { methods: ["from scratch", "fine-tuning (FTAL)"] }],
    ["no control", { methods: ["WILD-JS"] }],
    ["no removal", { methods: [] }],
    ["one epoch", { epochs: 1 }],
  ];
  it.each(cases)("is whole and the same every time: %s", (_, options) => {
    const result = sampleResult(options);
    const report = renderReport(result);
    expect(renderReport(result)).toBe(report);
    expect(report).not.toMatch(/NaN|undefined|Infinity|\[object|⚠/);
    const headings = [...documentOf(report).querySelectorAll("h2")].map((h) => h.textContent);
    expect(headings).toContain("Verdicts");
    expect(headings).toContain("How to do it again");
  });

  it.each<[string, Exclude<ResultDocument, { kind: "verdict" }>]>([
    ["reproduce", sampleResult()],
    ["audit", sampleAudit()],
    ["bench", sampleBench()],
  ])("says on the first screen of %s what is doubtful about the data, and nothing of data that are not", (_, sound) => {
    const warnings = (doubts: string[] | undefined): (string | null)[] => {
      const data = { ...sound.data, ...(doubts === undefined ? {} : { doubts }) };
      const items = documentOf(renderReport({ ...sound, data })).querySelectorAll("ul.remarks li.warning");
      return [...items].map((item) => item.textContent).filter((text) => text?.includes("doubtful"));
    };
    expect(warnings(undefined)).toEqual([]);
    expect(warnings(["<b>a</b> is not the published b", "were they?"])).toEqual([
      "The data are doubtful: <b>a</b> is not the published b.",
      "The data are doubtful: were they?",
    ]);
  });

  it("fetches nothing and runs nothing", () => {
    const report = renderReport(sampleResult());
    const urls = [...report.matchAll(/\b(?:src|href|action|srcset)\s*=\s*"([^"]*)"/g)].map((match) => match[1]);
    expect(urls.length).toBeGreaterThan(0);
    for (const url of urls) expect(url).toMatch(/^(data:image\/png;base64,|#)/);
    expect(report).not.toMatch(/@import|url\(|<script|<link|<iframe/);
    expect(report.replaceAll('xmlns="http://www.w3.org/2000/svg"', "")).not.toMatch(/https?:/);
    expect(report).toContain("default-src 'none'");
  });

  it("keeps every string of the document as text", () => {
    const hostile = `</style></title></text>"'><img src=x onerror=alert(1)><script>alert(1)</script>\u202e`;
    const result = resultSchema.parse(poison(sampleResult(), hostile));
    const report = renderReport(result);
    const page = documentOf(report);
    expect(report).not.toMatch(/<script|<img src=x/);
    expect(report).not.toContain("\u202e");
    expect(page.querySelectorAll("script, iframe, object, embed, a, form")).toHaveLength(0);
    expect(page.querySelectorAll("img")).toHaveLength(0); // No picture of a poisoned document is a PNG.
    expect(page.querySelectorAll("style")).toHaveLength(1);
    for (const element of page.querySelectorAll("*")) {
      for (const name of element.getAttributeNames()) expect(name).not.toMatch(/^on/);
    }
    expect(page.querySelector("h1")?.textContent).toContain("<script>alert(1)</script>");
  });

  it("shows only PNG data URIs as pictures", () => {
    const [good = ""] = sampleResult().marked.flatMap((m) => m.pictures.map((p) => p.trigger));
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
    const sample = sampleResult({ seeds: [1], marks: ["content"] });
    const marked = sample.marked.map((m) => ({
      ...m,
      pictures: m.pictures.map((p, i) => ({ ...p, trigger: bad[i] ?? "" })),
    }));
    const page = documentOf(renderReport({ ...sample, marked }));
    expect([...page.querySelectorAll(".strip .none")].map((e) => e.textContent)).toEqual(bad.map(() => "no PNG"));
  });

  it("tells the verdicts, of innocent models too", () => {
    const page = documentOf(renderReport(sampleResult()));
    const rows = [...page.querySelectorAll(".verdicts tr")].map((r) => r.textContent.replace(/\s+/g, " "));
    const of = (name: string): readonly string[] => rows.filter((text) => text.trim().startsWith(name));
    expect(of("WILD-CE").map((r) => /no longer shown/.test(r))).toEqual([true, true, false]);
    expect(of("fine-tuning").every((r) => /mark still shown/.test(r))).toBe(true);
    expect(of("unmarked model").every((r) => /not shown, as it must be/.test(r))).toBe(true);
    expect(of("unmarked model")).toHaveLength(3);
  });

  it("refuses a removal without its marked model, and says which", () => {
    const sample: Result = sampleResult({ seeds: [1, 2], marks: ["noise"] });
    const broken = { ...sample, marked: sample.marked.filter((m) => m.seed === 1) };
    expect(() => renderReport(broken)).toThrow(/mark "noise", seed 2/);
  });
});
