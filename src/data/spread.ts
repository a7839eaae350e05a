/** @file Some of many, spread evenly: sets that are sorted by class give some of every class. */

/** Up to `most` of the numbers 0 … count − 1, ascending, as evenly spread as can be. */
export function evenly(count: number, most: number): Uint32Array {
  const size = Math.min(count, most);
  return Uint32Array.from({ length: size }, (_, i) => Math.floor(((i + 0.5) * count) / size));
}
