/**
 * @file Gradient of Einsum, any number of operands, repeated labels, ellipses and broadcasting: one Einsum an operand.
 *
 * y = Σ a·b over the labels that y lacks, so da = Σ dy·b over the labels that a lacks. A label that only `a` has, over
 * which y summed it alone, is put back by a vector of ones; a label that `a` repeats (its diagonal) by an identity
 * matrix.
 */

import { type FloatTensor, float32 } from "../../core/tensor.js";
import { stringAttribute } from "../../onnx/graph.js";
import type { GradientContext, GradientRules } from "../rule.js";
import { reshapeTo } from "./broadcast.js";

export const einsumRules: GradientRules = {
  Einsum: (context) => {
    const { b, dy, node, needs, dims } = context;
    const shapes = node.inputs.map((name) => dims(name));
    const { terms, output, spare } = readEquation(stringAttribute(node, "equation", ""), shapes);
    const sizes = labelSizes(terms, shapes);
    const operands = node.inputs.map((name, i) => withoutBroadcast(context, name, terms[i] ?? [], sizes));

    return operands.map((operand, i) => {
      if (!needs(i)) return undefined;
      const factors = [{ name: dy, labels: output }, ...operands.filter((_, other) => other !== i)];
      const free = [...spare];
      const labels = operand.labels.map((label, axis) => {
        if (operand.labels.indexOf(label) === axis) return label;
        const second = free.shift() ?? "";
        const name = b.initializer("diagonal", identity(sizes.get(label) ?? 1));
        factors.push({ name, labels: [label, second] });
        return second;
      });
      for (const label of new Set(operand.labels)) {
        if (factors.some((factor) => factor.labels.includes(label))) continue;
        const size = sizes.get(label) ?? 1;
        const name = b.initializer("ones", float32([size], new Float32Array(size).fill(1)));
        factors.push({ name, labels: [label] });
      }
      const equation = `${factors.map((factor) => factor.labels.join("")).join(",")}->${labels.join("")}`;
      const gradient = b.op(
        "Einsum",
        factors.map(({ name }) => name),
        { equation },
      );
      return reshapeTo(b, gradient, operand.dims, shapes[i] ?? []);
    });
  },
};

interface Operand {
  readonly name: string;
  readonly labels: readonly string[];
}

/** The operand without axes of size 1 that broadcast to the size which other operands give their label. */
function withoutBroadcast(
  { b, dims }: GradientContext,
  name: string,
  labels: readonly string[],
  sizes: ReadonlyMap<string, number>,
): Operand & { readonly dims: readonly number[] } {
  const from = dims(name);
  const stays = (axis: number): boolean => from[axis] === sizes.get(labels[axis] ?? "");
  const to = from.filter((_, axis) => stays(axis));
  return { name: reshapeTo(b, name, from, to), dims: to, labels: labels.filter((_, axis) => stays(axis)) };
}

function labelSizes(
  terms: readonly (readonly string[])[],
  shapes: readonly (readonly number[])[],
): Map<string, number> {
  const sizes = new Map<string, number>();
  terms.forEach((labels, i) => {
    labels.forEach((label, axis) => {
      sizes.set(label, Math.max(sizes.get(label) ?? 1, shapes[i]?.[axis] ?? 1));
    });
  });
  return sizes;
}

function identity(size: number): FloatTensor {
  const data = new Float32Array(size * size);
  for (let i = 0; i < size; i++) data[i * (size + 1)] = 1;
  return float32([size, size], data);
}

/** An equation with one letter an axis: ellipses have become letters of their own. */
export interface Equation {
  readonly terms: readonly (readonly string[])[];
  readonly output: readonly string[];
  /** Letters that the equation does not use. */
  readonly spare: readonly string[];
}

/** Reads an equation as ONNX (and NumPy) has it; without "->", the output has the labels that occur once, sorted. */
export function readEquation(equation: string, shapes: readonly (readonly number[])[]): Equation {
  const [left = "", right] = equation.replaceAll(" ", "").split("->");
  const unused = [..."abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"].filter(
    (letter) => !equation.includes(letter),
  );
  const written = left.split(",");
  const hidden = written.map((term, i) =>
    term.includes("...") ? (shapes[i]?.length ?? 0) - (term.length - "...".length) : 0,
  );
  const most = Math.max(0, ...hidden);
  const batch = unused.slice(0, most);
  const spread = (term: string, count: number): string[] => [
    ...term.replace("...", batch.slice(most - count).join("")),
  ];
  const terms = written.map((term, i) => spread(term, hidden[i] ?? 0));
  const all = [...left].filter((letter) => /[a-zA-Z]/.test(letter));
  const once = all.filter((letter) => all.indexOf(letter) === all.lastIndexOf(letter)).toSorted();
  return { terms, output: right === undefined ? [...batch, ...once] : spread(right, most), spare: unused.slice(most) };
}
