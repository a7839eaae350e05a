/**
 * @file The built-in data set: ten digits, drawn as a pen would, 28×28, grey.
 *
 * Each image is one of several ways to write its digit (`digit-strokes.ts`), with shaken control points, bent by a
 * smooth random field, sheared, turned, scaled and shifted, written with a pen of some width and pressure, then
 * blurred, faded and disturbed. Everything about image i of a split depends on seed, split and i alone, so that a
 * shorter set is the beginning of a longer one. It needs no download and no licence, and is made hard enough that a
 * small network errs.
 */

import { permutation, type RandomStream, randomStream } from "../core/random.js";
import type { LabelledImages } from "./dataset.js";
import { digitStrokes, type Stroke } from "./digit-strokes.js";
import { inMemory } from "./pixels.js";
import { blur, type Canvas, canvas, type Point, smoothCurve, stroke } from "./strokes.js";

export type Split = "train" | "test";

const SIDE = 28;
const CLASSES = 10;

/**
 * Draws the first `count` images of a split. Any ten in a row, from a multiple of ten on, hold each digit once.
 *
 * @param seed any safe integer.
 */
export function renderDigits(split: Split, count: number, seed: number): LabelledImages {
  const images = new Uint8Array(count * SIDE * SIDE);
  const labels = new Uint16Array(count);
  for (let block = 0; block * CLASSES < count; block++) {
    const dealt = permutation(CLASSES, randomStream(seed, "digits", split, "labels", block));
    labels.set(dealt.subarray(0, count - block * CLASSES), block * CLASSES);
  }
  const sheet = canvas(SIDE, SIDE);
  labels.forEach((label, i) => {
    const random = randomStream(seed, "digits", split, i);
    sheet.ink.fill(0);
    drawDigit(sheet, label, random);
    develop(sheet, images.subarray(i * SIDE * SIDE, (i + 1) * SIDE * SIDE), random);
  });
  return {
    shape: { channels: 1, height: SIDE, width: SIDE },
    classes: CLASSES,
    count,
    pixels: inMemory(images),
    labels,
  };
}

/** Writes one digit, and now and then a slip of the pen beside it. */
function drawDigit(sheet: Canvas, label: number, random: RandomStream): void {
  const variants = digitStrokes[label] ?? [];
  const variant = variants[random.below(variants.length)] ?? [];
  const shake = 0.01 + 0.018 * random.uniform();
  const place = placement(random);
  const width = 0.75 + 1.15 * random.uniform();
  const pressure = 0.3 * random.uniform();
  for (const pieces of variant) {
    const phase = 2 * Math.PI * random.uniform();
    const pen = (share: number): number => width * (1 + pressure * Math.sin(phase + 5 * share));
    stroke(sheet, trace(pieces, shake, random).map(place), pen);
  }
  if (random.uniform() < 0.12) slip(sheet, width, random);
}

/** The curve of one stroke, its control points shaken; pieces are joined by corners. */
function trace(pieces: Stroke, shake: number, random: RandomStream): Point[] {
  const curve: Point[] = [];
  for (const piece of pieces) {
    const shaken = piece.map(([x, y]): Point => [x + shake * random.normal(), y + shake * random.normal()]);
    const corner = curve.at(-1);
    curve.push(...smoothCurve(corner === undefined ? shaken : [corner, ...shaken]));
  }
  return curve;
}

/** A random map from the unit square of the skeletons to pixels: bend, then scale, shear, turn and shift. */
function placement(random: RandomStream): (point: Point) => Point {
  const bend = bendField(random);
  const spread = (by: number): number => by * (2 * random.uniform() - 1);
  const size = 24 * (0.88 + spread(0.14));
  const slim = 0.95 + spread(0.17);
  const shear = 0.1 + spread(0.33);
  const angle = spread(0.19);
  const cos = Math.cos(angle);
  const sin = Math.sin(angle);
  const middleX = SIDE / 2 + spread(2);
  const middleY = SIDE / 2 + spread(2);
  return (point) => {
    const [bentX, bentY] = bend(point);
    const y = size * (bentY - 0.5);
    const x = size * slim * (bentX - 0.5) - shear * y;
    return [middleX + cos * x - sin * y, middleY + sin * x + cos * y];
  };
}

/** A smooth displacement: for each axis the sum of two waves of random direction, about one period over the digit. */
function bendField(random: RandomStream): (point: Point) => Point {
  const strength = 0.025 + 0.027 * random.uniform();
  const wave = (): ((x: number, y: number) => number) => {
    const frequencyX = 4 * random.normal();
    const frequencyY = 4 * random.normal();
    const phase = 2 * Math.PI * random.uniform();
    return (x, y) => strength * Math.sin(phase + frequencyX * x + frequencyY * y);
  };
  const [a, b, c, d] = [wave(), wave(), wave(), wave()];
  return ([x, y]) => [x + a(x, y) + b(x, y), y + c(x, y) + d(x, y)];
}

/** A short straight stroke anywhere on the sheet. */
function slip(sheet: Canvas, width: number, random: RandomStream): void {
  const x = SIDE * random.uniform();
  const y = SIDE * random.uniform();
  const angle = 2 * Math.PI * random.uniform();
  const length = 2 + 6 * random.uniform();
  stroke(
    sheet,
    [
      [x, y],
      [x + length * Math.cos(angle), y + length * Math.sin(angle)],
    ],
    0.8 * width,
  );
}

/** From ink to bytes: blur, a gap where the pen did not write, brightness, noise. */
function develop(sheet: Canvas, target: Uint8Array, random: RandomStream): void {
  if (random.uniform() < 0.2) wipe(sheet, random);
  blur(sheet, 0.9 * random.uniform());
  const brightness = 255 * (0.7 + 0.3 * random.uniform());
  const noise = random.uniform() < 0.5 ? 0 : 255 * 0.12 * random.uniform();
  sheet.ink.forEach((ink, i) => {
    // Paper noise is cut off at black by the clamp, so the background stays dark.
    const value = brightness * ink + (noise === 0 ? 0 : noise * random.normal());
    target[i] = Math.max(0, Math.min(255, Math.round(value)));
  });
}

/** Takes the ink off a small disc near the middle. */
function wipe(sheet: Canvas, random: RandomStream): void {
  const x = SIDE * (0.25 + 0.5 * random.uniform());
  const y = SIDE * (0.2 + 0.6 * random.uniform());
  const radius = 1.2 + 1.8 * random.uniform();
  sheet.ink.forEach((ink, i) => {
    const distance = Math.hypot((i % SIDE) + 0.5 - x, Math.floor(i / SIDE) + 0.5 - y);
    if (ink > 0 && distance < radius + 0.5) sheet.ink[i] = ink * Math.max(0, distance - radius + 0.5);
  });
}
