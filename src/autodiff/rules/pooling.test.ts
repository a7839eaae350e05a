import { expect, test } from "vitest";
import { checkGradient } from "../testing/check-gradient.js";

test("MaxPool, ties: the whole gradient goes to the first maximum", async () => {
  const check = checkGradient({
    build: (b, { x }) => b.op("MaxPool", [x], { kernel_shape: [2, 2], strides: [2, 2] }),
    inputs: { x: { dims: [1, 1, 2, 2], values: [1, 3, 3, 3] } },
  });
  // Central differences see half of a slope at a tie: they must disagree, first at the element where all of it arrived.
  await expect(check).rejects.toThrow(/gradient by "x" is .* at element 1 /);
});
