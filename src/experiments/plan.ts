/**
 * @file The cells of an experiment as plain addresses, in the order in which one process would compute them; and parts
 * of them for several machines.
 *
 * An address can be sent to another process, which has the same spec and knows what the address means.
 */

import { WildmarkError } from "../core/errors.js";
import { attackerSubset, unlabelledSubset } from "../tasks/attacker-images.js";
import { embedContinuingOptions } from "../watermarks/embed.js";
import type { KnownSpec } from "./spec.js";
import { exactPercent } from "../core/percent.js";

/** One marked model: its subject, and its seed; null for a given one, which serves all seeds. */
export interface MarkedAddress {
  /** Position in the spec's list. */
  readonly subject: number;
  readonly seed: number | null;
}

/** `subject`, `remover` and `budget` are positions in the spec's lists. */
export interface AttackAddress {
  readonly kind: "attack";
  readonly subject: number;
  readonly seed: number;
  readonly remover: number;
  readonly budget: number;
}

export type CellAddress =
  | { readonly kind: "null-model"; readonly seed: number }
  | ({ readonly kind: "marked-model" } & MarkedAddress)
  /** The key tried on its own model and on all null models. */
  | ({ readonly kind: "key-check" } & MarkedAddress)
  | AttackAddress;

export interface PlannedCell {
  readonly address: CellAddress;
  /** Position in the order of the plan, from 0. */
  readonly position: number;
  /** Positions of the cells that it stands on. */
  readonly needs: readonly number[];
  /** What people call the work. */
  readonly what: string;
  /** Steps of training that it takes, to tell how far the whole is. */
  readonly steps: number;
}

export interface SkippedCell {
  readonly address: AttackAddress;
  readonly reason: string;
}

export interface Plan {
  readonly cells: readonly PlannedCell[];
  /** Attacks that cannot be tried. */
  readonly skipped: readonly SkippedCell[];
}

/**
 * Null models first; then seed by seed, subject by subject, small budgets first: wherever it is stopped, as much as can
 * be compared is.
 */
export function planCells(spec: KnownSpec): Plan {
  const { dataset, subjects, removers, budgets, seeds, nullModels, training, observe } = spec;
  const { count, classes } = dataset.train;
  const trainingSteps = training.epochs * Math.ceil(count / training.batch);
  const goingOn = embedContinuingOptions.parse({});
  const goingOnSteps = goingOn.epochs * Math.ceil(count / goingOn.batch);
  const reactivationSteps = observe.reactivation?.steps ?? 0;
  const cells: PlannedCell[] = [];
  const skipped: SkippedCell[] = [];
  const add = (address: CellAddress, what: string, steps: number, needs: readonly number[] = []): number =>
    cells.push({ address, position: cells.length, needs, what, steps }) - 1;
  const bare = nullModels.map((seed) => add({ kind: "null-model", seed }, `null model, seed ${seed}`, trainingSteps));

  /** A marked model, and its key tried on it and on the null models. */
  const addMarked = (subject: number, seed: number | null, name: string, steps: number): number => {
    const marked = add({ kind: "marked-model", subject, seed }, name, steps);
    if (bare.length > 0) add({ kind: "key-check", subject, seed }, `${name}: key on null models`, 0, [marked, ...bare]);
    return marked;
  };
  const given = subjects.map((subject, position) =>
    subject.kind === "given" ? addMarked(position, null, subject.name, 0) : undefined,
  );
  for (const seed of seeds) {
    const attackers = budgets.map((fraction) => imagesOf(dataset, fraction, seed));
    subjects.forEach((each, subject) => {
      const name = each.kind === "given" ? `${each.name}, seed ${seed}` : `${each.name} mark, seed ${seed}`;
      const steps = trainingSteps + (each.kind === "made" && each.mark.startsTrained ? goingOnSteps : 0);
      const marked = given[subject] ?? addMarked(subject, seed, name, steps);
      attackers.forEach(({ fraction, labelled, unlabelled }, budget) => {
        removers.forEach(({ name: remover, chosen }, position) => {
          const address: AttackAddress = { kind: "attack", subject, seed, remover: position, budget };
          const lacking =
            chosen.needs.includes("unlabelled") && typeof unlabelled === "string" ? unlabelled : undefined;
          const reason = typeof labelled === "string" ? labelled : lacking;
          if (typeof labelled === "string" || reason !== undefined) {
            skipped.push({ address, reason: reason ?? "" });
            return;
          }
          const work = chosen.steps({ images: labelled, classes }) + reactivationSteps;
          add(address, `${remover}, ${exactPercent(fraction)}, ${name}`, work, [marked]);
        });
      });
    });
  }
  return { cells, skipped };
}

/** How many images an attacker has, or why there are none. */
function imagesOf(dataset: KnownSpec["dataset"], fraction: number, seed: number) {
  const attacker = { dataset, fraction, seed };
  return {
    fraction,
    labelled: orReason(() => attackerSubset(attacker).length),
    unlabelled: orReason(() => unlabelledSubset(attacker).length),
  };
}

/** One of so many parts, from 1. */
export interface Shard {
  readonly index: number;
  readonly count: number;
}

/**
 * One part of a plan, with all that its cells stand on. Together the parts hold every cell; cells that nothing stands
 * on are in exactly one, in blocks, so that few models are needed by two.
 */
export function shardOf(plan: readonly PlannedCell[], { index, count }: Shard): PlannedCell[] {
  const needed = new Set(plan.flatMap(({ needs }) => needs));
  const leaves = plan.filter(({ position }) => !needed.has(position));
  const start = Math.floor(((index - 1) * leaves.length) / count);
  const end = Math.floor((index * leaves.length) / count);
  const chosen = new Set<number>();
  const choose = (position: number): void => {
    if (chosen.has(position)) return;
    chosen.add(position);
    for (const need of plan[position]?.needs ?? []) choose(need);
  };
  for (const { position } of leaves.slice(start, end)) choose(position);
  return plan.filter(({ position }) => chosen.has(position));
}

/** What tells one address from another, as text. */
export function addressKey(address: CellAddress): string {
  return JSON.stringify(Object.entries(address).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** What `ask` gives, or the message if the data are too few. */
function orReason(ask: () => number): number | string {
  try {
    return ask();
  } catch (error) {
    if (error instanceof WildmarkError && error.code === "bad-data") return error.message;
    throw error;
  }
}
