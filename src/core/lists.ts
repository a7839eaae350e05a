/** @file Lists: what the language lacks. */

/** Each item once, in order of first appearance. */
export function distinct<T>(items: readonly T[]): T[] {
  return [...new Set(items)];
}

/** @throws RangeError for a position that the list does not have: the caller was wrong about it. */
export function at<T>(items: readonly T[], position: number): T {
  const item = items[position];
  if (item === undefined) throw new RangeError(`there is no entry ${position} in a list of ${items.length}`);
  return item;
}
