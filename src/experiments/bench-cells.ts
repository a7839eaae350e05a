/**
 * @file The cells that only a bench has: one attack on one marked model, and a key tried on all unmarked ones. Each is a pure
 * function of its spec.
 *
 * Answers are kept as they were given, so that verdicts can be drawn from them at any level, and against unmarked models
 * that were trained later.
 */

import { z } from "zod";
import { randomStream } from "../core/random.js";
import { accuracy } from "../data/answers.js";
import { encodeModel } from "../onnx/model.js";
import { heldOutTriggersOf, triggersOf } from "../ownership/key-images.js";
import { askKey } from "../ownership/verify-model.js";
import { agreement } from "../training/evaluate.js";
import type { AttackAddress, BenchAddress } from "./bench-plan.js";
import { percent } from "./bench-plan.js";
import type { BenchSpec, KnownBench } from "./bench-spec.js";
import { loadKey, loadModel, markedCell, type Owner, slug, unmarkedCell } from "./cells.js";
import { isAtChance } from "../tasks/chance.js";
import type { EndedCell } from "./experiment.js";
import { cellFolder, type Workshop } from "./finish-cells.js";
import { computedBy } from "./machine.js";
import { measure, yardstickOf } from "../tasks/measure.js";
import { reactivate } from "../tasks/reactivate.js";
import { removeMark } from "../tasks/remove-mark.js";
import { epochSchema, measurementSchema, share } from "../tasks/records.js";
import type { RunOptions } from "../tasks/run-options.js";
import { type Cell, type CellIdentity, type FinishedCell, finishCell, sha256 } from "./store.js";

const classes = z.array(z.int().min(0));
const answersSchema = z.object({ triggers: classes, placebos: classes.optional() });

export const attackResultSchema = z.object({
  images: z.object({ labelled: z.int().min(0), unlabelled: z.int().min(0) }),
  /** From epoch 0, the marked model. */
  epochs: z.array(epochSchema).min(1),
  measured: measurementSchema,
  answers: answersSchema,
  atChance: z.boolean(),
  /** Time that the method took, measuring excluded. */
  seconds: z.number().min(0),
  /** Of the cleaned model; the model itself is not kept. */
  modelSha256: z.string(),
  reactivated: z.object({ measured: measurementSchema, answers: answersSchema, seconds: z.number().min(0) }).optional(),
});

export const innocentsResultSchema = z.object({
  /** What the marked model itself answers. */
  owner: answersSchema,
  innocents: z.array(
    z.object({ seed: z.int(), retention: share, heldOutRetention: share.optional(), triggers: classes }),
  ),
});

export type AttackResult = z.infer<typeof attackResultSchema>;
export type InnocentsResult = z.infer<typeof innocentsResultSchema>;
type Suspect = { readonly seed: number } & Pick<FinishedCell<{ readonly modelSha256: string }>, "result" | "paths">;
type BenchWorkshop = Workshop<BenchSpec>;
type MarkedAddress = { readonly seed: number; readonly mark: number };

/** @param owner the marked model and its key. */
export function attackIdentity(
  spec: KnownBench,
  address: AttackAddress,
  owner: Owner,
  run: RunOptions,
): CellIdentity<AttackResult> {
  const { dataset, reactivation } = spec;
  const { seed } = address;
  const { chosen: mark } = at(spec.marks, address.mark);
  const { chosen: method } = at(spec.removers, address.remover);
  const fraction = at(spec.budgets, address.budget);
  return {
    name: `attack-${mark.id}-${slug(method.label)}-${fraction}-seed${seed}`,
    spec: {
      ...computedBy(run.runtime),
      dataset: dataset.sha256,
      of: { model: owner.result.modelSha256, key: owner.result.keySha256 },
      fraction,
      seed,
      removal: { method: method.id, options: { ...method.options } },
      ...(reactivation === undefined ? {} : { reactivation: { ...reactivation } }),
    },
    schema: attackResultSchema,
  };
}

/** @param owner the marked model and its key. */
export function attackCell(spec: BenchSpec, address: AttackAddress, owner: Owner, run: RunOptions): Cell<AttackResult> {
  const { dataset, reactivation } = spec;
  const { seed } = address;
  const { chosen: method } = at(spec.removers, address.remover);
  const fraction = at(spec.budgets, address.budget);
  return {
    ...attackIdentity(spec, address, owner, run),
    async compute() {
      const model = await loadModel(owner.paths);
      const key = await loadKey(owner.paths);
      // Without the key: nothing is measured on the way, which takes longer than the attack where models are small.
      const cleaned = await removeMark({ model, dataset, method, fraction, seed }, run);
      const measured = await measure(cleaned.model, yardstickOf(key, dataset.test), run.runtime);
      const correct = Math.round(measured.accuracy * dataset.test.count);
      const result: AttackResult = {
        images: {
          labelled: method.needs.includes("labelled") ? cleaned.images : 0,
          unlabelled: cleaned.unlabelledImages,
        },
        epochs: [...cleaned.epochs],
        measured,
        answers: plain(await askKey(cleaned.model, key, run.runtime)),
        atChance: isAtChance(correct, dataset.test),
        seconds: cleaned.seconds,
        modelSha256: sha256(encodeModel(cleaned.model)),
      };
      if (reactivation === undefined) return { result, files: {} };
      const random = randomStream(seed, "re-activate");
      const again = await reactivate(cleaned.model, dataset.train, reactivation, random, run);
      const reactivated = {
        measured: await measure(again.model, yardstickOf(key, dataset.test), run.runtime),
        answers: plain(await askKey(again.model, key, run.runtime)),
        seconds: again.seconds,
      };
      return { result: { ...result, reactivated }, files: {} };
    },
  };
}

