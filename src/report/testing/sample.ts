/**
 * @file A made-up result document for tests of the report: seeded and valid. Its numbers were never measured.
 *
 * The three statements have samples of their own (`sample-reproduce`, `sample-audit`, `sample-bench`), each a few lines
 * on top of this one.
 */

import { randomStream } from "../../core/random.js";
import { binomialTail, clopperPearson } from "../../core/statistics.js";
import {
  type DoneMarked,
  type ExperimentDocument,
  experimentSchema,
  type RemoverSummary,
  type SubjectSummary,
} from "../../experiments/document.js";
import { inBrief, outcomeOf } from "../../experiments/judgement.js";
import type { Verdict } from "../../ownership/verdict.js";
import type { EpochRecord, Measurement } from "../../tasks/records.js";

/** Which attack: names of the subject and the remover. */
export interface SampleAddress {
  readonly subject: string;
  readonly remover: string;
  readonly fraction: number;
  readonly seed: number;
}

/** What came of an attack; a word says why there is none: of a skipped one its reason, or that it is `missing`. */
export type SampleAttack = SampleDone | "missing" | (string & {});

export interface SampleDone {
  readonly measured: Measurement;
  readonly curve?: readonly EpochRecord[];
  /** Retention after re-activation; absent: not tried. */
  readonly back?: number;
  readonly seconds?: number;
  readonly unlabelled?: boolean;
}

export interface Sample {
  readonly statement: ExperimentDocument["statement"];
  readonly title: string;
  readonly command: string;
  readonly alpha?: number;
  readonly acceptableDrop?: number | null;
  readonly subjects: readonly (Pick<SubjectSummary, "name" | "mark"> & { readonly given?: boolean })[];
  readonly removers: readonly (Pick<RemoverSummary, "name" | "method"> & Partial<RemoverSummary>)[];
  readonly budgets: readonly number[];
  readonly seeds: readonly number[];
  readonly reactivation?: boolean;
  /** Before any attack, and what null models answer to the key; both by seed. */
  readonly before: (subject: string, seed: number) => Measurement;
  readonly onNullModel?: (subject: string, seed: number) => Measurement;
  readonly pictures?: (subject: string, seed: number) => DoneMarked["pictures"];
  readonly attack: (where: SampleAddress) => SampleAttack;
}

/** The document, checked by its schema. */
export function sampleDocument(sample: Sample): ExperimentDocument {
  const { alpha = 0.05, acceptableDrop = 0.02, subjects, removers, budgets, seeds } = sample;
  const made = subjects.some(({ given = false }) => !given);
  const models = subjects.flatMap(({ given = false, ...subject }, at) =>
    (given ? seeds.slice(0, 1) : seeds).map((seed) => ({ ...subject, at, seed, given })),
  );
  const before = (subject: string, seed: number): Measurement =>
    sample.before(subject, subjects.some(({ name, given }) => name === subject && given) ? (seeds[0] ?? 0) : seed);
  return experimentSchema.parse({
    ...sampleHead(sample),
    version: 2,
    kind: "experiment",
    statement: sample.statement,
    complete: true,
    decision: { alpha, acceptableDrop },
    architecture: made ? { id: "lenet5", title: "LeNet-5", parameters: 61706 } : null,
    training: made ? { epochs: 12, batch: 64, weightDecay: 0.0005 } : null,
    pictures: {},
    subjects: subjects.map(({ name, mark, given = false }) => ({
      ...{ kind: given ? "given" : "made", name, mark, options: given ? {} : { triggers: 100 } },
      ...{ summary: "What it looks like.", paper: "Where it is published." },
      ...(given && {
        model: { name, sha256: sampleHash(name), parameters: 61706 },
        key: { name: "mark.safetensors", sha256: sampleHash("key"), madeForThisModel: true },
      }),
    })),
    removers: removers.map((remover) => ({
      ...{ summary: "What it does.", paper: "Where it is published.", needs: ["labelled"], options: { epochs: 1 } },
      ...{ baseline: false, ignoresModel: false },
      ...remover,
    })),
    budgets,
    seeds,
    observe: {
      everyEpoch: true,
      pictures: sample.pictures !== undefined,
      reactivation: sample.reactivation ? { steps: 200, batch: 64, learningRate: 0.01 } : null,
    },
    empiricalNull: false,
    nullModels: sample.onNullModel
      ? seeds.map((seed) => ({
          ...{ status: "done", seed, accuracy: 0.991, epochs: [], seconds: 20 },
          modelSha256: sampleHash(`null/${seed}`),
        }))
      : [],
    marked: models.map(({ name, mark, at, seed, given }) => {
      const measured = before(name, seed);
      const answered = sample.onNullModel?.(name, seed);
      return {
        ...{ status: "done", subject: at, seed: given ? null : seed, triggers: 100, heldOutTriggers: 100, epochs: [] },
        ...{ modelSha256: sampleHash(`marked/${name}/${seed}`), keySha256: sampleHash(`key/${name}/${seed}`) },
        ...{ measured, verdict: verdictOf(measured.retention, mark, alpha), seconds: 21 },
        onNullModels:
          answered === undefined
            ? []
            : [{ seed, ...answered, judgement: inBrief(verdictOf(answered.retention, mark, alpha)) }],
        pictures: sample.pictures?.(name, seed) ?? [],
      };
    }),
    attacks: subjects.flatMap(({ name: subject, mark }, s) =>
      removers.flatMap(({ name: remover }, r) =>
        budgets.flatMap((fraction) =>
          seeds.map((seed) => {
            const where = { subject: s, remover: r, fraction, seed };
            const found = sample.attack({ subject, remover, fraction, seed });
            if (found === "missing") return { status: "missing", ...where };
            if (typeof found === "string") return { status: "skipped", ...where, reason: found };
            const marked = before(subject, seed);
            const { measured, curve, back, seconds = 1, unlabelled = false } = found;
            const judge = (retention: number) => verdictOf(retention, mark, alpha);
            const judgement = judge(measured.retention);
            const accuracyDrop = marked.accuracy - measured.accuracy;
            const images = Math.round(60000 * fraction);
            const shown = { shownBefore: judge(marked.retention).owned, shown: judgement.owned, drop: accuracyDrop };
            return {
              ...{ status: "done", ...where, measured, judgement: inBrief(judgement), accuracyDrop, atChance: false },
              images: { labelled: unlabelled ? 0 : images, unlabelled: unlabelled ? images : 0 },
              outcome: outcomeOf(shown, { acceptableDrop }),
              epochs: curve === undefined ? 1 : curve.length - 1,
              ...(curve && { curve }),
              seconds,
              modelSha256: sampleHash(`${subject}/${remover}/${fraction}/${seed}`),
              ...(back !== undefined && {
                reactivated: {
                  measured: { accuracy: measured.accuracy, retention: back },
                  judgement: inBrief(judge(back)),
                  seconds: 1,
                },
              }),
            };
          }),
        ),
      ),
    ),
  });
}

