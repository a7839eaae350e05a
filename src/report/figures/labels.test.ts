import { describe, expect, it } from "vitest";
import { placeBeside, spreadApart } from "./labels.js";

describe("spreadApart", () => {
  it("leaves what is far apart, and keeps the order of the input", () => {
    expect(spreadApart([50, 10], 5, 0, 100)).toEqual([50, 10]);
  });

  it("centres labels that touch around their mean", () => {
    expect(spreadApart([50, 50, 52], 6, 0, 100).map((y) => Math.round(y * 10) / 10)).toEqual([44.7, 50.7, 56.7]);
  });

  it("merges stacks that run into each other and stays within bounds", () => {
    const positions = spreadApart([99, 98.5, 98, 97, 90], 5, 0, 100);
    const sorted = [...positions].sort((a, b) => a - b);
    for (let i = 1; i < sorted.length; i++)
      expect((sorted[i] ?? 0) - (sorted[i - 1] ?? 0)).toBeGreaterThanOrEqual(5 - 1e-9);
    expect(Math.max(...positions)).toBeLessThanOrEqual(100);
    expect(positions[0]).toBeGreaterThan(positions[4] ?? 0);
  });
});

describe("placeBeside", () => {
  const frame = { left: 0, top: 0, right: 200, bottom: 200 };
  const wish = { x: 100, y: 100, width: 40, height: 12 };

  it("prefers the right, then makes room", () => {
    const [first, second] = placeBeside([wish, wish], [], frame);
    expect(first).toEqual({ x: 109, y: 100 });
    expect(second?.x).toBe(51);
  });

  it("avoids obstacles and the edge", () => {
    const [place] = placeBeside([{ ...wish, x: 190 }], [{ left: 130, right: 190, top: 90, bottom: 110 }], frame);
    expect((place?.x ?? 999) + wish.width).toBeLessThanOrEqual(200);
    expect(Math.abs((place?.y ?? 100) - 100)).toBeGreaterThanOrEqual(wish.height);
  });
});
