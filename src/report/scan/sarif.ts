/**
 * @file A scan as SARIF 2.1.0, for code scanning and other programs that gather findings: detectors are rules, findings
 * are results at the model's file, and nodes are logical locations.
 *
 * After OASIS, "Static Analysis Results Interchange Format (SARIF) Version 2.1.0"; sections are named where they bind.
 */

import { createHash } from "node:crypto";
import { isAbsolute } from "node:path";
import { pathToFileURL } from "node:url";
import type { Level } from "../../detection/finding.js";
import type { ScanDocument } from "../../experiments/scan-document.js";
import { printable } from "./words.js";

const SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

type SarifLevel = "error" | "warning" | "note";

const LEVELS: Readonly<Record<Level, SarifLevel>> = { planted: "error", suspicious: "warning", note: "note" };

/** A SARIF log with one run, as a JSON value. */
export function scanSarif(document: ScanDocument) {
  const { model, findings, detectors, software } = document;
  const uri = uriOf(model.path);
  return {
    $schema: SCHEMA,
    version: "2.1.0",
    runs: [
      {
        tool: {
          driver: {
            name: "Wildmark",
            semanticVersion: software.wildmark,
            rules: detectors.map(ruleOf),
          },
        },
        artifacts: [{ location: { uri }, length: model.bytes, hashes: { "sha-256": model.sha256 } }],
        results: findings.map((finding) => resultOf(finding, { uri, detectors })),
        invocations: [
          {
            executionSuccessful: true,
            commandLine: document.command,
            startTimeUtc: document.started,
            endTimeUtc: document.finished,
            toolExecutionNotifications: detectors.flatMap((each) => (each.ran ? [] : [notRun(each.id, each.why)])),
          },
        ],
        // What a reader of the results must not take them for.
        properties: { unseen: document.unseen, notes: document.notes.map(printable) },
        columnKind: "unicodeCodePoints",
      },
    ],
  };
}

type Looked = ScanDocument["detectors"][number];

function ruleOf({ id, title, summary, source, blind }: Looked) {
  return {
    id,
    name: id
      .split("-")
      .map((word) => word.slice(0, 1).toUpperCase() + word.slice(1))
      .join(""),
    shortDescription: { text: message(title) },
    fullDescription: { text: message(summary) },
    help: { text: message(`${summary} What it cannot see: ${blind} Source: ${source}`) },
    defaultConfiguration: { level: "warning" },
  };
}

function resultOf(
  finding: ScanDocument["findings"][number],
  { uri, detectors }: { readonly uri: string; readonly detectors: readonly Looked[] },
) {
  const { detector, level, what, nodes, path, target, sure, innocent, advice } = finding;
  const nodeLocations = nodes.map((name) => ({
    name: printable(name),
    // A node is a part of a graph, for which the standard has no kind.
    kind: "node",
  }));
  const text = [what, sure, innocent, advice].map(printable).join(" ");
  return {
    ruleId: detector,
    ruleIndex: detectors.findIndex(({ id }) => id === detector),
    level: LEVELS[level],
    message: { text: message(text) },
    locations: [
      {
        // Code scanning shows nothing without a line; a model has none, so it is the first.
        physicalLocation: { artifactLocation: { uri, index: 0 }, region: { startLine: 1 } },
        ...(nodeLocations.length === 0 ? {} : { logicalLocations: nodeLocations }),
      },
    ],
    partialFingerprints: { "finding/v1": fingerprintOf(finding) },
    properties: {
      level,
      way: path.map(printable),
      ...(target === undefined ? {} : { target }),
      sure: printable(sure),
      innocent: printable(innocent),
      advice: printable(advice),
    },
  };
}

function notRun(id: string, why: string) {
  return { descriptor: { id }, level: "note", message: { text: message(printable(`${id} was not run: ${why}`)) } };
}

/** The same finding in the same nodes is known again, whatever is said of it. */
function fingerprintOf({ detector, level, nodes, target }: ScanDocument["findings"][number]): string {
  return createHash("sha256")
    .update(JSON.stringify([detector, level, nodes, target ?? null]))
    .digest("hex");
}

/** Text in which nothing is a placeholder (§3.11.5) or a link (§3.11.6). */
function message(text: string): string {
  return text.replace(/[{}]/g, "$&$&").replace(/[[\]\\]/g, "\\$&");
}

/** A relative path stays one, so that it is found from where the results are shown. */
function uriOf(path: string): string {
  if (isAbsolute(path)) return pathToFileURL(path).href;
  const parts = path.split(/[/\\]/).map((part) => encodeURIComponent(part));
  return parts.join("/").replace(/^(\.\/)+/, "");
}
