/**
 * @file The owner's question as an experiment: one marked model and its key, against every attack in each of its
 * variants, with each share of the training data.
 */

import { WildmarkError } from "../../core/errors.js";
import { distinct } from "../../core/lists.js";
import type { Dataset } from "../../data/dataset.js";
import { recipeFor } from "../../models/recipes.js";
import { type Architecture, usualArchitecture } from "../../models/registry.js";
import type { Model } from "../../onnx/model.js";
import type { Key } from "../../ownership/key.js";
import { type ChosenMethod, findMethod, type RegisteredMethod, removalMethods } from "../../removal/registry.js";
import { ACCEPTABLE_DROP } from "../../tasks/acceptable-drop.js";
import { type Reactivation, reactivationSchema } from "../../tasks/reactivation.js";
import { embedFromScratchOptionsOf } from "../../watermarks/embed.js";
import { DEFAULT_BUDGETS, type ExperimentSpec, type GivenSubject, nullModelSeeds, requireBudgets } from "../spec.js";
import { givenSubject, requireFitting } from "./given.js";

export interface AuditChoices {
  readonly model: Model;
  readonly key: Key;
  readonly dataset: Dataset;
  /** What the document calls model and key: their paths. */
  readonly files?: GivenSubject["files"];
  /** Ids of removal methods, each tried in all its variants; default: all of the registry. */
  readonly methods?: readonly string[];
  /** Whether to try methods that ignore the marked weights beside them, as yardsticks; default true. */
  readonly baselines?: boolean;
  /** The attacker's shares of the training set, each in (0, 1]; default 1 %, 5 % and 10 %. */
  readonly budgets?: readonly number[];
  /** Epochs of every method that counts in epochs; default: each method's own. */
  readonly epochs?: number;
  readonly seeds?: readonly number[];
  /** How many models to train without a mark, to hold the key against; default 0. */
  readonly nullModels?: number;
  /** Of the null models; default: the usual one for the data. */
  readonly architecture?: Architecture;
  /** How each removal is followed up, true: 200 steps of 64 clean training images; default true. */
  readonly reactivation?: boolean | Partial<Reactivation>;
  /** Significance level of the verdicts in (0, 1), 0.05 by default. */
  readonly alpha?: number;
  /** The largest drop of accuracy that an attacker would pay, a difference of shares; default 0.02. */
  readonly acceptableDrop?: number;
}

/**
 * The audit that is chosen: every method in each of its variants, by what their records say.
 *
 * @throws WildmarkError `usage` for a method that there is not, a budget outside (0, 1], and if nothing is left to try;
 *   `bad-model`, `bad-key` if model, key and data do not belong together.
 */
export function auditSpec(choices: AuditChoices): ExperimentSpec {
  const { model, key, dataset, budgets = DEFAULT_BUDGETS, seeds = [0], baselines = true } = choices;
  const { reactivation = true, nullModels = 0, alpha = 0.05, acceptableDrop = ACCEPTABLE_DROP } = choices;
  const subject = givenSubject(model, key, choices.files);
  requireFitting(subject, dataset);
  const wanted = choices.methods?.map(findMethod) ?? removalMethods;
  const attacks = distinct(wanted).filter((method) => method.ignoresModel !== true);
  const yardsticks = removalMethods.filter((method) => method.ignoresModel === true && baselines);
  if (attacks.length === 0 || seeds.length === 0) {
    throw new WildmarkError("usage", "An audit needs at least one attack, one budget and one seed.", {
      hint: "wildmark list methods shows the attacks there are; methods that ignore the marked weights are yardsticks.",
    });
  }
  const architecture = choices.architecture ?? usualArchitecture(dataset.train.shape);
  return {
    statement: "audit",
    title: `The ${key.scheme} mark of ${subject.files.model}`,
    dataset,
    architecture,
    training: embedFromScratchOptionsOf(recipeFor(architecture)).parse({}),
    subjects: [subject],
    removers: [...attacks, ...yardsticks]
      .flatMap((method) => formsOf(method, choices.epochs))
      .map((chosen) => ({ name: chosen.label, chosen })),
    budgets: requireBudgets(budgets),
    seeds: distinct(seeds),
    nullModels: nullModelSeeds(seeds, nullModels),
    decision: { alpha, acceptableDrop },
    observe: {
      everyEpoch: true,
      // Of an owner's secret nothing is shown unasked.
      pictures: false,
      reactivation: reactivation === false ? null : reactivationSchema.parse(reactivation === true ? {} : reactivation),
    },
  };
}

/** A method in each of its variants. */
function formsOf(method: RegisteredMethod, epochs: number | undefined): ChosenMethod[] {
  const shared = epochs !== undefined && "epochs" in method.options.shape ? { epochs } : {};
  return method.variants.map((variant) => method.choose({ ...variant, ...shared }));
}
