/** @file Pictures of any graph can be read: no box on another, no line through a box, and each line from box to box. */

import fc from "fast-check";
import { expect, test } from "vitest";
import { type Box, layoutOf, type Layout } from "./layout.js";
import { outlineOf } from "./outline.js";
import { randomGraphs } from "./testing/random-graphs.js";
import { runsOf, unitsOf } from "./units.js";

const MEASURES = {
  boxWidth: 100,
  columnGap: 10,
  laneWidth: 16,
  heightOf: (content: Box["content"]) => (content.kind === "layer" ? 20 + 7 * (content.index % 3) : 15),
};

function overlap(a: Box, b: Box): boolean {
  return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
}

/** Whether a vertical or horizontal piece passes through the inside of a box. */
function crosses(from: readonly [number, number], to: readonly [number, number], box: Box): boolean {
  const [left, right] = [Math.min(from[0], to[0]), Math.max(from[0], to[0])];
  const [top, bottom] = [Math.min(from[1], to[1]), Math.max(from[1], to[1])];
  return left < box.x + box.width && right > box.x && top < box.y + box.height && bottom > box.y;
}

function boxesByIndex({ boxes }: Layout): ReadonlyMap<number, Box> {
  return new Map(
    boxes.flatMap((box) => {
      const { content } = box;
      return [[content.kind === "layer" ? content.index : (content.run.others.at(-1) ?? -1), box] as const];
    }),
  );
}

test("of any graph", () => {
  fc.assert(
    fc.property(randomGraphs, (graph) => {
      const outline = outlineOf(graph);
      const runs = runsOf(outline, unitsOf(outline));
      const layout = layoutOf(outline, runs, MEASURES);
      const { boxes, edges, width, height } = layout;
      for (const [i, box] of boxes.entries()) {
        expect(box.x).toBeGreaterThanOrEqual(0);
        expect(box.x + box.width).toBeLessThanOrEqual(width);
        expect(box.y + box.height).toBeLessThanOrEqual(height);
        for (const other of boxes.slice(i + 1)) expect(overlap(box, other)).toBe(false);
      }
      const placed = boxesByIndex(layout);
      for (const { from, to, corners } of edges) {
        const [start, end] = [placed.get(from), placed.get(to)];
        expect(corners[0]).toEqual([(start?.x ?? 0) + 50, (start?.y ?? 0) + (start?.height ?? 0)]);
        expect(corners.at(-1)).toEqual([(end?.x ?? 0) + 50, end?.y]);
        for (const [i, corner] of corners.slice(1).entries()) {
          const before = corners[i] ?? corner;
          expect(before[0] === corner[0] || before[1] === corner[1]).toBe(true);
          expect(before[1]).toBeLessThanOrEqual(corner[1]);
          expect(boxes.some((box) => crosses(before, corner, box))).toBe(false);
        }
      }
      // Every wire between layers that are drawn is a line.
      const drawn = new Set(runs.flatMap(({ units }) => units.flat()));
      const wires = [...drawn].flatMap((to) => (outline[to]?.inputs ?? []).map((from) => [from, to] as const));
      const lines = new Set(edges.map(({ from, to }) => `${from} ${to}`));
      for (const [from, to] of wires) expect(lines.has(`${from} ${to}`)).toBe(true);
    }),
    { numRuns: 300 },
  );
});
