import { expect, it } from "vitest";
import { copyPixels } from "./dataset.js";
import { renderShapes, shapeKinds } from "./shapes.js";

const shapes = renderShapes(200, 1);
const pixels = copyPixels(shapes);

it("draws every kind in turn, each picture its own", () => {
  expect(shapes.classes).toBe(shapeKinds.length);
  expect([...shapes.labels.subarray(0, 12)]).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]);
  const pictures = Array.from({ length: 200 }, (_, i) => pixels.subarray(i * 784, (i + 1) * 784));
  expect(new Set(pictures.map((picture) => picture.join())).size).toBe(200);
  for (const picture of pictures) {
    const inked = picture.filter((pixel) => pixel > 100).length;
    expect(inked).toBeGreaterThan(15);
    expect(inked).toBeLessThan(600);
  }
});

it("is the beginning of a longer set, and depends on the seed alone", () => {
  expect(copyPixels(renderShapes(20, 1))).toEqual(pixels.subarray(0, 20 * 784));
  expect(copyPixels(renderShapes(20, 2))).not.toEqual(copyPixels(renderShapes(20, 1)));
});
