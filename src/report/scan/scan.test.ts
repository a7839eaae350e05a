/** @file A scan as sentences, text, page and SARIF: what is said of each finding, and that no name can say more. */

import { parseHTML } from "linkedom";
import { describe, expect, test } from "vitest";
import { scanDocumentSchema } from "../../experiments/scan-document.js";
import { HOSTILE, sampleFinding, sampleModel, sampleScan } from "../testing/sample-scan.js";
import { renderScan } from "./page.js";
import { scanSarif } from "./sarif.js";
import { scanText } from "./text.js";
import { summariseScan } from "./words.js";

const finding = (level: "planted" | "suspicious" | "note") => sampleFinding({ level });

describe("the sentence", () => {
  test.each([
    [[], "Nothing found by these detectors."],
    [[finding("note")], "Nothing suspicious found by these detectors; 1 note, usually innocent."],
    [[finding("suspicious")], "1 suspicious finding: innocent models seldom have such."],
    [
      [finding("suspicious"), finding("suspicious"), finding("note")],
      "2 suspicious findings: innocent models seldom have such. Beside them: 1 note.",
    ],
    [
      [finding("planted"), finding("suspicious"), finding("note"), finding("note")],
      "1 finding for which no innocent cause is known: something is planted in it. Beside it: 1 suspicious and 2 notes.",
    ],
  ])("%#", (findings, headline) => {
    const summary = summariseScan(sampleScan(findings));
    expect(summary.headline).toBe(headline);
    expect(summary.caution).toContain("cannot see");
  });

  test("where nothing ran, nothing was looked for", () => {
    const document = sampleScan([]);
    const detectors = document.detectors.map(({ id, kind, title, summary, source, blind }) => {
      return { id, kind, title, summary, source, blind, ran: false as const, why: "no." };
    });
    expect(summariseScan({ ...document, detectors }).headline).toMatch(/^Nothing was looked for/);
  });

  test("no scan ever calls a model clean", () => {
    const said = [scanText(sampleScan([])), renderScan(sampleScan([]), sampleModel())].join("\n");
    expect(said).not.toMatch(/\bis clean|is safe|no backdoor/i);
  });
});

test("the text says what, where, how sure, what else it may be and what to do; then what was not seen", () => {
  const text = scanText(sampleScan());
  expect(text).toContain("1. planted (gates): A node slept.");
  expect(text).toContain("   where     gate\n   way       input → corner → gate → scores → scores\n   class     7\n");
  expect(text).toMatch(/how sure {2}Certain\.\n {3}innocent {2}A guard\.\n {3}to do {5}Do not use it\./);
  expect(text).toContain("  units: nothing\n    Open gates.");
  expect(text).toContain("Not run:\n  triggers\n    It needs clean images.");
  expect(text).toContain("What none of them can see:\n  - marks with random labels");
});

test("a long way has its ends, and says how much lies between", () => {
  const path = Array.from({ length: 40 }, (_, i) => `n${i}`);
  const text = scanText(sampleScan([sampleFinding({ path })]));
  expect(text).toContain("n5 → (28 more) → n34");
});

