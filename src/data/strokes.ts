/**
 * @file A pen and a brush for small grey pictures: smooth curves, anti-aliased strokes, filled polygons.
 *
 * Coordinates are pixels, x to the right, y down, (0, 0) the upper left corner of the picture. Ink is 0 (paper) to 1.
 * Edges are soft over one pixel, from the exact distance to the curve.
 */

/** x and y. */
export type Point = readonly [number, number];

/** A grey picture that is being drawn. */
export interface Canvas {
  readonly width: number;
  readonly height: number;
  /** Row-major, 0 to 1. */
  readonly ink: Float32Array;
}

export function canvas(width: number, height: number): Canvas {
  return { width, height, ink: new Float32Array(width * height) };
}

/**
 * A smooth curve through all points (Catmull-Rom), as a polyline.
 *
 * Two points give a straight line. A closed curve comes back to its first point.
 */
export function smoothCurve(points: readonly Point[], closed = false, stepsPerSpan = 6): Point[] {
  const count = points.length;
  const last = count - 1;
  const at = (i: number): Point => points[closed ? (i + count) % count : Math.min(last, Math.max(0, i))] ?? [0, 0];
  const curve: Point[] = [at(0)];
  const spans = closed ? count : last;
  const steps = count < 3 ? 1 : stepsPerSpan;
  for (let span = 0; span < spans; span++) {
    const [ax, ay] = at(span - 1);
    const [bx, by] = at(span);
    const [cx, cy] = at(span + 1);
    const [dx, dy] = at(span + 2);
    for (let step = 1; step <= steps; step++) {
      const t = step / steps;
      curve.push([catmullRom(ax, bx, cx, dx, t), catmullRom(ay, by, cy, dy, t)]);
    }
  }
  return curve;
}

/** The cubic from b (t = 0) to c (t = 1) whose slope at either is half the way between its neighbours. */
function catmullRom(a: number, b: number, c: number, d: number, t: number): number {
  return b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)));
}

/**
 * Draws a polyline with round ends; where strokes cross, the darker wins.
 *
 * @param radius half the width in pixels at a share (0 to 1) of the way along the points.
 */
export function stroke(
  target: Canvas,
  points: readonly Point[],
  radius: number | ((share: number) => number),
  strength = 1,
): void {
  const radiusAt = typeof radius === "number" ? () => radius : radius;
  const spans = Math.max(1, points.length - 1);
  points.forEach((from, i) => {
    const to = points[i + 1] ?? (points.length === 1 ? from : undefined);
    if (to !== undefined) strokeSpan(target, from, to, radiusAt((i + 0.5) / spans), strength);
  });
}

function strokeSpan(target: Canvas, [ax, ay]: Point, [bx, by]: Point, radius: number, strength: number): void {
  const { width, height, ink } = target;
  const reach = radius + 0.5;
  const left = Math.max(0, Math.floor(Math.min(ax, bx) - reach));
  const right = Math.min(width - 1, Math.floor(Math.max(ax, bx) + reach));
  const top = Math.max(0, Math.floor(Math.min(ay, by) - reach));
  const bottom = Math.min(height - 1, Math.floor(Math.max(ay, by) + reach));
  const dx = bx - ax;
  const dy = by - ay;
  const squared = dx * dx + dy * dy;
  for (let y = top; y <= bottom; y++) {
    for (let x = left; x <= right; x++) {
      const px = x + 0.5 - ax;
      const py = y + 0.5 - ay;
      const t = squared === 0 ? 0 : Math.min(1, Math.max(0, (px * dx + py * dy) / squared));
      const ex = px - t * dx;
      const ey = py - t * dy;
      const cover = Math.min(1, reach - Math.sqrt(ex * ex + ey * ey)) * strength;
      const pixel = y * width + x;
      if (cover > (ink[pixel] ?? 0)) ink[pixel] = cover;
    }
  }
}

/** Fills a polygon by the even-odd rule, closed by itself, its edge soft like that of a stroke. */
export function fillPolygon(target: Canvas, points: readonly Point[], strength = 1): void {
  const { width, height, ink } = target;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (inside(points, x + 0.5, y + 0.5)) ink[y * width + x] = Math.max(ink[y * width + x] ?? 0, strength);
    }
  }
  const [first] = points;
  if (first !== undefined) stroke(target, [...points, first], 0.25, strength);
}

/** Even-odd rule: is the point inside? */
function inside(points: readonly Point[], x: number, y: number): boolean {
  let odd = false;
  points.forEach(([ax, ay], i) => {
    const [bx, by] = points[(i + 1) % points.length] ?? [ax, ay];
    if (ay > y !== by > y && x < ax + ((y - ay) / (by - ay)) * (bx - ax)) odd = !odd;
  });
  return odd;
}

/** Blends each pixel with its eight neighbours: binomial weights, `amount` 0 (nothing) to 1 (all). */
export function blur(target: Canvas, amount: number): void {
  const { width, height, ink } = target;
  if (amount <= 0) return;
  const side = amount / 4;
  for (const [step, count, lines, stride] of [
    [1, width, height, width],
    [width, height, width, 1],
  ] as const) {
    for (let line = 0; line < lines; line++) {
      let before = 0;
      for (let i = 0; i < count; i++) {
        const at = line * stride + i * step;
        const here = ink[at] ?? 0;
        const after = i + 1 < count ? (ink[at + step] ?? 0) : 0;
        ink[at] = here + side * (before + after - 2 * here);
        before = here;
      }
    }
  }
}
