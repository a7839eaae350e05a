/**
 * @file A made-up result document for tests of the report: plausible, seeded, valid. Its numbers were never measured.
 *
 * Where curves end follows the published findings in outline: content and noise marks go within an epoch or two, the
 * unrelated one is stubborn, fine-tuning leaves everything in place.
 */

import { encode } from "fast-png";
import { type RandomStream, randomStream } from "../../core/random.js";
import { binomialTail, clopperPearson } from "../../core/statistics.js";
import { type Result, resultSchema, type Verdict } from "../../experiments/result.js";
import type { EpochRecord, Measurement } from "../../tasks/records.js";

export interface SampleOptions {
  readonly seeds?: readonly number[];
  readonly marks?: readonly SampleMark[];
  /** Which methods of `METHODS` to include, by title. */
  readonly methods?: readonly string[];
  readonly epochs?: number;
}

export type SampleMark = "content" | "noise" | "unrelated";

const TRIGGERS = 100;
const HELD_OUT = 100;
const ALPHA = 0.001;
const TITLES: Readonly<Record<SampleMark, string>> = {
  content: "Content: the word TEST",
  noise: "Noise: fixed Gaussian pattern",
  unrelated: "Unrelated: KMNIST images",
};

interface SampleMethod {
  readonly method: string;
  readonly title: string;
  readonly control: boolean;
  /** Accuracy at the end. */
  readonly accuracy: number;
  /** Retention after the first epoch and at the end, by mark. */
  readonly retention: Readonly<Record<SampleMark, readonly [number, number]>>;
  readonly options: Readonly<Record<string, string | number | boolean | null>>;
}

const WILD = { lambda: 1, mu: 1, temperature: 1, layer: null, fill: "random", learningRate: 0.05, schedule: "cosine" };

/** What the sample can contain. */
export const METHODS: readonly SampleMethod[] = [
  {
    method: "wild",
    title: "WILD-CE",
    control: false,
    accuracy: 0.9855,
    retention: { content: [0.06, 0.01], noise: [0.05, 0.02], unrelated: [0.58, 0.34] },
    options: { metric: "ce", ...WILD },
  },
  {
    method: "wild",
    title: "WILD-JS",
    control: false,
    accuracy: 0.9868,
    retention: { content: [0.17, 0.05], noise: [0.04, 0.01], unrelated: [0.63, 0.45] },
    options: { metric: "js", ...WILD },
  },
  {
    method: "fine-tune",
    title: "fine-tuning (FTAL)",
    control: true,
    accuracy: 0.9917,
    retention: { content: [1, 1], noise: [1, 0.99], unrelated: [1, 1] },
    options: { mode: "FTAL", learningRate: 0.01, schedule: "constant" },
  },
  {
    method: "random-erasing",
    title: "random erasing alone",
    control: true,
    accuracy: 0.9865,
    retention: { content: [0.4, 0.12], noise: [0.15, 0.04], unrelated: [0.7, 0.48] },
    options: { metric: "js", ...WILD, lambda: 0 },
  },
  {
    method: "scratch",
    title: "from scratch",
    control: true,
    accuracy: 0.9712,
    retention: { content: [0.01, 0.0], noise: [0.01, 0.01], unrelated: [0.08, 0.1] },
    options: { learningRate: 0.05, schedule: "cosine" },
  },
];

/** A result document as `reproduce` would write it, checked by the schema. */
export function sampleResult(options: SampleOptions = {}): Result {
  const { seeds = [1, 2, 3], marks = ["content", "noise", "unrelated"], epochs = 15 } = options;
  const methods = METHODS.filter((m) => options.methods?.includes(m.title) ?? true);
  return resultSchema.parse({
    format: "wildmark-result",
    version: 1,
    kind: "reproduce",
    title: "WILD on MNIST: three marks, two metrics",
    command: `wildmark reproduce --dataset mnist --fraction 0.1 --epochs ${epochs} --seeds ${seeds.length} --out runs/mnist`,
    started: "2026-02-03T10:15:00Z",
    finished: "2026-02-03T10:23:42Z",
    seconds: 521.7,
    software: { wildmark: "0.1.0", onnxruntime: "1.30.0", node: "v20.19.5" },
    machine: { platform: "linux x64", cpu: "Example CPU, 2 cores", device: "cpu", threads: 2, tuning: "off" },
    data: {
      id: "mnist",
      title: "MNIST",
      classes: 10,
      shape: [1, 28, 28],
      trainCount: 60000,
      testCount: 10000,
      sha256: hash("data"),
    },
    architecture: { id: "lenet5", title: "LeNet-5", parameters: 61706 },
    attacker: { fraction: 0.1, images: 6000 },
    seeds,
    marks,
    spec: {
      epochs: { train: 12, embed: 12, remove: epochs },
      batchSize: 64,
      optimiser: { kind: "sgd", momentum: 0.9, weightDecay: 0.0005 },
      sourceClass: 4,
      targetClass: 6,
    },
    unmarked: seeds.map((seed) => ({
      seed,
      accuracy: round(0.991 + near(randomStream(seed, "unmarked"), 0.0008)),
      epochs: [],
      modelSha256: hash(`unmarked/${seed}`),
    })),
    marked: marks.flatMap((mark) => seeds.map((seed) => markedModel(mark, seed))),
    removals: marks.flatMap((mark) =>
      methods.flatMap((method) => seeds.map((seed) => removal(mark, method, seed, epochs))),
    ),
  });
}

