/** @file What an audit is asked: one marked model and its key, the attacks to try, how much data they get, which seeds. */

import { WildmarkError } from "../core/errors.js";
import type { Dataset } from "../data/dataset.js";
import { encodeModel, type Model, modelSha256 } from "../onnx/model.js";
import { decodeKey, encodeKey, type Key, keySha256 } from "../ownership/key.js";
import { type ChosenMethod, findMethod, type RegisteredMethod, removalMethods } from "../removal/registry.js";
import { type Named, named } from "./packed.js";
import { type Reactivation, reactivationSchema } from "../tasks/reactivation.js";

export interface AuditSpec {
  readonly model: Model;
  readonly modelSha256: string;
  readonly key: Key;
  readonly keySha256: string;
  readonly dataset: Dataset;
  /** Attacks first, then the controls that ignore the model; at least one. */
  readonly methods: readonly ChosenMethod[];
  /** The attacker's shares of the training set, ascending, each in (0, 1]. */
  readonly budgets: readonly number[];
  readonly seeds: readonly number[];
  /** How each removal is followed up; absent: not at all. */
  readonly reactivation?: Reactivation;
}

export interface AuditChoices {
  readonly model: Model;
  readonly key: Key;
  readonly dataset: Dataset;
  /** Ids of removal methods, each tried in all its variants; default: all of the registry. */
  readonly methods?: readonly string[];
  /** Whether to try methods that ignore the marked weights beside them, as yardsticks; default true. */
  readonly controls?: boolean;
  /** The attacker's shares of the training set, each in (0, 1]; default 1 %, 5 % and 10 %. */
  readonly budgets?: readonly number[];
  /** Epochs of every method that counts in epochs; default: each method's own. */
  readonly epochs?: number;
  readonly seeds?: readonly number[];
  /** How each removal is followed up, true: 200 steps of 64 clean training images; default true. */
  readonly reactivation?: boolean | Partial<Reactivation>;
}

export const DEFAULT_BUDGETS: readonly number[] = [0.01, 0.05, 0.1];

/**
 * The audit that is chosen: every method in each of its variants, by what their records say.
 *
 * @throws WildmarkError `usage` for a method that there is not, a budget outside (0, 1], and where nothing is left to try.
 */
export function auditSpec(choices: AuditChoices): AuditSpec {
  const { model, key, dataset, budgets = DEFAULT_BUDGETS, seeds = [0], controls = true } = choices;
  const { reactivation = true } = choices;
  for (const budget of budgets) requireBudget(budget);
  const wanted = choices.methods?.map(findMethod) ?? removalMethods;
  const attacks = unique(wanted).filter((method) => method.ignoresModel !== true);
  const yardsticks = removalMethods.filter((method) => method.ignoresModel === true && controls);
  const methods = [...attacks, ...yardsticks].flatMap((method) => formsOf(method, choices.epochs));
  if (attacks.length === 0 || budgets.length === 0 || seeds.length === 0) {
    throw new WildmarkError("usage", "An audit needs at least one attack, one budget and one seed.", {
      hint: "wildmark list methods shows the attacks there are; methods that ignore the marked weights are controls.",
    });
  }
  return {
    model,
    modelSha256: modelSha256(encodeModel(model)),
    key,
    keySha256: keySha256(key),
    dataset,
    methods,
    budgets: unique(budgets).sort((a, b) => a - b),
    seeds: unique(seeds),
    ...(reactivation === false
      ? {}
      : { reactivation: reactivationSchema.parse(reactivation === true ? {} : reactivation) }),
  };
}

/** A method in each of its variants. */
function formsOf(method: RegisteredMethod, epochs: number | undefined): ChosenMethod[] {
  const shared = epochs !== undefined && "epochs" in method.options.shape ? { epochs } : {};
  return method.variants.map((variant) => method.choose({ ...variant, ...shared }));
}

function requireBudget(budget: number): void {
  if (budget > 0 && budget <= 1) return;
  throw new WildmarkError(
    "usage",
    `A budget is a share of the training data, above 0 and at most 1; found ${budget}.`,
    {
      hint: "1 % is 0.01.",
    },
  );
}

function unique<T>(items: readonly T[]): T[] {
  return [...new Set(items)];
}

/** A spec as plain data; methods by name. */
export interface PackedAudit {
  /** As it is, with all that was said of it beside its bytes. */
  readonly model: Model;
  readonly modelSha256: string;
  readonly key: Uint8Array;
  readonly dataset: Dataset;
  readonly methods: readonly Named[];
  readonly budgets: readonly number[];
  readonly seeds: readonly number[];
  readonly reactivation?: Reactivation;
}

export function packAudit({ key, methods, keySha256: _, ...rest }: AuditSpec): PackedAudit {
  return { ...rest, key: encodeKey(key), methods: methods.map(named) };
}

/** @throws WildmarkError `usage` where a method is not in the registry. */
export function unpackAudit({ key: bytes, methods, ...rest }: PackedAudit): AuditSpec {
  const key = decodeKey(bytes, "the key");
  return {
    ...rest,
    key,
    keySha256: keySha256(key),
    methods: methods.map(({ id, options }) => findMethod(id).choose(options)),
  };
}
