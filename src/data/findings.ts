/**
 * @file What makes labelled images doubtful by themselves, wherever they come from: classes without images, and pixels
 * of another scale than 0 to 255.
 *
 * All of it may be meant, so nothing is refused; it is said, and documents repeat it.
 */

import { type Dataset, imageAt, type LabelledImages } from "./dataset.js";

/** Classes named before the rest is counted. */
const SHOWN_CLASSES = 10;

/** Findings, a sentence each; none where nothing is odd. */
export function findingsIn(dataset: Pick<Dataset, "train" | "test" | "classNames">): string[] {
  return [...emptyClasses(dataset), ...scales(dataset)];
}

function emptyClasses({ train, test, classNames }: Pick<Dataset, "train" | "test" | "classNames">): string[] {
  const [untrained, untested] = [train, test].map(({ classes, labels }) => {
    const present = new Set(labels);
    return Array.from({ length: classes }, (_, label) => label).filter((label) => !present.has(label));
  });
  const said = (labels: readonly number[] | undefined, what: string): string[] => {
    if (labels === undefined || labels.length === 0) return [];
    const shown = labels.slice(0, SHOWN_CLASSES).map((label) => {
      const name = classNames?.[label];
      return name === undefined || name === String(label) ? String(label) : `${label} ${JSON.stringify(name)}`;
    });
    const more = labels.length - shown.length;
    const which = `${shown.join(", ")}${more === 0 ? "" : ` and ${more} more`}`;
    return [`empty classes: ${labels.length} of ${train.classes} have no ${what} image: ${which}`];
  };
  return [...said(untrained, "training"), ...said(untested, "test")];
}

/** Images by their largest byte: 0, 1, or more. */
interface Brightness {
  readonly black: number;
  /** The largest byte is 1. */
  readonly dim: number;
  readonly all: number;
}

function scales({ train, test }: Pick<Dataset, "train" | "test">): string[] {
  const splits = [brightness(train), brightness(test)];
  const sum = (of: (part: Brightness) => number): number => splits.reduce((total, part) => total + of(part), 0);
  const [black, dim, all] = [sum((part) => part.black), sum((part) => part.dim), sum((part) => part.all)];
  if (black === all) return [`black images: every pixel of all ${all} images is 0`];
  if (dim === 0) return [];
  if (dim + black === all) {
    return [
      `0/1 bytes: no pixel of ${all} images is above 1 of 255, so all are nearly black; were they meant to be 0 to 1?`,
    ];
  }
  return [
    `mixed scales: ${dim} of ${all} images have no pixel above 1 of 255, the others have; were some saved ` +
      `as 0 to 1 and ` +
      "some as 0 to 255?",
  ];
}

/** Each image is left at its first byte above 1: of most images that is soon. */
function brightness(images: LabelledImages): Brightness {
  let [black, dim] = [0, 0];
  for (let i = 0; i < images.count; i++) {
    let largest = 0;
    for (const pixel of imageAt(images, i)) {
      if (pixel > largest) largest = pixel;
      if (largest > 1) break;
    }
    if (largest === 0) black++;
    else if (largest === 1) dim++;
  }
  return { black, dim, all: images.count };
}
