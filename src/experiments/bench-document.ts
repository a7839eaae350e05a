/**
 * @file Gathers what is finished of a bench into its document, at any moment: computes nothing, and judges what was answered.
 */

import type { z } from "zod";
import type { Key } from "../ownership/key.js";
import type { Verdict } from "../ownership/verdict.js";
import { verifyAnswers } from "../ownership/verify.js";
import { removalMethods } from "../removal/registry.js";
import { markSchemes } from "../watermarks/registry.js";
import { attackIdentity, type InnocentsResult, innocentsIdentity } from "./bench-cells.js";
import type { AttackAddress, BenchAddress, BenchPlan } from "./bench-plan.js";
import type { BenchCell, BenchOutcome, BenchOwner, BenchResult, Judgement } from "./bench-result.js";
import type { KnownBench } from "./bench-spec.js";
import { loadKey, markedIdentity, unmarkedIdentity } from "./cells.js";
import { cellFolder, type Workshop } from "./finish-cells.js";
import type { markedCellSchema, unmarkedSchema } from "./result.js";
import { type FinishedCell, findFinished } from "./store.js";

/** What is kept of the cells, and what was asked: all of the document that does not say who made it, when and where. */
export type BenchContents = Pick<
  BenchResult,
  | "complete"
  | "alpha"
  | "acceptableDrop"
  | "budgets"
  | "seeds"
  | "marks"
  | "removers"
  | "training"
  | "reactivation"
  | "empiricalNull"
  | "unmarked"
  | "owners"
  | "cells"
>;

/** Why the cell at an address failed when it was tried last, where it did. */
export type FailureOf = (address: BenchAddress) => string | undefined;

type Answers = InnocentsResult["owner"];

/** A marked model, and what judging its suspects takes. */
interface Owner {
  readonly seed: number;
  readonly mark: number;
  readonly found: FinishedCell<z.infer<typeof markedCellSchema>>;
  readonly key: Key;
  readonly innocents: InnocentsResult | undefined;
}

/** How a suspect is judged: the level, and whether among unmarked models. */
interface Court {
  readonly alpha: number;
  readonly empiricalNull: boolean;
}

type Unmarked = { readonly seed: number } & FinishedCell<z.infer<typeof unmarkedSchema>>;

/** The contents of a bench's document, from what lies in its folder. */
export async function benchContents(
  workshop: Workshop<KnownBench>,
  { skipped }: BenchPlan,
  failureOf: FailureOf,
): Promise<BenchContents> {
  const { spec } = workshop;
  const { alpha, acceptableDrop, budgets, seeds, unmarkedSeeds, training, reactivation } = spec;
  const unmarked = await findUnmarked(workshop);
  const owners = await findOwners(workshop, unmarked);
  // Fewer than that could never show a mark, whatever a suspect answers.
  const enough = 1 / (unmarkedSeeds.length + 1) <= alpha;
  const court = { alpha, empiricalNull: enough && owners.every(({ innocents }) => innocents !== undefined) };
  const absent = (address: BenchAddress): { status: "missing" } | { status: "failed"; reason: string } => {
    const reason = failureOf(address);
    return reason === undefined ? { status: "missing" } : { status: "failed", reason };
  };

  const unmarkedPart = unmarkedSeeds.map((seed): BenchResult["unmarked"][number] => {
    const found = unmarked.find((each) => each.seed === seed);
    if (found === undefined) return { ...absent({ kind: "unmarked", seed }), seed };
    const { accuracy, modelSha256 } = found.result;
    return { status: "done", seed, accuracy, seconds: found.seconds, modelSha256 };
  });
  const ownersPart: BenchOwner[] = [];
  const cells: BenchCell[] = [];
  for (const mark of spec.marks.keys()) {
    for (const seed of seeds) {
      const owner = owners.find((each) => each.mark === mark && each.seed === seed);
      ownersPart.push(
        owner === undefined ? { ...absent({ kind: "marked", seed, mark }), mark, seed } : ownerPart(owner, court),
      );
    }
    for (const remover of spec.removers.keys()) {
      for (const [budget, fraction] of budgets.entries()) {
        for (const seed of seeds) {
          const address: AttackAddress = { kind: "attack", seed, mark, budget, remover };
          const where = { mark, seed, remover, fraction };
          const reason = skipped.find((each) => isSame(each.address, address))?.reason;
          if (reason !== undefined) {
            cells.push({ status: "skipped", ...where, reason });
            continue;
          }
          const owner = owners.find((each) => each.mark === mark && each.seed === seed);
          const done = owner === undefined ? undefined : await attackPart(workshop, address, owner, court);
          cells.push(done === undefined ? { ...absent(address), ...where } : { ...done, ...where });
        }
      }
    }
  }
  return {
    complete:
      [...unmarkedPart, ...ownersPart, ...cells].every(({ status }) => status !== "missing") &&
      (unmarkedSeeds.length === 0 || owners.every((owner) => isTriedOnInnocents(owner, failureOf))),
    alpha,
    acceptableDrop,
    budgets: [...budgets],
    seeds: [...seeds],
    marks: spec.marks.map(({ name, chosen: { id, options } }) => {
      const { summary = "", paper = "" } = markSchemes.find((each) => each.id === id) ?? {};
      return { name, mark: id, summary, paper, options: { ...options } };
    }),
    removers: spec.removers.map(({ name, chosen: { id, needs, control, ignoresModel, options } }) => {
      const { summary = "", paper = "" } = removalMethods.find((each) => each.id === id) ?? {};
      return { name, method: id, summary, paper, needs: [...needs], control, ignoresModel, options: { ...options } };
    }),
    training: { ...training },
    reactivation: reactivation ?? null,
    empiricalNull: court.empiricalNull,
    unmarked: unmarkedPart,
    owners: ownersPart,
    cells,
  };
}

