/** @file The cells of a bench: models with and without marks, each mark under each remover, budget and seed; and shares of them. */

import { WildmarkError } from "../core/errors.js";
import { embedContinuingOptions } from "../watermarks/embed.js";
import type { KnownBench } from "./bench-spec.js";
import type { PlannedCell, PlannedWork } from "./plan.js";
import { attackerSubset, unlabelledSubset } from "../tasks/attacker-images.js";

/** `mark`, `remover` and `budget` are positions in the spec's lists. */
export interface AttackAddress {
  readonly kind: "attack";
  readonly seed: number;
  readonly mark: number;
  readonly budget: number;
  readonly remover: number;
}

export type BenchAddress =
  | { readonly kind: "unmarked"; readonly seed: number }
  | { readonly kind: "marked"; readonly seed: number; readonly mark: number }
  /** The key tried on all unmarked models. */
  | { readonly kind: "innocents"; readonly seed: number; readonly mark: number }
  | AttackAddress;

export interface BenchPlan {
  readonly cells: readonly PlannedCell<BenchAddress>[];
  /** Cells that cannot be tried, with the reason. */
  readonly skipped: readonly { readonly address: AttackAddress; readonly reason: string }[];
}

/** Seed by seed, mark by mark, small budgets first: whenever it is stopped, what is finished compares as much as it can. */
export function planBench(spec: KnownBench): BenchPlan {
  const { dataset, marks, removers, budgets, seeds, unmarkedSeeds, training, reactivation } = spec;
  const trainingSteps = training.epochs * Math.ceil(dataset.train.count / training.batch);
  const goingOn = embedContinuingOptions.parse({});
  const goingOnSteps = goingOn.epochs * Math.ceil(dataset.train.count / goingOn.batch);
  const cells: PlannedCell<BenchAddress>[] = [];
  const skipped: { readonly address: AttackAddress; readonly reason: string }[] = [];
  const add = (address: BenchAddress, what: string, steps: number, needs: readonly number[] = []): number =>
    cells.push({ address, position: cells.length, needs, what, steps }) - 1;
  const unmarked = unmarkedSeeds.map((seed) => add({ kind: "unmarked", seed }, `no mark, seed ${seed}`, trainingSteps));
  const wantsUnlabelled = removers.some(({ chosen }) => chosen.needs.includes("unlabelled"));

  for (const seed of seeds) {
    const attackers = budgets.map((fraction) => {
      const attacker = { dataset, fraction, seed };
      return {
        fraction,
        labelled: orReason(() => attackerSubset(attacker).length),
        unlabelled: wantsUnlabelled ? orReason(() => unlabelledSubset(attacker).length) : 0,
      };
    });
    marks.forEach(({ name, chosen: { startsTrained } }, mark) => {
      const steps = trainingSteps + (startsTrained ? goingOnSteps : 0);
      const marked = add({ kind: "marked", seed, mark }, `${name} mark, seed ${seed}`, steps);
      attackers.forEach(({ fraction, labelled, unlabelled }, budget) => {
        removers.forEach(({ name: remover, chosen }, position) => {
          const address: AttackAddress = { kind: "attack", seed, mark, budget, remover: position };
          const given = chosen.needs.includes("unlabelled") ? [labelled, unlabelled] : [labelled];
          const lacking = given.find((each) => typeof each === "string");
          if (typeof labelled === "string" || lacking !== undefined) {
            skipped.push({ address, reason: String(lacking) });
            return;
          }
          const steps = chosen.steps({ images: labelled, classes: dataset.train.classes }) + (reactivation?.steps ?? 0);
          add(address, `${remover}, ${percent(fraction)}, ${name} mark, seed ${seed}`, steps, [marked]);
        });
      });
      if (unmarked.length > 0) {
        add({ kind: "innocents", seed, mark }, `${name} key of seed ${seed} on no mark`, 0, [marked, ...unmarked]);
      }
    });
  }
  return { cells, skipped };
}

/**
 * One of `count` parts of a plan, with all that its cells stand on. Together the parts hold every cell; cells that nothing
 * stands on are in exactly one, in blocks, so that few models are needed by two.
 *
 * @param index from 1
 */
export function shardOf<Cell extends PlannedWork>(plan: readonly Cell[], index: number, count: number): Cell[] {
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

/** What `ask` gives, or the message where the data are too few. */
function orReason<T>(ask: () => T): T | string {
  try {
    return ask();
  } catch (error) {
    if (error instanceof WildmarkError && error.code === "bad-data") return error.message;
    throw error;
  }
}

/** "1 %", "0.25 %" */
export function percent(fraction: number): string {
  return `${Number((100 * fraction).toFixed(6))} %`;
}
