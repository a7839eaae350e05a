/**
 * @file The paper's experiment: WILD under each distance, beside the baselines, against each mark.
 *
 * Liu, Li, Wen, Li: "Removing Backdoor-Based Watermarks in Neural Networks with Limited Data", ICPR 2020, section 4.
 */

import { distinct } from "../../core/lists.js";
import type { Dataset, Images } from "../../data/dataset.js";
import { recipeFor } from "../../models/recipes.js";
import type { Architecture } from "../../models/registry.js";
import { type ChosenMethod, findMethod } from "../../removal/registry.js";
import { ACCEPTABLE_DROP } from "../../tasks/acceptable-drop.js";
import { type Reactivation, reactivationSchema } from "../../tasks/reactivation.js";
import { embedFromScratchOptionsOf } from "../../watermarks/embed.js";
import { findMark } from "../../watermarks/registry.js";
import { type ExperimentSpec, nullModelSeeds, requireBudgets } from "../spec.js";
import { defined } from "../../core/defined.js";

/** The paper's share of the training data. */
export const PAPER_BUDGETS: readonly number[] = [0.1];

export interface ReproduceChoices {
  readonly dataset: Dataset;
  /** Images of another domain, for the marks that need them. */
  readonly unrelated?: Images;
  /** Pictures of the abstract mark; it draws its own if there are none. */
  readonly abstract?: Images;
  readonly architecture: Architecture;
  /** Ids of marks; twice the same counts once. */
  readonly marks: readonly string[];
  /** WILD's distances. */
  readonly metrics: readonly ("ce" | "js")[];
  /** Whether to run fine-tuning, random erasing alone and training from scratch too. */
  readonly baselines: boolean;
  /** The attacker's shares of the training set, each in (0, 1]; default 10 %. */
  readonly budgets?: readonly number[];
  /** Epochs of every removal; default: each method's own. */
  readonly epochs?: number;
  /** Epochs of training and embedding; default: theirs. */
  readonly trainingEpochs?: number;
  readonly seeds: readonly number[];
  /** How many models are trained without a mark; default: one a seed. */
  readonly nullModels?: number;
  /** Whether marks have the form of the paper, the same for every owner; default: drawn for each. */
  readonly publishedForms?: boolean;
  /** How removals are followed up, true: 200 steps of 64 clean training images; default: not at all. */
  readonly reactivation?: boolean | Partial<Reactivation>;
  /** Significance level of the verdicts in (0, 1), 0.05 by default. */
  readonly alpha?: number;
  /** The largest drop of accuracy that an attacker would pay, a difference of shares; default 0.02. */
  readonly acceptableDrop?: number;
}

/** @throws WildmarkError `usage` for a mark that there is not, and a budget outside (0, 1]. */
export function reproduceSpec(choices: ReproduceChoices): ExperimentSpec {
  const { dataset, unrelated, abstract, architecture, metrics, baselines, seeds } = choices;
  const { budgets = PAPER_BUDGETS, alpha = 0.05, acceptableDrop = ACCEPTABLE_DROP, reactivation = false } = choices;
  const epochs = choices.epochs === undefined ? {} : { epochs: choices.epochs };
  const training = choices.trainingEpochs === undefined ? {} : { epochs: choices.trainingEpochs };
  const wild = distinct(metrics).map((metric) => findMethod("wild").choose({ metric, ...epochs }));
  return {
    statement: "reproduce",
    title: `WILD on ${dataset.title}`,
    dataset,
    ...defined({ unrelated, abstract }),
    architecture,
    training: embedFromScratchOptionsOf(recipeFor(architecture)).parse(training),
    subjects: distinct(choices.marks).map((id) => {
      const scheme = findMark(id);
      const mark = scheme.choose(choices.publishedForms === true ? scheme.published : {});
      return { kind: "made", name: mark.title, mark };
    }),
    removers: [...wild, ...(baselines ? baselineMethods(epochs) : [])].map((chosen) => ({
      name: chosen.label,
      chosen,
    })),
    budgets: requireBudgets(budgets),
    seeds,
    nullModels: nullModelSeeds(seeds, choices.nullModels ?? seeds.length),
    decision: { alpha, acceptableDrop },
    observe: {
      everyEpoch: true,
      pictures: true,
      reactivation: reactivation === false ? null : reactivationSchema.parse(reactivation === true ? {} : reactivation),
    },
  };
}

function baselineMethods(options: { readonly epochs?: number }): ChosenMethod[] {
  return ["fine-tune", "random-erasing", "scratch"].map((id) => findMethod(id).choose(options));
}
