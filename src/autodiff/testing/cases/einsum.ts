/** @file Checks of the rule in `rules/einsum.ts`. */

import { type GradientCase, type GradientCases, gradientCase } from "../gradient-case.js";

function einsum(equation: string, ...shapes: readonly (readonly number[])[]): GradientCase {
  return gradientCase(`${equation} of ${shapes.map((dims) => `[${dims}]`).join(" ")}`, {
    inputs: Object.fromEntries(shapes.map((dims, i) => [`x${i}`, { dims }])),
    build: (g) =>
      g.op(
        "Einsum",
        shapes.map((_, i) => `x${i}`),
        { equation },
      ),
  });
}

export const einsumCases: GradientCases = {
  Einsum: [
    einsum("ij,jk->ik", [2, 3], [3, 4]),
    einsum("bhqd,bhkd->bhqk", [2, 2, 3, 4], [2, 2, 5, 4]),
    einsum("bhqk,bkhd->bqhd", [1, 2, 3, 5], [1, 5, 2, 4]),
    einsum("b i d, d o -> b o i", [2, 3, 4], [4, 5]),
    einsum("i,j->ij", [2], [3]),
    einsum("i,i->", [3], [3]),
    einsum("ij,ij->ij", [2, 3], [2, 3]),
    einsum("ij,kj", [2, 3], [4, 3]),
    einsum("ij,kl->ik", [2, 3], [4, 5]),
    einsum("ij->ji", [2, 3]),
    einsum("ba", [2, 3]),
    einsum("ij->", [2, 3]),
    einsum("ij->i", [2, 3]),
    einsum("ii->i", [3, 3]),
    einsum("ii", [3, 3]),
    einsum("iij->ij", [2, 2, 3]),
    einsum("aij,ii->aj", [2, 3, 3], [3, 3]),
    einsum("...ij,...jk->...ik", [1, 2, 3], [5, 3, 2]),
    einsum("...j,j->...", [2, 3, 4], [4]),
    einsum("...ij->...ji", [2, 1, 3, 4]),
    einsum("ij,ij->ij", [1, 3], [2, 3]),
    einsum("i,ij,j->", [2], [2, 3], [3]),
    einsum("ab,bc,cd->ad", [2, 3], [3, 4], [4, 2]),
  ],
};
