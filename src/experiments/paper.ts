/** @file The paper's experiment as a spec: WILD under each metric, beside the controls, against each mark. */

import type { Dataset, Images } from "../data/dataset.js";
import { recipeFor } from "../models/recipes.js";
import type { Architecture } from "../models/registry.js";
import { type ChosenMethod, findMethod } from "../removal/registry.js";
import { embedFromScratchOptionsOf } from "../watermarks/embed.js";
import { findMark } from "../watermarks/registry.js";
import type { ReproduceSpec } from "./reproduce.js";

export interface PaperChoices {
  readonly dataset: Dataset;
  /** Images of another domain, for the marks that need them. */
  readonly unrelated?: Images;
  readonly architecture: Architecture;
  /** Ids of marks; twice the same counts once. */
  readonly marks: readonly string[];
  /** WILD's distances. */
  readonly metrics: readonly ("ce" | "js")[];
  /** Whether to run fine-tuning, random erasing alone and training from scratch too. */
  readonly controls: boolean;
  /** The attacker's share of the training set, in (0, 1]. */
  readonly fraction: number;
  /** Epochs of every removal; default: each method's own. */
  readonly epochs?: number;
  /** Epochs of training and embedding; default: theirs. */
  readonly trainingEpochs?: number;
  readonly seeds: readonly number[];
  /** Whether marks have the form of the paper, the same for every owner; default: drawn for each. */
  readonly publishedForms?: boolean;
}

/** @throws WildmarkError `usage` for a mark that there is not. */
export function paperSpec(choices: PaperChoices): ReproduceSpec {
  const { dataset, unrelated, architecture, marks, metrics, controls, fraction, seeds } = choices;
  const epochs = choices.epochs === undefined ? {} : { epochs: choices.epochs };
  const training = choices.trainingEpochs === undefined ? {} : { epochs: choices.trainingEpochs };
  const wild = unique(metrics).map((metric) => findMethod("wild").choose({ metric, ...epochs }));
  return {
    dataset,
    ...(unrelated === undefined ? {} : { unrelated }),
    architecture,
    training: embedFromScratchOptionsOf(recipeFor(architecture)).parse(training),
    marks: unique(marks).map((id) => {
      const mark = findMark(id);
      return mark.choose(choices.publishedForms === true ? mark.published : {});
    }),
    removals: [...wild, ...(controls ? controlMethods(epochs) : [])],
    fraction,
    seeds,
  };
}

function controlMethods(options: { readonly epochs?: number }): ChosenMethod[] {
  return ["fine-tune", "random-erasing", "scratch"].map((id) => findMethod(id).choose(options));
}

function unique<T>(items: readonly T[]): T[] {
  return [...new Set(items)];
}
