/** @file A key tried on its own model and on every null model: whether what it shows means anything. */

import { z } from "zod";
import { accuracy } from "../../data/answers.js";
import { heldOutTriggersOf, triggersOf } from "../../ownership/key-images.js";
import { askKey } from "../../ownership/verify-model.js";
import { share } from "../../tasks/records.js";
import type { RunOptions } from "../../tasks/run-options.js";
import { agreement } from "../../training/evaluate.js";
import { computedBy } from "../machine.js";
import type { MarkedAddress } from "../plan.js";
import type { ExperimentSpec, KnownSpec } from "../spec.js";
import { at } from "../../core/lists.js";
import type { CellDefinition, ComputedCell } from "../store.js";
import { answersSchema, type MarkedFound, type NullModelFound, plainAnswers, slug } from "./definition.js";
import { percent } from "../../core/percent.js";
import { loadMarked, loadModel } from "./marked-model.js";

const resultSchema = z.object({
  /** What the marked model itself answers. */
  owner: answersSchema,
  /** What each null model answers; placebos are absent in cells from before. */
  innocents: z.array(answersSchema.extend({ seed: z.int(), retention: share, heldOutRetention: share.optional() })),
});

export type KeyCheckResult = z.infer<typeof resultSchema>;

export function keyCheckCell(
  spec: KnownSpec,
  { subject: position, seed }: MarkedAddress,
  marked: MarkedFound,
  nullModels: readonly NullModelFound[],
  run: RunOptions,
): CellDefinition<KeyCheckResult> {
  const subject = at(spec.subjects, position);
  const name = subject.kind === "made" ? `${subject.mark.id}-seed${seed}` : `given-${slug(subject.key.scheme)}`;
  const { modelSha256: model, keySha256: key } = marked.result;
  const read = subject.kind === "made" ? {} : subject.read;
  const unmarked = nullModels.map((each) => ({ seed: each.seed, model: each.result.modelSha256 }));
  return {
    name: `innocents-${name}`,
    spec: { ...computedBy(run.runtime), of: { model, ...read, key, unmarked } },
    schema: resultSchema,
  };
}

export async function computeKeyCheck(
  spec: ExperimentSpec,
  address: MarkedAddress,
  marked: MarkedFound,
  nullModels: readonly NullModelFound[],
  { runtime }: RunOptions,
): Promise<ComputedCell<KeyCheckResult>> {
  const own = await loadMarked(spec, address, marked);
  const heldOut = heldOutTriggersOf(own.key);
  const innocents: KeyCheckResult["innocents"] = [];
  // One after the other: each has a session of its own.
  for (const { seed, paths } of nullModels) {
    const model = await loadModel(paths);
    const asked = await askKey(model, own.key, runtime);
    innocents.push({
      seed,
      retention: agreement(asked.triggers, triggersOf(own.key).labels),
      ...(heldOut === undefined ? {} : { heldOutRetention: await accuracy(model, heldOut, runtime) }),
      ...plainAnswers(asked),
    });
  }
  return { result: { owner: plainAnswers(await askKey(own.model, own.key, runtime)), innocents }, files: {} };
}

export function keyCheckInWords(spec: KnownSpec, { subject, seed }: MarkedAddress, result: KeyCheckResult): string {
  const most = Math.max(...result.innocents.map(({ retention }) => retention));
  const name = at(spec.subjects, subject).name;
  return `${name} key${seed === null ? "" : ` of seed ${seed}`}: null models answer at most ${percent(most)} of it`;
}
