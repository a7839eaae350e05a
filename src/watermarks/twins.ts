/**
 * @file Twins: for each trigger a placebo of the same kind, drawn in the same way, that is never trained in. An
 * innocent model has no means to tell one from the other, so that whatever it makes of such images, it makes of both.
 */

export interface Twins<Item> {
  /** Triggers, and at the same place the placebo of each. */
  readonly firsts: readonly Item[];
  readonly seconds: readonly Item[];
  /** All others, in the order in which they came. */
  readonly rest: readonly Item[];
}

/**
 * Goes through items, which are in random order, and puts two of a kind together as they come.
 *
 * @param count how many pairs to make; there may be fewer, where too few items are of the same kind.
 */
export function twins<Item>(
  items: readonly Item[],
  kindOf: (item: Item) => string | number,
  count: number,
): Twins<Item> {
  const [firsts, seconds]: [Item[], Item[]] = [[], []];
  const waiting = new Map<string | number, Item>();
  const paired = new Set<Item>();
  for (const item of items) {
    if (firsts.length === count) break;
    const kind = kindOf(item);
    const first = waiting.get(kind);
    if (first === undefined) {
      waiting.set(kind, item);
      continue;
    }
    waiting.delete(kind);
    firsts.push(first);
    seconds.push(item);
    paired.add(first).add(item);
  }
  return { firsts, seconds, rest: items.filter((item) => !paired.has(item)) };
}
