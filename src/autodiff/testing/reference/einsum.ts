/** @file Einsum: for every value of all labels, the product of the operands, added up where the output says. */

import { stringAttribute } from "../../../onnx/graph.js";
import { readEquation } from "../../rules/einsum.js";
import { at, forEachIndex, type Kernels, offset, tabulate } from "./kernel.js";

export const einsumKernels: Kernels = {
  Einsum: ({ all, node }) => {
    const { terms, output } = readEquation(
      stringAttribute(node, "equation", ""),
      all.map(({ dims }) => dims),
    );
    const labels = [...new Set(terms.flat())];
    const sizes = labels.map((label) =>
      Math.max(
        ...terms.flatMap((term, i) => term.map((other, axis) => (other === label ? (all[i]?.dims[axis] ?? 1) : 1))),
      ),
    );
    const pick = (index: readonly number[], term: readonly string[]): number[] =>
      term.map((label) => index[labels.indexOf(label)] ?? 0);
    const y = tabulate(pick(sizes, output), () => 0);
    forEachIndex(sizes, (index) => {
      const product = all.reduce((value, operand, i) => value * at(operand, pick(index, terms[i] ?? [])), 1);
      const place = offset(y, pick(index, output));
      y.data[place] = (y.data[place] ?? 0) + product;
    });
    return [y];
  },
};