/** What documents of all kinds say of themselves. */
export function sampleHead({ title, command }: Pick<Sample, "title" | "command">) {
  return {
    format: "wildmark-result",
    title,
    command,
    started: "2026-02-03T10:15:00Z",
    finished: "2026-02-03T10:23:42Z",
    seconds: 521.7,
    software: { wildmark: "0.1.0", onnxruntime: "1.30.0", node: "v20.19.5" },
    machine: { platform: "linux x64", cpu: "Example CPU, 2 cores", device: "cpu", threads: 2, tuning: "off" },
    data: {
      ...{ id: "mnist", title: "MNIST", classes: 10, shape: [1, 28, 28], trainCount: 60000, testCount: 10000 },
      sha256: sampleHash("data"),
    },
  } as const;
}

const TRIGGERS = 100;

/** A verdict with a given retention. The placebo test is not computed: its p-value is the binomial one, made larger. */
export function verdictOf(retention: number, mark: string, alpha: number): Verdict {
  const matches = Math.round(retention * TRIGGERS);
  const binomial = binomialTail(matches, TRIGGERS, 0.1);
  const placebo = Math.min(1, binomial * 10);
  const placeboId = mark === "unrelated" ? "placebo-fisher" : "placebo-mcnemar";
  return {
    owned: placebo <= alpha,
    n: TRIGGERS,
    matches,
    retention: matches / TRIGGERS,
    interval: [...clopperPearson(matches, TRIGGERS, 0.95)],
    confidence: 0.95,
    alpha,
    tests: [
      {
        id: "binomial",
        title: "Exact binomial",
        nullHypothesis: "The model answers each trigger with the key's label with probability 1/10.",
        pValue: binomial,
        detail: `${matches} of ${TRIGGERS} triggers match`,
      },
      {
        id: placeboId,
        title: mark === "unrelated" ? "Placebo, Fisher's exact" : "Placebo, exact McNemar",
        nullHypothesis: "The model answers triggers with the key's labels no more often than placebos.",
        pValue: placebo,
        detail: `${matches} of ${TRIGGERS} triggers against 1 of ${TRIGGERS} placebos`,
      },
    ],
    decidedBy: placeboId,
    pValue: placebo,
  };
}

/** Sixty-four hexadecimal digits that depend on the name. */
export function sampleHash(name: string): string {
  const random = randomStream(0, name);
  return Array.from({ length: 64 }, () => random.below(16).toString(16)).join("");
}
