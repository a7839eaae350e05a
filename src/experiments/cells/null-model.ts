/** @file A model trained without any mark: what an innocent suspect of this kind is. */

import { z } from "zod";
import { encodeModel } from "../../onnx/model.js";
import { epochSchema, share } from "../../tasks/records.js";
import type { RunOptions } from "../../tasks/run-options.js";
import { trainModel } from "../../tasks/train-model.js";
import type { ExperimentSpec, KnownSpec } from "../spec.js";
import { type CellDefinition, type ComputedCell, sha256 } from "../store.js";
import { MODEL_FILE, madeFrom } from "./definition.js";
import { percent } from "../../core/percent.js";

const resultSchema = z.object({
  seed: z.int(),
  accuracy: share,
  epochs: z.array(epochSchema),
  modelSha256: z.string(),
});

export type NullModelResult = z.infer<typeof resultSchema>;

export function nullModelCell(spec: KnownSpec, seed: number, run: RunOptions): CellDefinition<NullModelResult> {
  return {
    name: `unmarked-seed${seed}`,
    spec: { ...madeFrom(spec, seed, run), training: trainingWithoutMark(spec) },
    schema: resultSchema,
  };
}

export async function computeNullModel(
  spec: ExperimentSpec,
  seed: number,
  run: RunOptions,
): Promise<ComputedCell<NullModelResult>> {
  const { dataset, architecture } = spec;
  const trained = await trainModel({ dataset, architecture, seed, options: trainingWithoutMark(spec) }, run);
  const bytes = encodeModel(trained.model);
  const { accuracy, epochs } = trained;
  return {
    result: { seed, accuracy, epochs: [...epochs], modelSha256: sha256(bytes) },
    files: { [MODEL_FILE]: { bytes } },
  };
}

export function nullModelInWords({ seed, accuracy }: NullModelResult): string {
  return `null model, seed ${seed}: accuracy ${percent(accuracy)}`;
}

function trainingWithoutMark({ training: { triggersPerBatch: _, ...options } }: Pick<KnownSpec, "training">) {
  return options;
}
