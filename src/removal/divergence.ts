/**
 * @file WILD's distance between the feature distributions of an image and of its erased copy.
 *
 * P = softmax(F(x)/T), Q = softmax(F(x̃)/T), M = (P + Q)/2 (Liu et al. 2020, section 3; the softmax and T are our own
 * reading, no code is published). Both are means over the rows of a batch.
 */

import type { GraphBuilder } from "../onnx/builder.js";
import { meanNegatedDot } from "../training/objective.js";

export type Metric = "ce" | "js";

/**
 * Appends D(F(x), F(x̃)).
 *
 * - `ce`: −Σ P log Q, at least the entropy of P.
 * - `js`: ½ KL(P‖M) + ½ KL(Q‖M), in [0, ln 2].
 *
 * @param clean F(x), [rows, n]
 * @param erased F(x̃), [rows, n]
 * @returns the name of a scalar
 */
export function appendDivergence(
  b: GraphBuilder,
  metric: Metric,
  clean: string,
  erased: string,
  temperature: number,
): string {
  const logP = logDistribution(b, clean, temperature);
  const logQ = logDistribution(b, erased, temperature);
  switch (metric) {
    case "ce":
      return meanNegatedDot(b, b.op("Exp", [logP]), logQ);
    case "js":
      return jensenShannon(b, logP, logQ);
  }
}

/**
 * With d = log Q − log P, log(P/M) = ln 2 − softplus(d) and log(Q/M) = ln 2 − softplus(−d), hence D = ln 2 − ½ Σ (P
 * softplus(d) + Q softplus(−d)): no logarithm of a probability that has underflowed. And softplus(−d) is softplus(d) −
 * d: ONNX Runtime takes an element at a time for a softplus.
 */
function jensenShannon(b: GraphBuilder, logP: string, logQ: string): string {
  const d = b.op("Sub", [logQ, logP]);
  const softplus = b.op("Softplus", [d]);
  const fromP = meanNegatedDot(b, b.op("Exp", [logP]), softplus);
  const fromQ = meanNegatedDot(b, b.op("Exp", [logQ]), b.op("Sub", [softplus, d]));
  const half = b.op("Mul", [b.op("Add", [fromP, fromQ]), b.scalar(0.5)]);
  return b.op("Add", [half, b.scalar(Math.LN2)]);
}

function logDistribution(b: GraphBuilder, features: string, temperature: number): string {
  const scaled = temperature === 1 ? features : b.op("Mul", [features, b.scalar(1 / temperature)]);
  return b.op("LogSoftmax", [scaled], { axis: -1 });
}
