/** @file Made-up verdicts for tests of their page: valid, the tests are the real ones, and no model was ever asked. */

import { randomStream } from "../../core/random.js";
import { type VerdictDocument, verdictDocumentSchema } from "../../experiments/verdict-result.js";
import type { Key } from "../../ownership/key.js";
import { groundsInWords } from "../../ownership/verdict.js";
import { comparedCounts, type VerifyOptions, verifyAnswers } from "../../ownership/verify.js";
import { sampleHead } from "./sample.js";

const N = 100;

export interface SampleVerdict {
  /** Of 100 triggers. */
  readonly matches?: number;
  /** Whether a secret drew the labels; else one label stands for all, of a key that somebody chose. */
  readonly drawn?: boolean;
  readonly nullModels?: readonly number[];
  readonly strangers?: readonly number[];
  readonly options?: VerifyOptions;
  readonly suspect?: Partial<VerdictDocument["suspect"]>;
}

export function sampleVerdict(sample: SampleVerdict = {}): VerdictDocument {
  const { matches = 98, drawn = true, nullModels, strangers, options = {}, suspect = {} } = sample;
  const key = keyOf(drawn);
  const answersWith = (hits: number) => key.triggers.labels.map((label, i) => (i < hits ? label : (label + 1) % 10));
  const answers = {
    triggers: answersWith(matches),
    placebos: answersWith(4),
    ...(nullModels === undefined ? {} : { nullModels: nullModels.map(answersWith) }),
    ...(strangers === undefined ? {} : { strangers: strangers.map((hits) => ({ matches: hits, n: N })) }),
  };
  const verdict = verifyAnswers(key, answers, options);
  const compared = comparedCounts(key, answers);
  const { software, machine, started, finished } = sampleHead({ title: "", command: "" });
  return verdictDocumentSchema.parse({
    format: "wildmark-result",
    version: 1,
    kind: "verdict",
    title: "Does suspect.onnx carry the mark of mark.safetensors?",
    command: "wildmark verify suspect.onnx --key mark.safetensors --out verdict.html",
    ...{ started, finished, seconds: 3, software, machine },
    suspect: {
      kind: "model",
      name: "suspect.onnx",
      sha256: "a".repeat(64),
      isTheMarkedFile: false,
      reading: {
        layout: "NCHW",
        range: [0, 1],
        mean: [0.5],
        std: [1],
        channelOrder: "RGB",
        from: { layout: "assumed", range: "assumed", mean: "--mean", std: "assumed", channelOrder: "assumed" },
      },
      ...suspect,
    },
    key: {
      name: "mark.safetensors",
      sha256: "b".repeat(64),
      scheme: "content",
      options: { shape: "secret", triggers: N },
      createdBy: "wildmark 0.1.0",
      classes: 10,
      shape: [1, 28, 28],
      triggers: N,
      heldOutTriggers: 50,
      placebos: N,
      placebosPaired: true,
      madeFor: "c".repeat(64),
      ...(drawn
        ? { drawn: { labelling: "wrong", exchangeable: false, base: { sha256: "d".repeat(64), count: 60000 } } }
        : {}),
      regenerated: drawn,
    },
    asked: { triggers: N, placebos: N, heldOutTriggers: 50, strangers: (strangers?.length ?? 0) * N },
    verdict,
    grounds: groundsInWords(verdict),
    compared: {
      ...compared,
      ...(nullModels === undefined
        ? {}
        : {
            nullModels: nullModels.map((hits, i) => ({
              name: `null/${i}.onnx`,
              sha256: `${i}`.repeat(64),
              matches: hits,
            })),
          }),
      ...(strangers === undefined ? {} : { strangers: { keys: compared.strangers, sameBase: true } }),
    },
    heldOut: { matches: 6, n: 50 },
    notTested: ["That the key is older than the suspect: it was not held against a commitment."],
  });
}

function keyOf(drawn: boolean): Key {
  const labels = Uint16Array.from({ length: N }, (_, i) => (drawn ? i % 10 : 6));
  // Pictures that nobody takes for the same.
  const random = randomStream(5);
  const images = Uint8Array.from({ length: 16 * N }, () => random.below(256));
  return {
    scheme: "content",
    seed: 0,
    classes: 10,
    shape: { channels: 1, height: 4, width: 4 },
    triggers: { images, labels, count: N },
    heldOut: undefined,
    placebos: { images, count: N, paired: true },
    sourceLabels: undefined,
    options: {},
    modelSha256: "c".repeat(64),
    createdBy: "wildmark 0.1.0",
    ...(drawn
      ? {
          drawn: {
            secret: new Uint8Array(32),
            labelling: "wrong" as const,
            exchangeable: false,
            base: { sha256: "d".repeat(64), count: 60000 },
          },
        }
      : {}),
  };
}
