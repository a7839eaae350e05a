/** @file The kinds of marks: adding one is one file and one line here. */

import { WildmarkError } from "../core/errors.js";
import { chooseOptions } from "../core/options.js";
import type { TrainedEpoch } from "../training/epochs.js";
import { abstract } from "./abstract.js";
import { app } from "./app.js";
import { certified } from "./certified.js";
import { content } from "./content.js";
import { type Embedding, type MarkTraining, embed } from "./embed.js";
import { boostedTriggers } from "./labels.js";
import { entangled } from "./entangled.js";
import { exponentialWeighting } from "./exponential-weighting.js";
import { frontierStitching } from "./frontier-stitching.js";
import { functionCoupled } from "./function-coupled.js";
import { marginBased } from "./margin-based.js";
import { noise } from "./noise.js";
import type { MarkOptions, MarkScheme, OwnerData, TriggerSet } from "./scheme.js";
import { unrelated } from "./unrelated.js";

/** Options as documents and keys hold them. */
export type SaidOptions = Readonly<Record<string, string | number | boolean>>;

/** A mark whose options have been checked: ready to make triggers. */
export interface ChosenMark {
  readonly id: string;
  readonly title: string;
  readonly pictures?: MarkScheme["pictures"];
  readonly startsTrained: boolean;
  /** Defaults filled in; what is drawn in secret is not there. */
  readonly options: SaidOptions;
  /** The options that results are kept by: without those that say what held before there was the option. */
  readonly keptBy: SaidOptions;
  readonly make: (owner: OwnerData) => Promise<TriggerSet>;
  /** Yields the model after each epoch; the last one is the marked model. */
  readonly embed: (embedding: Embedding, training: MarkTraining) => AsyncIterable<TrainedEpoch>;
}

/** A mark as others list and choose it. */
export interface RegisteredMark<Options extends MarkOptions = MarkOptions>
  extends Omit<MarkScheme<Options>, "make" | "embed" | "unsaid"> {
  readonly startsTrained: boolean;
  /** @throws WildmarkError `usage` naming each option that is wrong. */
  readonly choose: (options?: Readonly<Record<string, unknown>>) => ChosenMark;
}

const registered = {
  content: register(content),
  noise: register(noise),
  unrelated: register(unrelated),
  abstract: register(abstract),
  entangled: register(entangled),
  certified: register(certified),
  app: register(app),
  "exponential-weighting": register(exponentialWeighting),
  "frontier-stitching": register(frontierStitching),
  "function-coupled": register(functionCoupled),
  "margin-based": register(marginBased),
};

export const markSchemes: readonly RegisteredMark[] = Object.values(registered);

export type MarkId = keyof typeof registered;

/** The options of a mark as a caller gives them: each has a default. */
export type OptionsOfMark<Id extends MarkId> =
  (typeof registered)[Id] extends RegisteredMark<infer Options> ? Partial<Options> : never;

/** @throws WildmarkError `usage` naming the marks there are. */
export function findMark(id: string): RegisteredMark {
  const found = markSchemes.find((scheme) => scheme.id === id);
  if (found !== undefined) return found;
  throw new WildmarkError("usage", `No mark "${id}".`, {
    hint: `Choose one of: ${markSchemes.map((scheme) => scheme.id).join(", ")}.`,
  });
}

/** A mark's record, made ready to be listed and chosen. */
export function register<Options extends MarkOptions>(scheme: MarkScheme<Options>): RegisteredMark<Options> {
  const { options, make, embed: own, unsaid = {}, ...about } = scheme;
  const described = { ...about, startsTrained: about.startsTrained ?? false };
  return {
    ...described,
    options,
    choose(given = {}) {
      const chosen = chooseOptions(options, given, scheme.id);
      return {
        ...described,
        options: said(chosen),
        keptBy: without(said(chosen), unsaid),
        make: async (owner) => make(owner, chosen),
        embed: (embedding, plain) => {
          const training = {
            ...plain,
            triggersPerBatch: boostedTriggers(plain, "labels" in chosen ? chosen : {}, about.boostOfRandomLabels),
          };
          return own === undefined ? embed(embedding, training) : own(embedding, training, chosen);
        },
      };
    },
  };
}

function said(options: MarkOptions): SaidOptions {
  return Object.fromEntries(
    Object.entries(options).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}

function without(options: SaidOptions, unsaid: MarkOptions): SaidOptions {
  return Object.fromEntries(Object.entries(options).filter(([name, value]) => unsaid[name] !== value));
}