describe("the page", () => {
  test("marks the nodes and the way in the picture, and lists every layer", () => {
    const page = renderScan(sampleScan(), sampleModel());
    const { document } = parseHTML(page);
    expect([...document.querySelectorAll("svg .planted .title")].map(text)).toEqual(["Greater"]);
    expect(document.querySelectorAll("svg path.edge.on-path:not(.head)")).toHaveLength(4);
    expect([...document.querySelectorAll("table.layers tbody th")].map(text)).toEqual([
      ...["input", "Conv 1×1", "ReduceMax", "Greater 1", "Where", "output"],
    ]);
    expect(text(document.querySelector(".headline"))).toMatch(/^1 finding for which no innocent cause is known/);
    expect(document.querySelectorAll(".finding")).toHaveLength(1);
  });

  test("is whole and fetches nothing", () => {
    const page = renderScan(sampleScan(), sampleModel());
    expect(page).toContain(`http-equiv="Content-Security-Policy" content="default-src 'none'`);
    expect(page).not.toMatch(/NaN|undefined|Infinity|\[object/);
    expect(page).not.toMatch(/@import|url\(|<script|<link|<iframe| src=|https?:/);
  });

  test("too many layers for a picture are said to be so, and listed", () => {
    const { graph, ...rest } = sampleModel();
    const chain = Array.from({ length: 700 }, (_, i) => ({
      ...{ name: `n${i}`, opType: `Op${i}`, domain: "x", attributes: {} },
      ...{ inputs: [i === 0 ? "scores" : `v${i - 1}`], outputs: [`v${i}`] },
    }));
    const page = renderScan(sampleScan(), { ...rest, graph: { ...graph, nodes: [...graph.nodes, ...chain] } });
    expect(page).not.toContain("<svg");
    expect(page).toContain("too many for a picture");
    expect(page).toContain("x.Op699 n699");
  });
});

describe("SARIF", () => {
  const log = scanSarif(sampleScan([sampleFinding(), finding("suspicious"), finding("note")]));
  const [run] = log.runs;

  test("holds what the standard requires, and what code scanning shows", () => {
    expect(log.version).toBe("2.1.0");
    expect(run?.tool.driver).toMatchObject({ name: "Wildmark", semanticVersion: "0.1.0" });
    expect(run?.tool.driver.rules.map(({ id }) => id)).toEqual(["gates", "units", "triggers"]);
    expect(run?.results.map(({ level }) => level)).toEqual(["error", "warning", "note"]);
    for (const result of run?.results ?? []) {
      expect(run?.tool.driver.rules[result.ruleIndex]?.id).toBe(result.ruleId);
      expect(result.message.text).not.toBe("");
      expect(result.partialFingerprints["finding/v1"]).toMatch(/^[0-9a-f]{64}$/);
      expect(result.locations).toMatchObject([
        {
          physicalLocation: { artifactLocation: { uri: "models/a%20b.onnx", index: 0 }, region: { startLine: 1 } },
          logicalLocations: [{ name: "gate" }],
        },
      ]);
    }
    expect(run?.artifacts).toMatchObject([{ location: { uri: "models/a%20b.onnx" }, length: 1234 }]);
    expect(run?.invocations[0]?.executionSuccessful).toBe(true);
    expect(run?.invocations[0]?.toolExecutionNotifications).toMatchObject([
      { descriptor: { id: "triggers" }, message: { text: "triggers was not run: It needs clean images." } },
    ]);
  });

  test("the same finding has the same fingerprint, in other nodes another", () => {
    const print = (changes: Parameters<typeof sampleFinding>[0]) =>
      scanSarif(sampleScan([sampleFinding(changes)])).runs[0]?.results[0]?.partialFingerprints["finding/v1"];
    expect(print({ what: "In other words." })).toBe(print({}));
    expect(print({ nodes: ["other"] })).not.toBe(print({}));
  });

  test("paths become addresses", () => {
    const uri = (path: string) => {
      const document = sampleScan();
      return scanSarif({ ...document, model: { ...document.model, path } }).runs[0]?.artifacts[0]?.location.uri;
    };
    expect(uri("./models/ä.onnx")).toBe("models/%C3%A4.onnx");
    expect(uri("../x.onnx")).toBe("../x.onnx");
    expect(uri("/models/a b.onnx")).toMatch(/^file:\/\/\/(.:\/)?models\/a%20b\.onnx$/);
  });
});

test("names from a stranger's file stay names, on the page, in a terminal and in SARIF", () => {
  const poison = sampleFinding({
    ...{ what: HOSTILE, sure: HOSTILE, innocent: HOSTILE, advice: HOSTILE },
    ...{ nodes: [`${HOSTILE}\nx`], path: [HOSTILE] },
  });
  const document = scanDocumentSchema.parse(sampleScan([poison]));
  const page = renderScan({ ...document, title: HOSTILE, notes: [HOSTILE] }, sampleModel(`${HOSTILE}\nx`));
  expect(page).not.toMatch(/<script|<img/);
  expect(obeyedIn(page)).toEqual([]);
  const parsed = parseHTML(page).document;
  expect(text(parsed.querySelector("h1"))).toContain("<script>alert(1)</script>");
  expect(parsed.querySelectorAll("svg .planted")).toHaveLength(1);
  expect(obeyedIn(scanText(document))).toEqual([]);
  expect(scanText(document)).not.toContain(`[a](b)\nx`);
  const [result] = scanSarif(document).runs[0]?.results ?? [];
  expect(obeyedIn(JSON.stringify(result))).toEqual([]);
  // Neither a placeholder nor a link.
  expect(result?.message.text).toContain("{{0}}\\[a\\](b)");
});

/** What a terminal or a browser would obey, raw or as JSON writes it. */
function obeyedIn(said: string): readonly string[] {
  return ["\u202e", "\u001b", "\u009b", "\\u001b"].filter((each) => said.includes(each));
}

function text(element: Element | null): string {
  return (element?.textContent ?? "").replaceAll(/\s+/g, " ").trim();
}
