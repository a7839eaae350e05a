/** @file A scan for a terminal: the sentence, each finding with where and what to do, and what was not seen. */

import type { ScanDocument } from "../../experiments/scan-document.js";
import { textTable } from "../../core/text-table.js";
import { plural } from "../format.js";
import { printable, summariseScan, wayInWords } from "./words.js";

export function scanText(document: ScanDocument): string {
  const { findings, detectors, notes, unseen } = document;
  const { headline, caution } = summariseScan(document);
  const ran = detectors.filter((each) => each.ran);
  const notRun = detectors.filter((each) => !each.ran);
  const lesser = findings.filter(({ level }) => level === "note");
  const graver = findings.filter(({ level }) => level !== "note");
  return [
    `${printable(document.model.path)}: ${headline}\n${caution}`,
    ...graver.map(findingText),
    ...(lesser.length === 0 ? [] : [lesserText(lesser)]),
    ...(notes.length === 0 ? [] : [`Noted:\n${notes.map((note) => `  - ${printable(note)}`).join("\n")}`]),
    ...(ran.length === 0 ? [] : [`Looked for, and what each cannot see:\n${ran.map(ranText).join("\n")}`]),
    ...(notRun.length === 0 ? [] : [`Not run:\n${notRunText(notRun)}`]),
    `What none of them can see:\n${unseen.map((each) => `  - ${each}`).join("\n")}`,
  ].join("\n\n");
}

/** What is usually innocent, a line each; how sure each is and what to do stands in the page and the document. */
function lesserText(findings: ScanDocument["findings"]): string {
  const lines = findings.map(({ detector, what }) => `  - ${printable(what)} (${printable(detector)})`);
  return `Worth knowing, and usually innocent (--html or --json tell more):\n${lines.join("\n")}`;
}

function findingText(finding: ScanDocument["findings"][number], index: number): string {
  const { detector, level, what, nodes, path, target, sure, innocent, advice } = finding;
  const facts = [
    ...(nodes.length === 0 ? [] : [["where", namesOf(nodes).join(", ")]]),
    ...(path.length === 0 ? [] : [["way", ["input", ...namesOf(path), "scores"].join(" → ")]]),
    ...(target === undefined ? [] : [["class", String(target)]]),
    ["how sure", printable(sure)],
    ["innocent", printable(innocent)],
    ["to do", printable(advice)],
  ];
  const rows = textTable(facts.map(([name = "", text = ""]) => [name, text]));
  return `${index + 1}. ${level} (${detector}): ${printable(what)}\n${rows.replaceAll(/^/gm, "   ")}`;
}

function namesOf(names: readonly string[]): readonly string[] {
  const { first, more, last } = wayInWords(names);
  return [...first.map(printable), ...(more === 0 ? [] : [`(${more} more)`]), ...last.map(printable)];
}

/** What has one reason stands together. */
function notRunText(detectors: readonly Extract<ScanDocument["detectors"][number], { ran: false }>[]): string {
  const reasons = new Map<string, string[]>();
  for (const { id, why } of detectors) reasons.set(why, [...(reasons.get(why) ?? []), id]);
  return [...reasons].map(([why, ids]) => `  ${ids.join(", ")}\n    ${printable(why)}`).join("\n");
}

function ranText({ id, blind, findings }: Extract<ScanDocument["detectors"][number], { ran: true }>): string {
  return `  ${id}: ${findings === 0 ? "nothing" : plural(findings, "finding")}\n    ${blind}`;
}
