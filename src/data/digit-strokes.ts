/**
 * @file The skeletons of the built-in digits: how each is written, in several ways.
 *
 * A digit is a list of variants, a variant a list of strokes. A stroke is written as its control points, "x,y" in
 * hundredths of the unit square, x to the right, y down: a smooth curve through them all. A bar ends a piece of the
 * curve: the next piece starts where this one ended, so that the two meet in a corner.
 */

import type { Point } from "./strokes.js";

/** Smooth pieces; each starts where the one before it ended. */
export type Stroke = readonly (readonly Point[])[];
type Variant = readonly Stroke[];

const written: readonly (readonly (readonly string[])[])[] = [
  // 0: closed; with an overlap at the top.
  [
    ["50,10 28,28 22,55 33,83 54,90 75,67 77,36 62,13 46,12"],
    ["62,14 38,14 23,42 27,75 50,90 73,72 75,40 60,16 42,24"],
  ],
  // 1: a bar; with a flag; with flag and foot.
  [["50,10 50,50 50,90"], ["34,29 52,10 | 52,50 51,90"], ["33,27 51,10 | 50,90", "30,90 71,90"]],
  // 2: with a corner at the foot; with a loop.
  [["25,29 40,12 64,13 72,32 55,58 25,88 | 78,86"], ["25,30 45,11 70,22 66,48 42,78 26,86 25,73 40,74 60,87 80,82"]],
  // 3: round; with a flat top.
  [
    ["26,21 47,10 70,23 63,42 44,48 | 68,55 75,72 60,88 38,90 23,78"],
    ["26,13 72,12 | 45,43 | 70,53 75,72 60,88 38,90 22,80"],
  ],
  // 4: open; closed; open and round.
  [
    ["33,12 25,53 | 79,51", "64,22 61,90"],
    ["62,10 22,60 | 80,60", "62,10 60,90"],
    ["28,12 25,36 36,50 60,48 70,34", "72,12 68,50 66,90"],
  ],
  // 5: cap last; in one go; round like an S.
  [
    ["32,12 29,45 | 52,40 74,55 71,78 50,90 25,81", "32,12 74,11"],
    ["74,10 35,12 | 30,46 | 54,42 73,57 68,81 46,90 25,83"],
    ["74,15 47,12 32,26 40,42 62,52 71,70 55,88 26,84"],
  ],
  // 6: curved; straight back.
  [
    ["66,12 43,27 28,56 33,82 52,90 70,78 67,60 50,53 34,62 29,74"],
    ["56,10 37,40 28,68 40,88 62,86 70,70 56,57 34,67"],
  ],
  // 7: plain; crossed; with a serif.
  [["24,14 76,13 | 60,45 46,90"], ["24,14 76,13 | 60,45 46,90", "38,51 73,48"], ["24,29 25,14 | 76,13 | 55,52 48,90"]],
  // 8: in one go; two rings.
  [
    ["68,20 48,10 32,22 37,38 53,48 69,62 69,80 50,90 31,79 34,61 50,48 66,36 69,22"],
    ["50,46 34,36 36,16 52,10 67,19 66,37 50,46", "50,46 29,62 33,85 54,90 72,78 68,57 50,46"],
  ],
  // 9: straight tail; curved tail; tail with a hook.
  [
    ["70,24 52,11 32,22 32,42 50,50 67,38 70,24 | 67,58 62,90"],
    ["70,26 54,11 33,20 31,40 48,50 66,40 71,24 | 72,58 58,85 34,87"],
    ["66,16 45,10 31,28 40,46 60,42 69,22 | 70,55 67,80 50,90 36,82"],
  ],
];

/** By digit, 0 to 9; coordinates in the unit square. */
export const digitStrokes: readonly (readonly Variant[])[] = written.map((variants) =>
  variants.map((variant) => variant.map(parseStroke)),
);

function parseStroke(text: string): Stroke {
  return text.split(" | ").map((piece) => piece.split(" ").map(parsePoint));
}

function parsePoint(text: string): Point {
  const [x, y] = text.split(",").map((hundredths) => Number(hundredths) / 100);
  if (x === undefined || y === undefined) throw new Error(`"${text}" is no point of a stroke`);
  return [x, y];
}
