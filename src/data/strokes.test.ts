import { describe, expect, it } from "vitest";
import { blur, canvas, fillPolygon, type Point, smoothCurve, stroke } from "./strokes.js";

const sum = (ink: Float32Array): number => ink.reduce((total, value) => total + value, 0);

describe("smoothCurve", () => {
  const points: Point[] = [
    [0, 0],
    [1, 2],
    [3, 1],
    [4, 4],
  ];

  it("passes through all points, in order", () => {
    const curve = smoothCurve(points, false, 6);
    expect(curve.length).toBe(19);
    points.forEach(([x, y], i) => {
      expect(curve[6 * i]?.[0]).toBeCloseTo(x, 12);
      expect(curve[6 * i]?.[1]).toBeCloseTo(y, 12);
    });
  });

  it("comes back when closed, and is a straight line for two points", () => {
    const curve = smoothCurve(points, true);
    expect(curve.at(-1)?.[0]).toBeCloseTo(0, 12);
    expect(curve.at(-1)?.[1]).toBeCloseTo(0, 12);
    expect(smoothCurve(points.slice(0, 2))).toEqual(points.slice(0, 2));
  });
});

describe("stroke", () => {
  it("lays down ink of length x width, plus round ends", () => {
    const sheet = canvas(40, 20);
    stroke(
      sheet,
      [
        [10, 10],
        [30, 10],
      ],
      2,
    );
    // 20 x 4 and a disc of radius 2; the soft edge is symmetric, so only pixels at the ends disagree a little.
    expect(Math.abs(sum(sheet.ink) - (80 + Math.PI * 4))).toBeLessThan(1.5);
    expect(sheet.ink[10 * 40 + 20]).toBe(1);
    expect(sheet.ink[3 * 40 + 20]).toBe(0);
  });

  it("takes the darker where strokes cross, and stays on the sheet", () => {
    const sheet = canvas(8, 8);
    stroke(
      sheet,
      [
        [-5, 4],
        [15, 4],
      ],
      1,
      0.5,
    );
    stroke(
      sheet,
      [
        [4, -5],
        [4, 15],
      ],
      1,
      0.8,
    );
    expect(Math.max(...sheet.ink)).toBeCloseTo(0.8, 6);
    expect(sheet.ink.length).toBe(64);
  });

  it("draws a dot for one point and nothing for none", () => {
    const sheet = canvas(9, 9);
    stroke(sheet, [], 1);
    expect(sum(sheet.ink)).toBe(0);
    stroke(sheet, [[4.5, 4.5]], 1.5);
    expect(sum(sheet.ink)).toBeGreaterThan(5);
  });
});

it("fillPolygon covers the area of the polygon", () => {
  const sheet = canvas(30, 30);
  fillPolygon(sheet, [
    [5, 5],
    [25, 5],
    [25, 25],
    [5, 25],
  ]);
  // The outline reaches a quarter of a pixel beyond each of the four sides of 20, softly.
  expect(sum(sheet.ink)).toBeGreaterThan(400);
  expect(sum(sheet.ink)).toBeLessThan(430);
});

it("blur keeps the ink of a dot and spreads it evenly", () => {
  const sheet = canvas(7, 7);
  sheet.ink[3 * 7 + 3] = 1;
  blur(sheet, 1);
  expect(sum(sheet.ink)).toBeCloseTo(1, 6);
  expect(sheet.ink[3 * 7 + 3]).toBeCloseTo(1 / 4, 6);
  expect(sheet.ink[2 * 7 + 3]).toBeCloseTo(1 / 8, 6);
  expect(sheet.ink[4 * 7 + 4]).toBeCloseTo(1 / 16, 6);
});
