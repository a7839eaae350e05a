/** @file Checks of the rules in `rules/softmax.ts`. */

import { type GradientCase, type GradientCases, gradientCase } from "../gradient-case.js";

const shapes: readonly (readonly [dims: readonly number[], axis: number | undefined])[] = [
  [[4, 10], undefined],
  [[5], undefined],
  [[2, 3, 4], 1],
  [[2, 3, 4], 0],
  [[2, 3, 2, 3], -2],
  [[3, 1], -1],
];

export const softmaxCases: GradientCases = {
  Softmax: casesOf("Softmax"),
  LogSoftmax: casesOf("LogSoftmax"),
};

function casesOf(operator: string): GradientCase[] {
  return shapes.map(([dims, axis]) =>
    gradientCase(`[${dims}], axis ${axis ?? "left out"}`, {
      build: (b, { x }) => b.op(operator, [x], axis === undefined ? {} : { axis }),
      inputs: { x: { dims, between: [-3, 3] } },
    }),
  );
}
