/** @file What a verdict's document says of whom was asked. */

import { modelFacts } from "../experiments/verdict-document.js";
import type { VerdictDocument } from "../experiments/verdict-result.js";
import type { Model } from "../onnx/model.js";
import { readAs } from "../onnx/readings.js";
import type { Key } from "../ownership/key.js";
import type { ReadingTried } from "../ownership/suspect-readings.js";
import type { SuspectRecord } from "./suspect.js";
import { defined } from "../core/defined.js";

/** Names of no class that a document tells. */
const TOLD_WORDS = 20;

export interface AskedModel {
  readonly key: Key;
  /** Of a model's file. */
  readonly model: Model | undefined;
  /** The readings under which it was asked, the best first. */
  readonly tried: readonly ReadingTried[];
}

export function suspectFacts(record: SuspectRecord, { key, model, tried }: AskedModel): VerdictDocument["suspect"] {
  switch (record.kind) {
    case "model":
      return {
        ...(model === undefined ? { kind: "model", name: record.name } : fileFacts(model, record.name, key, tried)),
        ...defined({ through: record.through }),
      };
    case "answers": {
      const { kind, name, sha256, exported, answered, bound, seen = 0 } = record;
      return { kind, name, sha256, table: { exported, answered, bound, seen } };
    }
    case "endpoint": {
      const { kind, name, cost, decoys, unknownWords, unheard: _, ...rest } = record;
      return {
        kind,
        name,
        endpoint: {
          ...rest,
          decoys: { ...decoys },
          unknownWords: unknownWords.slice(0, TOLD_WORDS),
          ...defined({ cost }),
        },
      };
    }
  }
}

function fileFacts(model: Model, name: string, key: Key, tried: readonly ReadingTried[]): VerdictDocument["suspect"] {
  const said = modelFacts(model, name, key);
  const [best] = tried;
  const { layout, range, mean, std, channelOrder } = said.reading ?? {};
  const asSaid =
    best === undefined ||
    JSON.stringify([best.layout, best.range, best.mean, best.std, best.channelOrder]) ===
      JSON.stringify([layout, range, mean, std, channelOrder]);
  const read = asSaid ? said : modelFacts(readAs(model, best), name, key);
  const n = key.triggers.count;
  return {
    ...said,
    ...defined({ reading: read.reading }),
    ...(tried.length < 2
      ? {}
      : {
          readingsTried: tried.map((each, i) => ({
            name: each.name,
            matches: each.matches ?? 0,
            n,
            used: i === 0,
          })),
        }),
  };
}
