/** @file The benchmark's results as lines of text. */

import type { Device } from "../src/runtime/options.js";
import type { Case } from "./cases.js";
import type { MatchResult, Times } from "./match.js";
import type { ScalingResult } from "./scaling.js";

/**
 * Times that differ more say something of the machine: on a virtual one whose sleeping threads seem to wake late, steps
 * of PyTorch's that take 8 ms took 50 for whole runs.
 */
const UNSTEADY = 2;

/** Aims are for the CPU. */
export function describeMatch({ id, title, target }: Case, result: MatchResult, device: Device): string {
  const { wildmark, torch, sgemm, share, ratio, agreement } = result;
  const lines = [`(${id}) ${title}`, side("Wildmark", result.unit, wildmark, share)];
  if (torch !== undefined) lines.push(side("PyTorch", result.unit, torch, torch.share));
  lines.push(side("SGEMM", "product", sgemm, 1));
  const aim = device === "cpu" ? ` (aim ${target.toFixed(1)})` : "";
  if (ratio !== undefined && torch !== undefined) {
    lines.push(
      `    PyTorch / Wildmark ${ratio.toFixed(2)}${aim}, of least times ${(torch.min / wildmark.min).toFixed(2)}`,
    );
    lines.push(...unsteady("Wildmark", wildmark), ...unsteady("PyTorch", torch));
  }
  if (agreement !== undefined) lines.push(`    ${agreement.text}${agreement.sound ? "" : ": NOT THE SAME WORK"}`);
  return lines.join("\n");
}

export function describeScaling({ title, of, unit, points }: ScalingResult): string {
  const rows = points.map(({ size, median }, i) => {
    const before = points[i - 1];
    const growth =
      before === undefined
        ? ""
        : `  ${(median / before.median).toFixed(2)} times as long for ${(size / before.size).toFixed(2)} times as much`;
    return `    ${String(size).padStart(6)}  ${milliseconds(median)} / ${unit}${growth}`;
  });
  return [`${title}; ${of}:`, ...rows].join("\n");
}

function side(name: string, unit: string, { min, median, gflops }: Times, share: number): string {
  const speed = `${gflops.toFixed(0).padStart(4)} GFLOP/s, ${(100 * share).toFixed(0).padStart(3)} % of SGEMM`;
  return (
    `    ${name.padEnd(8)}  min ${milliseconds(min)}  median ${milliseconds(median)} / ` + `${unit.padEnd(7)}  ${speed}`
  );
}

function unsteady(name: string, { min, median }: Times): string[] {
  if (median <= UNSTEADY * min) return [];
  return [`    UNSTEADY: ${name}'s median is ${(median / min).toFixed(1)} times its least; do not believe that ratio`];
}

function milliseconds(value: number): string {
  const digits = value < 10 ? 2 : value < 100 ? 1 : 0;
  return `${value.toFixed(digits).padStart(6)} ms`;
}
