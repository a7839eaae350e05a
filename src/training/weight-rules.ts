/**
 * @file Rules for some of the weights: rates of their own, another optimiser for kernels, weights that stay, from the
 * start or after some epochs.
 *
 * Which weights a rule is for, a selector says: `kernels` (two dimensions or more, outside the layer that makes the
 * scores), `biases` (all of one dimension, normalisation's too, outside that layer), `head` (that layer), or a name in
 * which `*` stands for anything.
 */

import { z } from "zod";
import { WildmarkError } from "../core/errors.js";
import type { Optimizer } from "./optimizer.js";
import type { Treatment } from "./step-plan.js";

export interface WeightRules {
  /** Peak learning rates; of several that are for a weight, the last counts. */
  readonly rates?: readonly RateRule[];
  /** What moves kernels in place of the plan's optimiser. */
  readonly kernels?: Optimizer;
  readonly freeze?: readonly FreezeRule[];
}

export interface RateRule {
  readonly of: string;
  readonly rate: number;
}

export interface FreezeRule {
  readonly of: string;
  /** Epochs for which they train first; 0 where they never do. */
  readonly after: number;
}

/** A weight as rules see it. */
export interface RuledWeight {
  readonly name: string;
  /** What selectors call it; a running statistic is chosen by its name alone. */
  readonly kind: "kernels" | "biases" | "head" | "statistic";
}

/** "biases=0.5,head=0.1,layer4.*=0.01" */
export const ratesText = z.string().refine((text) => items(text).every((item) => readRate(item) !== undefined), {
  error: "expected WEIGHTS=RATE with commas between, such as biases=0.5,head=0.1 or layer4.*=0.01",
});

/** "conv1.weight,layer1.*", "kernels", "stem.bias@3" (after three epochs) */
export const freezeText = z.string().refine((text) => items(text).every((item) => readFreeze(item) !== undefined), {
  error: "expected WEIGHTS or WEIGHTS@EPOCHS with commas between, such as layer1.*,stem.bias@3",
});

/** Reads what `ratesText` accepts; nothing in an empty text. */
export const parseRates = (text: string): readonly RateRule[] => items(text).flatMap((item) => readRate(item) ?? []);

/** Reads what `freezeText` accepts; nothing in an empty text. */
export const parseFreeze = (text: string): readonly FreezeRule[] =>
  items(text).flatMap((item) => readFreeze(item) ?? []);

const items = (text: string): readonly string[] => (text === "" ? [] : text.split(",").map((item) => item.trim()));

function readRate(text: string): RateRule | undefined {
  const [, of = "", number = ""] = /^(.+)=([^=]+)$/.exec(text) ?? [];
  const rate = Number(number);
  return of !== "" && rate > 0 && Number.isFinite(rate) ? { of, rate } : undefined;
}

function readFreeze(text: string): FreezeRule | undefined {
  const [, of = "", epochs = "0"] = /^([^@]+)(?:@([1-9]\d*))?$/.exec(text) ?? [];
  return of === "" ? undefined : { of, after: Number(epochs) };
}

/**
 * After how many epochs each weight stays as it is; those that never do are not there.
 *
 * @throws WildmarkError `usage` for a rule that is for none of the weights.
 */
export function freezing(rules: WeightRules, weights: readonly RuledWeight[]): ReadonlyMap<string, number> {
  const after = new Map<string, number>();
  for (const rule of rules.freeze ?? []) {
    for (const { name } of chosenBy(rule.of, weights)) {
      after.set(name, Math.min(rule.after, after.get(name) ?? Number.POSITIVE_INFINITY));
    }
  }
  return after;
}

/**
 * How each weight moves for which there is a rule.
 *
 * A rate of its own changes how far a weight moves, and not how strongly it decays: weight decay takes the same share
 * of all weights as it does at the plan's rate.
 *
 * @param base the plan's optimiser and peak rate.
 * @throws WildmarkError `usage` for a rule that is for none of the weights.
 */
export function treatmentsBy(
  rules: WeightRules,
  base: { readonly optimizer: Optimizer; readonly learningRate: number },
  weights: readonly RuledWeight[],
): ReadonlyMap<string, Treatment> {
  const rates = new Map<string, number>();
  for (const { of, rate } of rules.rates ?? []) for (const { name } of chosenBy(of, weights)) rates.set(name, rate);
  const made = new Map<string, Treatment>();
  const treated = weights.flatMap((weight) => {
    const other = weight.kind === "kernels" ? rules.kernels : undefined;
    const rate = (rates.get(weight.name) ?? base.learningRate) / base.learningRate;
    if (other === undefined && rate === 1) return [];
    const key = `${other === undefined} ${rate}`;
    const treatment = made.get(key) ?? { optimizer: decaying(other ?? base.optimizer, 1 / rate), rate };
    made.set(key, treatment);
    return [[weight.name, treatment] as const];
  });
  return new Map(treated);
}

/** The optimiser with so many times the decay. */
function decaying(optimizer: Optimizer, factor: number): Optimizer {
  if (optimizer.kind === "muon" || factor === 1) return optimizer;
  return { ...optimizer, weightDecay: optimizer.weightDecay * factor };
}

function chosenBy(selector: string, weights: readonly RuledWeight[]): readonly RuledWeight[] {
  const chosen = weights.filter(selects(selector));
  if (chosen.length > 0) return chosen;
  const names = weights.map(({ name }) => name);
  throw new WildmarkError("usage", `No weight of the model is "${selector}".`, {
    hint:
      `Say kernels, biases, head or the name of a weight, in which * stands for anything: ` +
      `${names.slice(0, 4).join(", ")}${names.length > 4 ? ", …" : ""}.`,
  });
}

function selects(selector: string): (weight: RuledWeight) => boolean {
  switch (selector) {
    case "kernels":
    case "biases":
    case "head":
      return ({ kind }) => kind === selector;
    default: {
      const parts = selector.split("*").map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&"));
      const pattern = new RegExp(`^${parts.join(".*")}$`, "s");
      return ({ name }) => pattern.test(name);
    }
  }
}
