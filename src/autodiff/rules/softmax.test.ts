import { describe, test } from "vitest";
import { checkGradient } from "../testing/check-gradient.js";

describe.each(["Softmax", "LogSoftmax"])("%s", (operator) => {
  test.each([
    [[4, 10], undefined],
    [[5], undefined],
    [[2, 3, 4], 1],
    [[2, 3, 4], 0],
    [[2, 3, 2, 3], -2],
    [[3, 1], -1],
  ] as const)("[%s] along axis %s", async (dims, axis) => {
    await checkGradient({
      build: (b, { x }) => b.op(operator, [x], axis === undefined ? {} : { axis }),
      inputs: { x: { dims, between: [-3, 3] } },
    });
  });
});