/** The unmarked models that are finished. */
export async function findUnmarked({ spec, out, run }: Workshop<KnownBench>): Promise<Unmarked[]> {
  const all: Unmarked[] = [];
  for (const seed of spec.unmarkedSeeds) {
    const found = await findFinished(cellFolder(out), unmarkedIdentity(spec, seed, run));
    if (found !== undefined) all.push({ seed, ...found });
  }
  return all;
}

async function findOwners({ spec, out, run }: Workshop<KnownBench>, unmarked: readonly Unmarked[]): Promise<Owner[]> {
  const owners: Owner[] = [];
  const folder = cellFolder(out);
  for (const [mark, { chosen }] of spec.marks.entries()) {
    for (const seed of spec.seeds) {
      const found = await findFinished(folder, markedIdentity(spec, chosen, seed, run));
      if (found === undefined) continue;
      const whole = unmarked.length > 0 && unmarked.length === spec.unmarkedSeeds.length;
      const cell = whole ? innocentsIdentity(spec, { seed, mark }, found, unmarked, run) : undefined;
      const innocents = cell === undefined ? undefined : (await findFinished(folder, cell))?.result;
      owners.push({ seed, mark, found, key: await loadKey(found.paths), innocents });
    }
  }
  return owners;
}

function isTriedOnInnocents({ seed, mark, innocents }: Owner, failureOf: FailureOf): boolean {
  return innocents !== undefined || failureOf({ kind: "innocents", seed, mark }) !== undefined;
}

function ownerPart(owner: Owner, court: Court): BenchOwner {
  const { mark, seed, found, innocents } = owner;
  const { triggers, heldOutTriggers, modelSha256, keySha256, epochs, measured, pictures } = found.result;
  return {
    status: "done",
    mark,
    seed,
    triggers,
    heldOutTriggers,
    modelSha256,
    keySha256,
    epochs,
    measured,
    verdict: ownerVerdict(owner, court),
    seconds: found.seconds,
    innocents: (innocents?.innocents ?? []).map(({ triggers: _, ...innocent }) => innocent),
    pictures,
  };
}

/** That of the marked model's cell was drawn at the default level, and knew no unmarked models. */
function ownerVerdict({ found, key, innocents }: Owner, court: Court): Verdict {
  if (innocents !== undefined) return judge(key, innocents.owner, innocents, court);
  const { verdict } = found.result;
  return { ...verdict, alpha: court.alpha, owned: verdict.pValue <= court.alpha };
}

type Done = Omit<Extract<BenchCell, { readonly status: "done" }>, "mark" | "seed" | "remover" | "fraction">;

async function attackPart(
  { spec, out, run }: Workshop<KnownBench>,
  address: AttackAddress,
  owner: Owner,
  court: Court,
): Promise<Done | undefined> {
  const found = await findFinished(cellFolder(out), attackIdentity(spec, address, owner.found, run));
  if (found === undefined) return undefined;
  const { images, measured, atChance, epochs, seconds, modelSha256, answers, reactivated } = found.result;
  const judgement = inBrief(judge(owner.key, answers, owner.innocents, court));
  const accuracyDrop = owner.found.result.measured.accuracy - measured.accuracy;
  return {
    status: "done",
    images,
    measured,
    judgement,
    accuracyDrop,
    outcome: outcomeOf(ownerVerdict(owner, court).owned, judgement.owned, accuracyDrop <= spec.acceptableDrop),
    atChance,
    epochs: epochs.length - 1,
    seconds,
    modelSha256,
    ...(reactivated === undefined
      ? {}
      : {
          reactivated: {
            measured: reactivated.measured,
            judgement: inBrief(judge(owner.key, reactivated.answers, owner.innocents, court)),
            seconds: reactivated.seconds,
          },
        }),
  };
}

function judge(key: Key, asked: Answers, innocents: InnocentsResult | undefined, court: Court): Verdict {
  const { alpha } = court;
  const triggers = Uint16Array.from(asked.triggers);
  if (court.empiricalNull && innocents !== undefined) {
    const nullModels = innocents.innocents.map((each) => each.triggers);
    return verifyAnswers(key, { triggers, nullModels }, { alpha, madeHere: true });
  }
  const placebos = asked.placebos === undefined ? {} : { placebos: Uint16Array.from(asked.placebos) };
  return verifyAnswers(key, { triggers, ...placebos }, { alpha, madeHere: true });
}

function inBrief({ owned, n, matches, interval, pValue, decidedBy, tests }: Verdict): Judgement {
  const brief = tests.map((test) => ({ id: test.id, pValue: test.pValue }));
  return { owned, n, matches, interval, pValue, decidedBy, tests: brief };
}

function outcomeOf(shownBefore: boolean, shown: boolean, acceptable: boolean): BenchOutcome {
  if (!shownBefore) return "never-shown";
  if (shown) return "shown";
  return acceptable ? "removed" : "costly";
}

function isSame(a: AttackAddress, b: AttackAddress): boolean {
  return a.seed === b.seed && a.mark === b.mark && a.budget === b.budget && a.remover === b.remover;
}
