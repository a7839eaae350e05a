/** @file Reads a model's graph with every detector that reads graphs. */

import type { GraphDetector, Subject } from "./detector.js";
import { type Finding, LEVELS } from "./finding.js";
import { detectors } from "./registry.js";

/**
 * What the graph detectors find, the gravest first; of one level in the order of the registry.
 *
 * @param using other detectors than all.
 */
export async function scanGraph(
  subject: Subject,
  using: readonly GraphDetector[] = detectors.filter((each) => each.kind === "graph"),
): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  for (const { run } of using) findings.push(...(await run(subject)));
  return findings.toSorted((a, b) => LEVELS.indexOf(a.level) - LEVELS.indexOf(b.level));
}
