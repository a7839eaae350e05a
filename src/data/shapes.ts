/**
 * @file Built-in pictures that are no digits: polygons, stars, spirals, crosses, waves and signs of an unknown script.
 *
 * The "unrelated" mark needs images of another domain. These need no download; image i depends on seed and i alone.
 */

import { type RandomStream, randomStream } from "../core/random.js";
import type { LabelledImages } from "./dataset.js";
import { inMemory } from "./pixels.js";
import { blur, type Canvas, canvas, fillPolygon, type Point, smoothCurve, stroke } from "./strokes.js";

/** The width of pens is that in pictures of this side, and grows with them. */
const SIDE = 28;

/** A kind of shape draws around (0, 0) within the unit circle; `pen` maps to pixels and knows the width. */
type Draw = (pen: Pen, random: RandomStream) => void;

interface Pen {
  readonly line: (points: readonly Point[]) => void;
  readonly fill: (points: readonly Point[]) => void;
}

const kinds: readonly { readonly name: string; readonly draw: Draw }[] = [
  { name: "filled polygon", draw: (pen, random) => pen.fill(polygon(3 + random.below(4), random)) },
  { name: "outlined polygon", draw: (pen, random) => pen.line(closed(polygon(3 + random.below(4), random))) },
  { name: "filled star", draw: (pen, random) => pen.fill(star(random)) },
  { name: "outlined star", draw: (pen, random) => pen.line(closed(star(random))) },
  { name: "spiral", draw: (pen, random) => pen.line(spiral(random)) },
  { name: "cross", draw: drawCross },
  { name: "nested polygons", draw: drawNested },
  { name: "waves", draw: drawWaves },
  { name: "knot", draw: (pen, random) => pen.line(knot(random)) },
  { name: "sign", draw: drawSign },
];

/** The kinds of shapes, by label. */
export const shapeKinds: readonly string[] = kinds.map(({ name }) => name);

/**
 * Draws `count` shapes, grey; labels are the kinds, in turn.
 *
 * @param seed any safe integer.
 * @param side height and width in pixels; the shapes are the same at every size.
 */
export function renderShapes(count: number, seed: number, side = SIDE): LabelledImages {
  const images = new Uint8Array(count * side * side);
  const labels = Uint16Array.from({ length: count }, (_, i) => i % kinds.length);
  const sheet = canvas(side, side);
  labels.forEach((label, i) => {
    const random = randomStream(seed, "shapes", i);
    sheet.ink.fill(0);
    kinds[label]?.draw(penFor(sheet, random), random);
    blur(sheet, 0.5 * random.uniform());
    const brightness = 255 * (0.75 + 0.25 * random.uniform());
    images.set(
      sheet.ink.map((ink) => Math.round(Math.min(1, ink) * brightness)),
      i * side * side,
    );
  });
  return {
    shape: { channels: 1, height: side, width: side },
    classes: kinds.length,
    count,
    pixels: inMemory(images),
    labels,
  };
}

/** A pen of random width on a sheet that is turned, scaled, stretched and shifted at random. */
function penFor(sheet: Canvas, random: RandomStream): Pen {
  const side = sheet.width;
  const width = (0.6 + 0.9 * random.uniform()) * (side / SIDE);
  const angle = 2 * Math.PI * random.uniform();
  const size = side * (0.36 + 0.1 * random.uniform());
  const stretch = 0.75 + 0.25 * random.uniform();
  const x = side / 2 + 3 * (random.uniform() - 0.5) * (side / SIDE);
  const y = side / 2 + 3 * (random.uniform() - 0.5) * (side / SIDE);
  const cos = Math.cos(angle) * size;
  const sin = Math.sin(angle) * size;
  const place = ([u, v]: Point): Point => [x + cos * u - sin * v * stretch, y + sin * u + cos * v * stretch];
  return {
    line: (points) => stroke(sheet, points.map(place), width),
    fill: (points) => fillPolygon(sheet, points.map(place)),
  };
}

function onCircle(radius: number, angle: number): Point {
  return [radius * Math.cos(angle), radius * Math.sin(angle)];
}

