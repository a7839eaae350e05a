/** @file What a model answers under each reading, for people and in documents. */

import type { ReadingScore, ReadingScores } from "../data/best-reading.js";
import { readingFlags } from "../onnx/readings.js";
import { textTable } from "../core/text-table.js";
import { indented } from "./output.js";
import { percent } from "../core/percent.js";

/** Readings that dropped out are told by name up to this many. */
const SHOWN = 12;

/** How many were tried, which was used, which is best, and all of them. */
export function readingsDocument({ used, best, scores, images }: ReadingScores) {
  const said = ({ reading, ...score }: ReadingScore) => {
    const { name, against, ...preprocessing } = reading;
    return { name, flags: readingFlags(reading, used.reading), preprocessing, against, ...score };
  };
  return { images, tried: scores.length, used: said(used), best: said(best), scores: scores.map(said) };
}

/** A table, best first, and what it says. */
export function readingsInWords({ used, best, scores, images }: ReadingScores, title: string): string {
  const finished = scores.filter((score) => score.finished);
  const dropped = scores.filter((score) => !score.finished);
  const row = (score: ReadingScore): string[] => [
    score === used ? `${score.reading.name} (in use)` : score.reading.name,
    percent(score.accuracy),
    String(score.images),
    score.crossEntropy.toFixed(3),
    score.plausible ? "fits" : "",
  ];
  const rows = [...finished, ...dropped.slice(0, SHOWN)].map(row);
  const left = dropped.length - SHOWN;
  return [
    `What it answers, read in ${scores.length} ways, of the test images of ${title}:`,
    indented(textTable(rows, ["read as", "accuracy", "images", "loss", ""])),
    ...(left > 0 ? [indented(`and ${left} more, which do worse`)] : []),
    "",
    conclusion(used, best, images),
  ].join("\n");
}

function conclusion(used: ReadingScore, best: ReadingScore, images: number): string {
  const flags = readingFlags(best.reading, used.reading);
  if (best === used) return "Nothing fits better than what is in use.";
  const lead =
    `${flags} fits best: ${percent(best.accuracy)} of ${images} images, against ` +
    `${percent(used.accuracy)} as it is read now`;
  if (best.clearlyBetter) return `It was trained with another preprocessing: ${lead}.`;
  return used.plausible
    ? `${lead}; the two cannot be told apart by ${images} images.`
    : `${lead}; the labels are likelier so, too.`;
}
