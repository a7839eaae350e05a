/** @file Where labels go so that they do not cover one another. */

/** A box in pixels, y downwards. */
export interface Box {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/**
 * Moves positions apart along one axis until neighbours are at least `gap` apart, each as near as can be to where it
 * wants to be (groups of touching labels sit around their mean), within [low, high] if they fit.
 *
 * @returns The new positions, in the order of the input.
 */
export function spreadApart(wanted: readonly number[], gap: number, low: number, high: number): readonly number[] {
  const order = wanted.map((_, i) => i).sort((a, b) => (wanted[a] ?? 0) - (wanted[b] ?? 0) || a - b);
  // Stacks of labels that touch: each knows its members' wishes and where its first label sits.
  const stacks: { wishes: number[]; start: number }[] = [];
  const settle = (wishes: readonly number[]): number => {
    const ideal = wishes.reduce((sum, wish, i) => sum + wish - i * gap, 0) / wishes.length;
    return Math.max(low, Math.min(high - (wishes.length - 1) * gap, ideal));
  };
  for (const i of order) {
    let wishes = [wanted[i] ?? 0];
    let start = settle(wishes);
    for (let below = stacks.at(-1); below !== undefined; below = stacks.at(-1)) {
      if (below.start + below.wishes.length * gap <= start) break;
      wishes = [...below.wishes, ...wishes];
      start = settle(wishes);
      stacks.pop();
    }
    stacks.push({ wishes, start });
  }
  const positions = stacks.flatMap((stack) => stack.wishes.map((_, i) => stack.start + i * gap));
  const result = new Array<number>(wanted.length).fill(0);
  for (const [rank, i] of order.entries()) result[i] = positions[rank] ?? 0;
  return result;
}

/** A label to place beside a point. */
export interface Wish {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** Where a label ended: the middle of its left edge. */
export interface Place {
  readonly x: number;
  readonly y: number;
}

/**
 * Places labels beside their points, one after the other: right, left, below, above or further out, wherever a label
 * lies within the frame and covers least of the obstacles and of the labels placed before.
 */
export function placeBeside(wishes: readonly Wish[], obstacles: readonly Box[], frame: Box): readonly Place[] {
  const names: Box[] = [];
  return wishes.map((wish) => {
    const spots = spotsAround(wish).map((spot, rank) => {
      // The spots are in order of preference: a covered pixel or two is better than a name far from its dot.
      return { spot, cost: coverage(boxOf(spot, wish), obstacles, names, frame) + rank };
    });
    const best = spots.reduce((a, b) => (b.cost < a.cost ? b : a));
    names.push(boxOf(best.spot, wish));
    return best.spot;
  });
}

function spotsAround({ x, y, width, height }: Wish): readonly [Place, ...Place[]] {
  const right = x + 9;
  const left = x - 9 - width;
  const middle = x - width / 2;
  const near: readonly [Place, ...Place[]] = [
    { x: right, y },
    { x: right + 9, y },
    { x: left, y },
    { x: x - 4, y: y + height },
    { x: middle, y: y - height },
    { x: middle, y: y + height },
  ];
  const far = [0.8, 1.4, 2, 2.6, 3.2, 3.8, 4.4, 5.2, 6, 6.8, 7.6].flatMap((k) =>
    [right, left, middle].flatMap((at) => [
      { x: at, y: y - k * height },
      { x: at, y: y + k * height },
    ]),
  );
  return [...near, ...far];
}

function boxOf({ x, y }: Place, { width, height }: Wish): Box {
  return { left: x, right: x + width, top: y - height / 2, bottom: y + height / 2 };
}

/** Pixels covered, weighted: a dot under a name can still be seen, a name under a name cannot be read. */
function coverage(box: Box, obstacles: readonly Box[], names: readonly Box[], frame: Box): number {
  const inside = overlap(box, frame);
  const outside = (box.right - box.left) * (box.bottom - box.top) - inside;
  const covered = (boxes: readonly Box[]): number => boxes.reduce((sum, other) => sum + overlap(box, other), 0);
  return covered(obstacles) + 6 * covered(names) + 10 * outside;
}

function overlap(a: Box, b: Box): number {
  const width = Math.min(a.right, b.right) - Math.max(a.left, b.left);
  const height = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
  return width > 0 && height > 0 ? width * height : 0;
}
