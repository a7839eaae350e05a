/** @file "Did you mean …?": the known word that a misspelt one is nearest to. */

/** The nearest of `known` words, where it is near enough to be meant: one letter in three may be wrong. */
export function nearestWord(word: string, known: readonly string[]): string | undefined {
  const distances = known.map((each) => ({ each, distance: editDistance(word.toLowerCase(), each.toLowerCase()) }));
  const [best] = distances.sort((a, b) => a.distance - b.distance);
  return best !== undefined && best.distance <= Math.max(1, Math.floor(word.length / 3)) ? best.each : undefined;
}

/** "; did you mean lambda?", or nothing. */
export function didYouMean(word: string, known: readonly string[]): string {
  const meant = nearestWord(word, known);
  return meant === undefined ? "" : `; did you mean ${meant}?`;
}

/** Letters to insert, delete, replace, or swap with their neighbour (optimal string alignment). */
function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let above = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (above[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      row.push(
        Math.min(replaced, (above[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, swapped ? (before[j - 2] ?? 0) + 1 : replaced),
      );
    }
    before = above;
    above = row;
  }
  return above[b.length] ?? 0;
}