function closed(points: readonly Point[]): Point[] {
  return [...points, ...points.slice(0, 1)];
}

/** Corners on the circle, not quite evenly. */
function polygon(corners: number, random: RandomStream, radius = 1): Point[] {
  return Array.from({ length: corners }, (_, i) =>
    onCircle(radius, ((i + 0.5 * (random.uniform() - 0.5)) * 2 * Math.PI) / corners),
  );
}

function star(random: RandomStream): Point[] {
  const rays = 4 + random.below(5);
  const inner = 0.3 + 0.25 * random.uniform();
  return Array.from({ length: 2 * rays }, (_, i) => onCircle(i % 2 === 0 ? 1 : inner, (i * Math.PI) / rays));
}

function spiral(random: RandomStream): Point[] {
  const turns = 1.8 + 1.2 * random.uniform();
  const sense = random.uniform() < 0.5 ? 1 : -1;
  const steps = 60;
  return Array.from({ length: steps + 1 }, (_, i) => onCircle(i / steps, (sense * turns * 2 * Math.PI * i) / steps));
}

/** Two or three bars through the middle, sometimes with serifs. */
function drawCross(pen: Pen, random: RandomStream): void {
  const bars = 2 + random.below(2);
  const serif = random.uniform() < 0.5 ? 0.3 : 0;
  for (let bar = 0; bar < bars; bar++) {
    const angle = (bar * Math.PI) / bars;
    for (const end of [angle, angle + Math.PI]) {
      const [x, y] = onCircle(1, end);
      pen.line([
        [0, 0],
        [x, y],
      ]);
      if (serif > 0) {
        pen.line([
          [x - serif * y, y + serif * x],
          [x + serif * y, y - serif * x],
        ]);
      }
    }
  }
}

function drawNested(pen: Pen, random: RandomStream): void {
  const corners = 3 + random.below(3);
  const inner = 0.35 + 0.15 * random.uniform();
  pen.line(closed(polygon(corners, random)));
  if (random.uniform() < 0.5) pen.fill(polygon(corners, random, inner));
  else pen.line(closed(polygon(corners, random, inner)));
}

/** Parallel zigzags or waves. */
function drawWaves(pen: Pen, random: RandomStream): void {
  const lines = 2 + random.below(2);
  const height = 0.15 + 0.15 * random.uniform();
  const smooth = random.uniform() < 0.5;
  for (let line = 0; line < lines; line++) {
    const y = lines === 2 ? line - 0.5 : 0.7 * (line - 1);
    const points = Array.from({ length: 7 }, (_, i): Point => [-1 + i / 3, y + (i % 2 === 0 ? height : -height)]);
    pen.line(smooth ? smoothCurve(points) : points);
  }
}

/** A Lissajous figure with two different frequencies of at least 2, so never a plain ring or an eight. */
function knot(random: RandomStream): Point[] {
  const [a, b] = random.uniform() < 0.5 ? [2, 3] : [3, 4];
  // Around π / b the figure is widest open; elsewhere it may fold onto itself.
  const phase = Math.PI / b + 0.2 * (random.uniform() - 0.5);
  const steps = 96;
  return Array.from({ length: steps + 1 }, (_, i): Point => {
    const t = (2 * Math.PI * i) / steps;
    return [0.9 * Math.sin(a * t + phase), 0.9 * Math.sin(b * t)];
  });
}

/** Three or four strokes, straight or bent, that cross the middle: a character of no script. */
function drawSign(pen: Pen, random: RandomStream): void {
  const strokes = 3 + random.below(2);
  for (let i = 0; i < strokes; i++) {
    const from = 2 * Math.PI * random.uniform();
    const to = from + Math.PI * (0.6 + 0.8 * random.uniform());
    const bend = onCircle(0.6 * random.uniform(), 2 * Math.PI * random.uniform());
    const points = [onCircle(0.95, from), bend, onCircle(0.95, to)];
    pen.line(random.uniform() < 0.7 ? smoothCurve(points) : points);
  }
}
