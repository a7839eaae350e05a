/** @file What a scan says in its first sentences, and names from a stranger's file made fit to be printed. */

import type { ScanDocument } from "../../experiments/scan-document.js";
import type { Level } from "../../detection/finding.js";
import { list, plural } from "../format.js";
import { legible } from "../html.js";

export interface ScanSummary {
  /** The gravest level of all findings; undefined for none. */
  readonly gravest: Level | undefined;
  readonly headline: string;
  /** What does not follow from it. */
  readonly caution: string;
}

export function summariseScan({ findings, detectors }: ScanDocument): ScanSummary {
  const gravest = findings[0]?.level;
  const ran = detectors.filter((each) => each.ran).length;
  if (ran === 0) {
    return {
      gravest,
      headline: "Nothing was looked for: none of the detectors could be run.",
      caution: "Why not is said below for each of them.",
    };
  }
  return { gravest, headline: headline(findings, gravest), caution: CAUTION };
}

const CAUTION =
  "That does not say that nothing else is planted: what these detectors cannot see is said below, beside each of them.";

function headline(findings: ScanDocument["findings"], gravest: Level | undefined): string {
  const counted = (level: Level): number => findings.filter((each) => each.level === level).length;
  const [planted, suspicious, notes] = [counted("planted"), counted("suspicious"), counted("note")];
  const others = [
    ...(gravest === "planted" && suspicious > 0 ? [`${suspicious} suspicious`] : []),
    ...(gravest !== "note" && notes > 0 ? [plural(notes, "note")] : []),
  ];
  const beside =
    others.length === 0 ? "" : ` Beside ${(planted || suspicious) === 1 ? "it" : "them"}: ${list(others)}.`;
  switch (gravest) {
    case "planted":
      return `${plural(planted, "finding")} for which no innocent cause is known: something is planted in it.${beside}`;
    case "suspicious":
      return `${plural(suspicious, "suspicious finding")}: innocent models seldom have such.${beside}`;
    case "note":
      return `Nothing suspicious found by these detectors; ${plural(notes, "note")}, usually innocent.`;
    default:
      return "Nothing found by these detectors.";
  }
}

/** Names and sentences with a stranger's names in them, on one line and without what a terminal obeys. */
export function printable(text: string): string {
  return legible(text).replace(/[\t\n]/g, "\ufffd");
}

/** The names of a way; of a long one its ends, and how many are left out between them. */
export function wayInWords(way: readonly string[]): {
  readonly first: readonly string[];
  readonly more: number;
  readonly last: readonly string[];
} {
  if (way.length <= LONGEST_WAY) return { first: way, more: 0, last: [] };
  const end = Math.floor(LONGEST_WAY / 2);
  return { first: way.slice(0, end), more: way.length - 2 * end, last: way.slice(-end) };
}

const LONGEST_WAY = 12;
