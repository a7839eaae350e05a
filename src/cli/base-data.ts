/**
 * @file The flags that say what a key was drawn from, and the data that they mean: to make it again, or others like it.
 */

import { z } from "zod";
import { WildmarkError } from "../core/errors.js";
import type { BaseData } from "../ownership/draw-key.js";
import { type Key, MADE_ELSEWHERE } from "../ownership/key.js";
import type { RuntimeOptions } from "../runtime/session.js";
import { findMark } from "../watermarks/registry.js";
import {
  abstractFlag,
  abstractFor,
  type DataCall,
  dataFlags,
  loadChosen,
  unrelatedFlag,
  unrelatedFor,
} from "./data.js";
import { modelFlags, openModel } from "./model.js";
import { defined } from "../core/defined.js";

const { dataset, ...otherDataFlags } = dataFlags;

/** Data are optional: a verdict without them tests less, and says so. */
export const baseDataFlags = {
  dataset: dataset.optional().meta({
    description: "the data that the key was drawn from: makes it again, and draws strangers' keys beside it",
    placeholder: "NAME",
  }),
  ...otherDataFlags,
  ...unrelatedFlag,
  ...abstractFlag,
  baseModel: z.string().optional().meta({
    description: "the model that was marked, where triggers are made against it (frontier-stitching, entangled)",
    placeholder: "FILE",
  }),
};

export type BaseDataFlags = z.infer<z.ZodObject<typeof baseDataFlags>>;

/** @returns undefined where no data set was given. */
export async function baseDataFor(
  key: Key,
  flags: BaseDataFlags,
  call: DataCall,
  runtime?: RuntimeOptions,
): Promise<BaseData | undefined> {
  const { dataset: name, baseModel } = flags;
  if (name === undefined || key.scheme === MADE_ELSEWHERE) return undefined;
  const chosen = { ...flags, dataset: name };
  const mark = findMark(key.scheme);
  const data = await loadChosen(chosen, call);
  const model =
    baseModel === undefined ? undefined : await openModel(baseModel, z.object(modelFlags).parse({}), call.progress);
  const againstModel = key.drawn?.base.modelSha256 !== undefined;
  if (againstModel && model === undefined) {
    throw new WildmarkError("usage", `Triggers of the ${key.scheme} mark are made against the model that was marked.`, {
      hint: "Give it too: --base-model FILE; or leave --dataset out.",
    });
  }
  return {
    train: data.train,
    ...(await unrelatedFor(mark.pictures === "unrelated", data, chosen, call)),
    ...(await abstractFor(mark.pictures === "abstract", data, chosen, call)),
    ...defined({ model, runtime }),
  };
}
