/**
 * @file A made-up `reproduce`: its numbers were never measured.
 *
 * Where curves end follows the published findings in outline: content and noise marks go within an epoch or two, the
 * unrelated one is stubborn, fine-tuning leaves everything in place.
 */

import { encode } from "fast-png";
import { type RandomStream, randomStream } from "../../core/random.js";
import type { ExperimentDocument, RemoverSummary } from "../../experiments/document.js";
import type { EpochRecord, Measurement, TriggerPicture } from "../../tasks/records.js";
import { type SampleDone, sampleDocument } from "./sample.js";

export interface SampleOptions {
  readonly seeds?: readonly number[];
  readonly marks?: readonly SampleMark[];
  /** Which methods of `METHODS` to include, by name. */
  readonly methods?: readonly string[];
  readonly epochs?: number;
  readonly budgets?: readonly number[];
  /** Retention and accuracy of marked models, null models and cleaned ones, chosen anew. */
  readonly before?: Partial<Measurement>;
  readonly onNullModel?: Partial<Measurement>;
  readonly after?: (name: string, seed: number) => Partial<Measurement>;
}

export type SampleMark = "content" | "noise" | "unrelated";

export const TITLES: Readonly<Record<SampleMark, string>> = {
  content: "Content: the word TEST",
  noise: "Noise: fixed Gaussian pattern",
  unrelated: "Unrelated: KMNIST images",
};

interface SampleMethod extends Pick<RemoverSummary, "name" | "method" | "baseline" | "options"> {
  readonly ignoresModel?: boolean;
  /** Accuracy at the end. */
  readonly accuracy: number;
  /** Retention after the first epoch and at the end, by mark. */
  readonly retention: Readonly<Record<SampleMark, readonly [number, number]>>;
}

const WILD = { lambda: 1, mu: 1, temperature: 1, layer: null, fill: "random", learningRate: 0.05, schedule: "cosine" };

/** What the sample can contain. */
export const METHODS: readonly SampleMethod[] = [
  {
    method: "wild",
    name: "WILD-CE",
    baseline: false,
    accuracy: 0.9855,
    retention: { content: [0.06, 0.01], noise: [0.05, 0.02], unrelated: [0.58, 0.34] },
    options: { metric: "ce", ...WILD },
  },
  {
    method: "wild",
    name: "WILD-JS",
    baseline: false,
    accuracy: 0.9868,
    retention: { content: [0.17, 0.05], noise: [0.04, 0.01], unrelated: [0.63, 0.45] },
    options: { metric: "js", ...WILD },
  },
  {
    method: "fine-tune",
    name: "fine-tuning (FTAL)",
    baseline: true,
    accuracy: 0.9917,
    retention: { content: [1, 1], noise: [1, 0.99], unrelated: [1, 1] },
    options: { mode: "FTAL", learningRate: 0.01, schedule: "constant" },
  },
  {
    method: "random-erasing",
    name: "random erasing alone",
    baseline: true,
    accuracy: 0.9865,
    retention: { content: [0.4, 0.12], noise: [0.15, 0.04], unrelated: [0.7, 0.48] },
    options: { metric: "js", ...WILD, lambda: 0 },
  },
  {
    method: "scratch",
    ignoresModel: true,
    name: "from scratch",
    baseline: true,
    accuracy: 0.9712,
    retention: { content: [0.01, 0.0], noise: [0.01, 0.01], unrelated: [0.08, 0.1] },
    options: { learningRate: 0.05, schedule: "cosine" },
  },
];

const START: Measurement = { accuracy: 0.9925, retention: 1, heldOutRetention: 0.98 };

/** A result document as `reproduce` would write it. */
export function sampleReproduce(options: SampleOptions = {}): ExperimentDocument {
  const { seeds = [1, 2, 3], marks = ["content", "noise", "unrelated"], epochs = 15, budgets = [0.1] } = options;
  const methods = METHODS.filter(({ name }) => options.methods?.includes(name) ?? true);
  const markOf = (title: string): SampleMark => marks.find((mark) => TITLES[mark] === title) ?? "content";
  return sampleDocument({
    statement: "reproduce",
    title: "WILD on MNIST: three marks, two metrics",
    command: `wildmark reproduce --dataset mnist --fraction 0.1 --epochs ${epochs} --seeds ${seeds.length} --out runs/mnist`,
    alpha: 0.001,
    acceptableDrop: null,
    subjects: marks.map((mark) => ({ name: TITLES[mark], mark })),
    removers: methods.map(({ accuracy: _, retention: __, ...remover }) => remover),
    budgets,
    seeds,
    before: (subject, seed) => ({
      ...START,
      accuracy: round(0.9925 + near(randomStream(seed, "marked", markOf(subject)), 0.0006)),
      ...options.before,
    }),
    onNullModel: (subject) => ({
      accuracy: 0.991,
      retention: markOf(subject) === "unrelated" ? 0.11 : 0,
      heldOutRetention: 0.01,
      ...options.onNullModel,
    }),
    pictures: (subject, seed) =>
      Array.from({ length: 6 }, (_, i) => picture(markOf(subject), randomStream(seed, "picture", markOf(subject), i))),
    attack: ({ subject, remover, seed }) => {
      const method = methods.find(({ name }) => name === remover);
      if (method === undefined) return "missing";
      const done = removal(markOf(subject), method, seed, epochs);
      return { ...done, measured: { ...done.measured, ...options.after?.(remover, seed) } };
    },
  });
}

function removal(mark: SampleMark, method: SampleMethod, seed: number, epochs: number): SampleDone {
  const random = randomStream(seed, mark, method.name);
  const [first, last] = method.retention[mark];
  const scatter = last > 0.02 && last < 0.98 ? 0.05 : 0.01;
  const offset = near(random, scatter);
  const scratch = method.method === "scratch";
  const records: EpochRecord[] = [{ epoch: 0, seconds: 0, measured: START }];
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
        retention: Math.round(clamp(retention) * 100) / 100,
        heldOutRetention: Math.round(clamp(retention * 0.95) * 100) / 100,
      },
    });
  }
  const measured = records.at(-1)?.measured ?? START;
  return { measured, curve: records, seconds: round(epochs * 1.3 + random.uniform()) };
}

function picture(mark: SampleMark, random: RandomStream): TriggerPicture {
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

function near(random: RandomStream, scale: number): number {
  return (random.uniform() * 2 - 1) * scale;
}

function clamp(share: number): number {
  return Math.max(0, Math.min(1, share));
}

function round(value: number): number {
  return Math.round(value * 1e4) / 1e4;
}
