/**
 * @file The cells of one experiment in its folder: finished where they are asked for, or looked up. Each is a pure
 * function of the spec; one that stands on others finds them finished, or finishes them first.
 */

import { join } from "node:path";
import type { RunCheckpoint } from "../tasks/checkpoint.js";
import type { RunOptions } from "../tasks/run-options.js";
import { type AttackResult, attackCell, attackInWords, computeAttack } from "./cells/attack.js";
import type { NullModelFound } from "./cells/definition.js";
import { computeKeyCheck, type KeyCheckResult, keyCheckCell, keyCheckInWords } from "./cells/key-check.js";
import {
  computeMarkedModel,
  type MarkedModelResult,
  markedModelCell,
  markedModelInWords,
} from "./cells/marked-model.js";
import { computeNullModel, type NullModelResult, nullModelCell, nullModelInWords } from "./cells/null-model.js";
import type { AttackAddress, CellAddress, MarkedAddress } from "./plan.js";
import type { ExperimentSpec, KnownSpec } from "./spec.js";
import { at } from "../core/lists.js";
import { type FinishedCell, findFinished, finishCell } from "./store.js";

/** Which experiment, where it is kept, how it runs. */
export interface Place<Spec = ExperimentSpec> {
  readonly spec: Spec;
  /** The experiment's folder. */
  readonly out: string;
  readonly run: RunOptions;
}

/** A cell that has been finished. */
export interface EndedCell {
  /** What is said of its result. */
  readonly line: string;
  /** False when it was found finished. */
  readonly computed: boolean;
}

export function cellFolder(out: string): string {
  return join(out, "cells");
}

/** The cell that an address names, finished in the experiment's folder. */
export async function finishAt(place: Place, address: CellAddress): Promise<EndedCell> {
  const { spec, out, run } = place;
  const folder = cellFolder(out);
  switch (address.kind) {
    case "null-model": {
      const { result, computed } = await finishNullModel(place, address.seed);
      return { line: nullModelInWords(result), computed };
    }
    case "marked-model": {
      const { result, computed } = await finishMarkedModel(place, address);
      const given = at(spec.subjects, address.subject).kind === "given";
      const line = markedModelInWords(result);
      return { line: given ? `${at(spec.subjects, address.subject).name} ${line}` : line, computed };
    }
    case "key-check": {
      const marked = await finishMarkedModel(place, address);
      const nullModels: NullModelFound[] = [];
      for (const seed of spec.nullModels) nullModels.push({ seed, ...(await finishNullModel(place, seed)) });
      const { result, computed } = await finishCell(folder, {
        ...keyCheckCell(spec, address, marked, nullModels, run),
        compute: () => computeKeyCheck(spec, address, marked, nullModels, run),
      });
      return { line: keyCheckInWords(spec, address, result), computed };
    }
    case "attack": {
      const marked = await finishMarkedModel(place, markedBy(spec, address));
      const { result, computed } = await finishCell(folder, {
        ...attackCell(spec, address, marked, run),
        compute: (checkpoint) => computeAttack(spec, address, marked, { ...run, checkpoint }),
      });
      return { line: attackInWords(spec, address, result), computed };
    }
  }
}

function finishNullModel({ spec, out, run }: Place, seed: number): Promise<FinishedCell<NullModelResult>> {
  const compute = (checkpoint: RunCheckpoint) => computeNullModel(spec, seed, { ...run, checkpoint });
  return finishCell(cellFolder(out), { ...nullModelCell(spec, seed, run), compute });
}

/** The marked model of a subject and seed, finished in the experiment's folder. */
export function finishMarkedModel(
  { spec, out, run }: Place,
  address: MarkedAddress,
): Promise<FinishedCell<MarkedModelResult>> {
  const compute = (checkpoint: RunCheckpoint) => computeMarkedModel(spec, address, { ...run, checkpoint });
  return finishCell(cellFolder(out), { ...markedModelCell(spec, address, run), compute });
}

/** The marked model that an attack starts from. */
export function markedBy(
  { subjects }: Pick<KnownSpec, "subjects">,
  { subject, seed }: { readonly subject: number; readonly seed: number },
): MarkedAddress {
  return { subject, seed: at(subjects, subject).kind === "given" ? null : seed };
}

/** What is finished of an experiment: each cell is looked up once. It computes nothing. */
export interface FoundCells {
  readonly nullModel: (seed: number) => Promise<FinishedCell<NullModelResult> | undefined>;
  readonly marked: (address: MarkedAddress) => Promise<FinishedCell<MarkedModelResult> | undefined>;
  readonly keyCheck: (address: MarkedAddress) => Promise<FinishedCell<KeyCheckResult> | undefined>;
  readonly attack: (address: AttackAddress) => Promise<FinishedCell<AttackResult> | undefined>;
  readonly at: (address: CellAddress) => Promise<FinishedCell<unknown> | undefined>;
}

export function findCells({ spec, out, run }: Place<KnownSpec>): FoundCells {
  const folder = cellFolder(out);
  const nullModel = remembered((seed: number) => findFinished(folder, nullModelCell(spec, seed, run)));
  const marked = remembered(({ subject, seed }: MarkedAddress) =>
    findFinished(folder, markedModelCell(spec, { subject, seed }, run)),
  );
  const keyCheck = remembered(async (address: MarkedAddress) => {
    const own = await marked({ subject: address.subject, seed: address.seed });
    const nullModels: NullModelFound[] = [];
    for (const seed of spec.nullModels) {
      const found = await nullModel(seed);
      if (found !== undefined) nullModels.push({ seed, ...found });
    }
    if (own === undefined || nullModels.length === 0 || nullModels.length < spec.nullModels.length) return undefined;
    return findFinished(folder, keyCheckCell(spec, address, own, nullModels, run));
  });
  const attack = remembered(async (address: AttackAddress) => {
    const own = await marked(markedBy(spec, address));
    return own === undefined ? undefined : findFinished(folder, attackCell(spec, address, own, run));
  });
  return {
    nullModel,
    marked,
    keyCheck,
    attack,
    at(address) {
      switch (address.kind) {
        case "null-model":
          return nullModel(address.seed);
        case "marked-model":
          return marked({ subject: address.subject, seed: address.seed });
        case "key-check":
          return keyCheck({ subject: address.subject, seed: address.seed });
        case "attack":
          return attack(address);
      }
    },
  };
}

function remembered<Asked, Found>(find: (asked: Asked) => Promise<Found>): (asked: Asked) => Promise<Found> {
  const known = new Map<string, Promise<Found>>();
  return (asked) => {
    const key = JSON.stringify(asked);
    const found = known.get(key) ?? find(asked);
    known.set(key, found);
    return found;
  };
}
