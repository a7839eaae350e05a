/**
 * @file Looks at a model's graph before and after something is done to its weights: training, marking and removing leave
 * a planted gate where it is.
 */

import { randomStream } from "../core/random.js";
import type { LabelledImages } from "../data/dataset.js";
import type { Subject } from "../detection/detector.js";
import type { Finding } from "../detection/finding.js";
import { scanGraph } from "../detection/scan.js";
import type { Model } from "../onnx/model.js";
import type { RunOptions } from "./run-options.js";

/**
 * @param images clean ones, that gates are probed with besides noise.
 * @param seed draws the noise.
 */
export function graphSubject(
  model: Model,
  images: LabelledImages,
  seed: number,
  { runtime, progress }: Pick<RunOptions, "runtime" | "progress"> = {},
): Subject {
  const { shape, classes } = images;
  return {
    ...{ model, shape, classes, images, random: randomStream(seed, "scan") },
    ...(runtime === undefined ? {} : { runtime }),
    ...(progress === undefined ? {} : { progress }),
  };
}

/** What the graph detectors find that is more than worth knowing, the gravest first. */
export async function checkGraph(subject: Subject): Promise<readonly Finding[]> {
  return (await scanGraph(subject)).filter(({ level }) => level !== "note");
}

/** One line for each finding that is certain, and one for all others; none for nothing. */
export function graphWarnings(findings: readonly Finding[], where: string): readonly string[] {
  const planted = findings.filter(({ level }) => level === "planted");
  const others = findings.length - planted.length;
  return [
    ...planted.map(({ what }) => `warning: ${where}: something is planted in its graph. ${what}`),
    ...(planted.length > 0 || others === 0
      ? []
      : [`note: ${where}: its graph holds what innocent ones seldom hold. ${findings[0]?.what ?? ""}`]),
  ];
}

/** Whether something is still planted in a graph. */
export function gateStands(findings: readonly Finding[]): boolean {
  return findings.some(({ level }) => level === "planted");
}
