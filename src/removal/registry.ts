/** @file The removal methods: adding one is one file and one line here. */

import { WildmarkError } from "../core/errors.js";
import { chooseOptions } from "../core/options.js";
import { anp } from "./anp.js";
import { dehydra } from "./dehydra.js";
import { distillation } from "./distillation.js";
import { finePruning } from "./fine-pruning.js";
import { fineTune } from "./fine-tune.js";
import { fst } from "./fst.js";
import { magnitudePruning } from "./magnitude-pruning.js";
import { type MethodOptions, type RegisteredMethod, type RemovalMethod, stepsOfEpochs } from "./method.js";
import { modelExtraction } from "./model-extraction.js";
import { nad } from "./nad.js";
import { neuralLaundering } from "./neural-laundering.js";
import { quantisation } from "./quantisation.js";
import { randomErasing } from "./random-erasing.js";
import { refit, refitAu, refitEwc } from "./refit.js";
import { scratch } from "./scratch.js";
import { stackOf } from "./stack.js";
import { weightDecay } from "./weight-decay.js";
import { wild } from "./wild.js";
import { wrk } from "./wrk.js";

export type { ChosenMethod, RegisteredMethod } from "./method.js";

const registered = {
  wild: register(wild),
  "fine-tune": register(fineTune),
  "random-erasing": register(randomErasing),
  scratch: register(scratch),
  "fine-pruning": register(finePruning),
  nad: register(nad),
  anp: register(anp),
  "neural-laundering": register(neuralLaundering),
  dehydra: register(dehydra),
  quantisation: register(quantisation),
  "magnitude-pruning": register(magnitudePruning),
  refit: register(refit),
  "refit-ewc": register(refitEwc),
  "refit-au": register(refitAu),
  fst: register(fst),
  wrk: register(wrk),
  "weight-decay": register(weightDecay),
  "model-extraction": register(modelExtraction),
  distillation: register(distillation),
  stack: register(stackOf(findMethod)),
};

export const removalMethods: readonly RegisteredMethod[] = Object.values(registered);

export type MethodId = keyof typeof registered;

/** The options of a method as a caller gives them: each has a default. */
export type OptionsOfMethod<Id extends MethodId> =
  (typeof registered)[Id] extends RegisteredMethod<infer Options> ? Partial<Options> : never;

/** @throws WildmarkError `usage` naming the methods there are. */
export function findMethod(id: string): RegisteredMethod {
  const found = removalMethods.find((method) => method.id === id);
  if (found !== undefined) return found;
  throw new WildmarkError("usage", `No removal method "${id}".`, {
    hint: `Choose one of: ${removalMethods.map((method) => method.id).join(", ")}.`,
  });
}

/** A method's record, made ready to be listed and chosen. */
export function register<Options extends MethodOptions>(method: RemovalMethod<Options>): RegisteredMethod<Options> {
  const { options, label, run, steps = stepsOfEpochs, variants = [{}], ...described } = method;
  return {
    ...described,
    options,
    variants: variants.map(given),
    choose(wanted = {}) {
      const chosen = chooseOptions(options, wanted, method.id);
      return {
        id: method.id,
        label: label(chosen),
        baseline: method.baseline,
        ignoresModel: method.ignoresModel ?? false,
        needs: method.needs,
        options: chosen,
        steps: (data) => steps(chosen, data),
        run: (attack) => run(attack, chosen),
      };
    },
  };
}

/** Options without those left undefined. */
function given(options: Partial<MethodOptions>): MethodOptions {
  return Object.fromEntries(
    Object.entries(options).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}