/** @param suspects the unmarked models. */
export function innocentsIdentity(
  spec: KnownBench,
  address: MarkedAddress,
  owner: Owner,
  suspects: readonly Suspect[],
  run: RunOptions,
): CellIdentity<InnocentsResult> {
  const { chosen: mark } = at(spec.marks, address.mark);
  return {
    name: `innocents-${mark.id}-seed${address.seed}`,
    spec: {
      ...computedBy(run.runtime),
      of: {
        model: owner.result.modelSha256,
        key: owner.result.keySha256,
        unmarked: suspects.map(({ seed, result }) => ({ seed, model: result.modelSha256 })),
      },
    },
    schema: innocentsResultSchema,
  };
}

/** @param suspects the unmarked models. */
export function innocentsCell(
  spec: BenchSpec,
  address: MarkedAddress,
  owner: Owner,
  suspects: readonly Suspect[],
  run: RunOptions,
): Cell<InnocentsResult> {
  return {
    ...innocentsIdentity(spec, address, owner, suspects, run),
    async compute() {
      const key = await loadKey(owner.paths);
      const heldOut = heldOutTriggersOf(key);
      const innocents: InnocentsResult["innocents"] = [];
      // One after the other: each has a session of its own.
      for (const { seed, paths } of suspects) {
        const model = await loadModel(paths);
        const { triggers } = await askKey(model, key, run.runtime);
        innocents.push({
          seed,
          retention: agreement(triggers, triggersOf(key).labels),
          ...(heldOut === undefined ? {} : { heldOutRetention: await accuracy(model, heldOut, run.runtime) }),
          triggers: [...triggers],
        });
      }
      const asked = await askKey(await loadModel(owner.paths), key, run.runtime);
      return { result: { owner: plain(asked), innocents }, files: {} };
    },
  };
}

/** The cell that an address names, finished in the bench's folder, and what is said of it. */
export async function finishBenchCell(workshop: BenchWorkshop, address: BenchAddress): Promise<EndedCell> {
  const { spec, out, run } = workshop;
  const { seed } = address;
  const folder = cellFolder(out);
  if (address.kind === "unmarked") {
    const { result, computed } = await finishUnmarked(workshop, seed);
    return { line: `no mark, seed ${seed}: accuracy ${share100(result.accuracy)}`, computed };
  }
  const name = `${at(spec.marks, address.mark).name} mark, seed ${seed}`;
  const owner = await finishCell(folder, markedCell(spec, at(spec.marks, address.mark).chosen, seed, run));
  switch (address.kind) {
    case "marked": {
      const { measured, verdict } = owner.result;
      return { line: `${name}: ${inWords(measured)}${verdict.owned ? "" : "; not shown"}`, computed: owner.computed };
    }
    case "innocents": {
      const suspects: Suspect[] = [];
      for (const each of spec.unmarkedSeeds) suspects.push({ seed: each, ...(await finishUnmarked(workshop, each)) });
      const { result, computed } = await finishCell(folder, innocentsCell(spec, address, owner, suspects, run));
      const most = Math.max(...result.innocents.map(({ retention }) => retention));
      return { line: `${name}: unmarked models answer at most ${share100(most)} of its key`, computed };
    }
    case "attack": {
      const { result, computed } = await finishCell(folder, attackCell(spec, address, owner, run));
      const who = `${at(spec.removers, address.remover).name}, ${percent(at(spec.budgets, address.budget))}, ${name}`;
      const again = result.reactivated;
      const back = again === undefined ? "" : `; re-activated ${share100(again.measured.retention)}`;
      return { line: `${who}: ${inWords(result.measured)}${back}`, computed };
    }
  }
}

function finishUnmarked({ spec, out, run }: BenchWorkshop, seed: number) {
  return finishCell(cellFolder(out), unmarkedCell(spec, seed, run));
}

function plain({ triggers, placebos }: { readonly triggers: Uint16Array; readonly placebos?: Uint16Array }) {
  return { triggers: [...triggers], ...(placebos === undefined ? {} : { placebos: [...placebos] }) };
}

function inWords({ accuracy: correct, retention }: z.infer<typeof measurementSchema>): string {
  return `accuracy ${share100(correct)}, retention ${share100(retention)}`;
}

function share100(value: number): string {
  return `${(100 * value).toFixed(1)} %`;
}

function at<T>(items: readonly T[], position: number): T {
  const item = items[position];
  if (item === undefined) throw new RangeError(`the bench has no entry ${position}`);
  return item;
}
