/** @file One attack on one marked model, measured from outside. */

import { z } from "zod";
import { randomStream } from "../../core/random.js";
import { encodeModel, type Model } from "../../onnx/model.js";
import { askKey } from "../../ownership/verify-model.js";
import { attackModel } from "../../tasks/attack-model.js";
import { isAtChance } from "../../tasks/chance.js";
import { measure, yardstickOf } from "../../tasks/measure.js";
import { reactivate } from "../../tasks/reactivate.js";
import { epochSchema, measurementSchema } from "../../tasks/records.js";
import type { RunOptions } from "../../tasks/run-options.js";
import { computedBy } from "../machine.js";
import type { AttackAddress } from "../plan.js";
import type { ExperimentSpec, KnownSpec } from "../spec.js";
import { exactPercent } from "../../core/percent.js";
import { at } from "../../core/lists.js";
import { type CellDefinition, type ComputedCell, sha256 } from "../store.js";
import { answersSchema, type MarkedFound, plainAnswers, slug } from "./definition.js";
import { percent } from "../../core/percent.js";
import { loadMarked, measuredInWords } from "./marked-model.js";

const resultSchema = z.object({
  images: z.object({ labelled: z.int().min(0), unlabelled: z.int().min(0) }),
  /** From epoch 0, the marked model; measured if the spec asks for every epoch. */
  epochs: z.array(epochSchema).min(1),
  measured: measurementSchema,
  answers: answersSchema,
  atChance: z.boolean(),
  /** Time that the method took, measuring excluded. */
  seconds: z.number().min(0),
  /** Of the cleaned model; the model itself is not kept: `wildmark remove` with the same options makes it again. */
  modelSha256: z.string(),
  reactivated: z.object({ measured: measurementSchema, answers: answersSchema, seconds: z.number().min(0) }).optional(),
});

export type AttackResult = z.infer<typeof resultSchema>;

export function attackCell(
  spec: KnownSpec,
  { subject: position, seed, remover, budget }: AttackAddress,
  marked: MarkedFound,
  run: RunOptions,
): CellDefinition<AttackResult> {
  const { dataset, observe } = spec;
  const subject = at(spec.subjects, position);
  const { chosen: method } = at(spec.removers, remover);
  const fraction = at(spec.budgets, budget);
  const { modelSha256: model, keySha256: key } = marked.result;
  const name = subject.kind === "made" ? subject.mark.id : slug(subject.key.scheme);
  return {
    name: `attack-${name}-${slug(method.label)}-${fraction}-seed${seed}`,
    spec: {
      ...computedBy(run.runtime),
      dataset: dataset.sha256,
      of: { model, ...(subject.kind === "made" ? {} : subject.read), key },
      fraction,
      seed,
      removal: { method: method.id, options: { ...method.options } },
      ...(observe.reactivation === null ? {} : { reactivation: { ...observe.reactivation } }),
      ...(observe.everyEpoch ? { everyEpoch: true } : {}),
    },
    schema: resultSchema,
  };
}

export async function computeAttack(
  spec: ExperimentSpec,
  address: AttackAddress,
  marked: MarkedFound,
  run: RunOptions,
): Promise<ComputedCell<AttackResult>> {
  const { dataset, observe } = spec;
  const { seed } = address;
  const { chosen: method } = at(spec.removers, address.remover);
  const { model, key } = await loadMarked(spec, address, marked);
  const yardstick = yardstickOf(key, dataset.test);
  const ask = async (suspect: Model) => plainAnswers(await askKey(suspect, key, run.runtime));
  // Unless it is asked for, nothing is measured on the way: that takes longer than the attack if models are small.
  const attacked = await attackModel(
    { model, dataset, method, fraction: at(spec.budgets, address.budget), seed },
    run,
    observe.everyEpoch ? yardstick : undefined,
  );
  const measured = attacked.epochs.at(-1)?.measured ?? (await measure(attacked.model, yardstick, run.runtime));
  const result: AttackResult = {
    images: {
      labelled: method.needs.includes("labelled") ? attacked.images : 0,
      unlabelled: attacked.unlabelledImages,
    },
    epochs: [...attacked.epochs],
    measured,
    answers: await ask(attacked.model),
    atChance: isAtChance(Math.round(measured.accuracy * dataset.test.count), dataset.test),
    seconds: attacked.seconds,
    modelSha256: sha256(encodeModel(attacked.model)),
  };
  if (observe.reactivation === null) return { result, files: {} };
  const random = randomStream(seed, "re-activate");
  const again = await reactivate(attacked.model, dataset.train, observe.reactivation, random, run);
  const reactivated = {
    measured: await measure(again.model, yardstick, run.runtime),
    answers: await ask(again.model),
    seconds: again.seconds,
  };
  return { result: { ...result, reactivated }, files: {} };
}

export function attackInWords(
  spec: KnownSpec,
  address: AttackAddress,
  { measured, reactivated }: AttackResult,
): string {
  const { name } = at(spec.subjects, address.subject);
  const who =
    `${at(spec.removers, address.remover).name}, ${exactPercent(at(spec.budgets, address.budget))}, ${name}, seed ` +
    `${address.seed}`;
  const back = reactivated === undefined ? "" : `; re-activated ${percent(reactivated.measured.retention)}`;
  return `${who}: ${measuredInWords(measured)}${back}`;
}