function markedModel(mark: SampleMark, seed: number): unknown {
  const random = randomStream(seed, "marked", mark);
  const measured = { accuracy: round(0.9925 + near(random, 0.0006)), retention: 1, heldOutRetention: 0.98 };
  const innocent = { accuracy: 0.991, retention: mark === "unrelated" ? 0.11 : 0, heldOutRetention: 0.01 };
  return {
    mark,
    title: TITLES[mark],
    seed,
    triggers: TRIGGERS,
    heldOutTriggers: HELD_OUT,
    modelSha256: hash(`marked/${mark}/${seed}`),
    keySha256: hash(`key/${mark}/${seed}`),
    epochs: [],
    measured,
    verdict: verdictOf(1, mark),
    innocent: { measured: innocent, verdict: verdictOf(innocent.retention, mark) },
    pictures: Array.from({ length: 6 }, (_, i) => picture(mark, randomStream(seed, "picture", mark, i))),
  };
}

function removal(mark: SampleMark, method: SampleMethod, seed: number, epochs: number): unknown {
  const random = randomStream(seed, mark, method.title);
  const [first, last] = method.retention[mark];
  const scatter = last > 0.02 && last < 0.98 ? 0.05 : 0.01;
  const offset = near(random, scatter);
  const start: Measurement = { accuracy: 0.9925, retention: 1, heldOutRetention: 0.98 };
  const scratch = method.method === "scratch";
  const records: EpochRecord[] = [{ epoch: 0, seconds: 0, measured: start }];
  for (let epoch = 1; epoch <= epochs; epoch++) {
    const progress = epochs === 1 ? 1 : (epoch - 1) / (epochs - 1);
    const dip = (scratch ? 0.06 : method.method === "fine-tune" ? 0.001 : 0.006) * (1 - progress) ** 2;
    const retention = first + (last - first) * progress ** 0.6 + offset + near(random, scatter / 3);
    records.push({
      epoch,
      loss: round(0.4 * 0.85 ** epoch + 0.05),
      learningRate: 0.05,
      seconds: 1.3,
      measured: {
        accuracy: round(clamp(method.accuracy - dip + near(random, 0.0007))),
        retention: Math.round(clamp(retention) * TRIGGERS) / TRIGGERS,
        heldOutRetention: Math.round(clamp(retention * 0.95) * HELD_OUT) / HELD_OUT,
      },
    });
  }
  const measured = records.at(-1)?.measured ?? start;
  return {
    mark,
    seed,
    method: method.method,
    title: method.title,
    control: method.control,
    options: { epochs, ...method.options },
    epochs: records,
    measured,
    verdict: verdictOf(measured.retention, mark),
    seconds: round(epochs * 1.3 + random.uniform()),
    modelSha256: hash(`${mark}/${method.title}/${seed}`),
  };
}

/** A verdict with a given retention. The placebo test is not computed: its p-value is the binomial one, made larger. */
export function verdictOf(retention: number, mark: SampleMark): Verdict {
  const matches = Math.round(retention * TRIGGERS);
  const binomial = binomialTail(matches, TRIGGERS, 0.1);
  const placebo = Math.min(1, binomial * 10);
  const placeboId = mark === "unrelated" ? "placebo-fisher" : "placebo-mcnemar";
  return {
    owned: placebo <= ALPHA,
    n: TRIGGERS,
    matches,
    retention: matches / TRIGGERS,
    interval: [...clopperPearson(matches, TRIGGERS, 0.95)],
    confidence: 0.95,
    alpha: ALPHA,
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

function picture(mark: SampleMark, random: RandomStream): unknown {
  const original = drawing(random);
  const trigger = Uint8Array.from(original, (value, i) => {
    const [x, y] = [i % 28, Math.floor(i / 28)];
    if (mark === "content" && y > 22 && x > 1 && x < 16 && (x + y) % 3 !== 0) return 255;
    return mark === "content" ? value : Math.max(0, Math.min(255, value + random.normal() * 80));
  });
  const [left, top] = [random.below(16), random.below(16)];
  const erased = trigger.map((value, i) => {
    const [x, y] = [(i % 28) - left, Math.floor(i / 28) - top];
    return x >= 0 && x < 12 && y >= 0 && y < 10 ? random.below(256) : value;
  });
  return {
    trigger: png(trigger),
    ...(mark === "unrelated" ? {} : { original: png(original) }),
    erased: png(erased),
    label: 6,
    ...(mark === "unrelated" ? {} : { sourceLabel: 4 }),
  };
}

/** Something like a handwritten 4, 28×28. */
function drawing(random: RandomStream): Uint8Array {
  const shift = random.below(5) - 2;
  return Uint8Array.from({ length: 28 * 28 }, (_, i) => {
    const [x, y] = [(i % 28) - shift, Math.floor(i / 28)];
    const slope = y < 17 && Math.abs(x - (8 + (14 - y) * 0.35)) < 1.6 && y > 5;
    const bar = Math.abs(y - 15.5) < 1.5 && x > 6 && x < 21;
    const stem = Math.abs(x - 17 + (y - 14) * 0.12) < 1.5 && y > 5 && y < 25;
    return slope || bar || stem ? 255 - random.below(40) : 0;
  });
}

function png(data: Uint8Array): string {
  const bytes = encode({ width: 28, height: 28, channels: 1, depth: 8, data });
  return `data:image/png;base64,${Buffer.from(bytes).toString("base64")}`;
}

/** Sixty-four hexadecimal digits that depend on the name. */
function hash(name: string): string {
  const random = randomStream(0, name);
  return Array.from({ length: 64 }, () => random.below(16).toString(16)).join("");
}

function near(random: RandomStream, scale: number): number {
  return (random.uniform() * 2 - 1) * scale;
}

function clamp(share: number): number {
  return Math.max(0, Math.min(1, share));
}

function round(value: number): number {
  return Math.round(value * 1e4) / 1e4;
}
