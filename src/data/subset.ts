/**
 * @file The attacker's share of the training data: seeded, stratified by class, and nested.
 *
 * All images are put in one order of which every prefix is stratified; a subset is a prefix. So the 1 % lies inside the
 * 2 % lies inside the 10 %, and a curve over fractions shows more data, not other data.
 */

import { WildmarkError } from "../core/errors.js";
import { permutation, randomStream, shuffle } from "../core/random.js";

/**
 * The indices of `round(fraction · labels.length)` images, every class represented in proportion.
 *
 * Among N images in K classes, a class of n gets its share up to ½ + ½·K·n/N images: one, where classes are of equal
 * size. Its first image comes at half of the fraction that would entitle it to one, so that rare classes are not lost.
 *
 * For the same labels and seed, a smaller fraction gives the first indices of a larger one. Classes alternate in the
 * order returned; shuffle it before training.
 *
 * @param fraction in (0, 1].
 * @throws WildmarkError `usage` for a fraction outside (0, 1]; `bad-data` when a class would be left empty (the message
 *   names the class and the smallest fraction that works) or a label is not below `classes`.
 */
export function nestedSubset(labels: Uint16Array, classes: number, fraction: number, seed: number): Uint32Array {
  if (!(fraction > 0 && fraction <= 1)) {
    throw new WildmarkError("usage", `a fraction of the data must be above 0 and at most 1, found ${fraction}`, {
      hint: "0.1 is the 10 % of the paper",
    });
  }
  const order = stratifiedOrder(labels, classes, seed);
  const size = Math.round(fraction * labels.length);
  const lacking = lastClassToAppear(order, labels, classes);
  if (size <= lacking.position) {
    const smallest = Math.ceil(((lacking.position + 1) / labels.length) * 1e6) / 1e6;
    throw new WildmarkError(
      "bad-data",
      `${fraction} of ${labels.length} images is ${size}, which leaves class ${lacking.label} empty`,
      { hint: `take a fraction of at least ${smallest}` },
    );
  }
  return order.slice(0, size);
}

/**
 * Every image once. The j-th image of a class of n, in random order, stands at quantile (j + ½) / n of the whole;
 * equal quantiles are ordered by a random order of the classes.
 */
function stratifiedOrder(labels: Uint16Array, classes: number, seed: number): Uint32Array {
  const random = randomStream(seed, "subset");
  const turn = permutation(classes, random.stream("classes"));
  const quantile = new Float64Array(labels.length);
  membersByClass(labels, classes).forEach((members, label) => {
    shuffle(members, random.stream(label));
    members.forEach((index, j) => {
      quantile[index] = (j + 0.5) / members.length;
    });
  });
  const turnOf = (index: number): number => turn[labels[index] ?? 0] ?? 0;
  return Uint32Array.from(labels.keys()).sort(
    (a, b) => (quantile[a] ?? 0) - (quantile[b] ?? 0) || turnOf(a) - turnOf(b),
  );
}

/** The indices of each class, ascending; every class has at least one. */
function membersByClass(labels: Uint16Array, classes: number): number[][] {
  const members = Array.from({ length: classes }, (): number[] => []);
  labels.forEach((label, index) => {
    const group = members[label];
    if (group === undefined) {
      throw new WildmarkError("bad-data", `label ${index} is ${label}, expected one of 0 to ${classes - 1}`);
    }
    group.push(index);
  });
  const empty = members.findIndex((group) => group.length === 0);
  if (empty >= 0) {
    throw new WildmarkError("bad-data", `class ${empty} of ${classes} has no image at all, so no fraction holds it`, {
      hint: "check the class count, or leave the class out of the data set",
    });
  }
  return members;
}

/** The class whose first image comes last, and where it stands. */
function lastClassToAppear(
  order: Uint32Array,
  labels: Uint16Array,
  classes: number,
): { readonly label: number; readonly position: number } {
  const seen = new Set<number>();
  for (const [position, index] of order.entries()) {
    const label = labels[index] ?? 0;
    seen.add(label);
    if (seen.size === classes) return { label, position };
  }
  return { label: 0, position: order.length };
}
