/** @file wildmark verify: does a suspect carry a key's mark, and how sure is that? */

import { z } from "zod";
import { WildmarkError } from "../../core/errors.js";
import { type LabelledImages, select } from "../../data/dataset.js";
import { requireAskable } from "../../data/fit.js";
import { type VerdictFacts, verdictDocument } from "../../experiments/verdict-document.js";
import type { Model } from "../../onnx/model.js";
import { requireCommitment } from "../../ownership/commitment.js";
import { type BaseData, baseOf } from "../../ownership/draw-key.js";
import type { Key } from "../../ownership/key.js";
import { decodeKey, keySha256, readKeyBytes } from "../../ownership/key-file.js";
import { requireKnownScheme } from "../../ownership/key-format.js";
import { heldOutTriggersOf } from "../../ownership/key-images.js";
import { requireNullModels, requireTask } from "../../ownership/null-models.js";
import { requireRegenerable } from "../../ownership/regenerate.js";
import { type ReadingTried, readSuspect } from "../../ownership/suspect-readings.js";
import { STRANGERS, strangersKeys } from "../../ownership/strangers.js";
import { modelSuspect, type Suspect } from "../../ownership/suspect.js";
import { describeVerdict, formatPValue } from "../../ownership/verdict.js";
import { smallestPValue, TRIES_LOG2, verifyAnswers } from "../../ownership/verify.js";
import { gatherAnswers } from "../../ownership/verify-model.js";
import { agreement } from "../../training/evaluate.js";
import { findMark } from "../../watermarks/registry.js";
import { baseDataFlags, baseDataFor } from "../base-data.js";
import { type CommandFile, defineCommand } from "../command.js";
import { modelFlags, openModel } from "../model.js";
import { openNullModels } from "../null-models.js";
import { percent } from "../../core/percent.js";
import { describeDryRun, dryRun, FROM_AFAR, openSuspect, type SuspectChoice, suspectFlags } from "../suspect.js";
import { suspectFacts } from "../suspect-facts.js";
import { requireVerdictOut, verdictOutFlags, writeVerdict } from "../verdict-out.js";
import { defined } from "../../core/defined.js";

const ownFlags = {
  key: z.string().meta({ description: "the owner's key", placeholder: "FILE" }),
  alpha: z.number().gt(0).lt(1).default(0.05).describe("significance level of the verdict"),
  confidence: z.number().gt(0).lt(1).default(0.95).describe("confidence of the interval of the retention"),
  keysTried: z.int().min(1).default(1).describe("keys tried on this suspect, this one too: multiplies the p-value"),
};

const controlFlags = {
  nullModels: z
    .string()
    .optional()
    .meta({
      description:
        "models without the mark, files or folders of .onnx with commas between: what they answer bounds " +
        "what an innocent " +
        "suspect may",
      placeholder: "A.onnx,B.onnx",
    }),
  strangers: z
    .int()
    .min(0)
    .max(100_000)
    .optional()
    .meta({
      description:
        `with --dataset: fresh keys of the same scheme that the suspect is asked too (default: ` +
        `${STRANGERS}; 0 of an endpoint)`,
      placeholder: "N",
    }),
  regenerate: z.boolean().default(false).describe("with --dataset: make the key again from its secret, byte for byte"),
  triesLog2: z
    .number()
    .min(0)
    .max(256)
    .optional()
    .meta({
      description:
        `binary logarithm of the secrets that a forger may have tried (default: ${TRIES_LOG2}; 0 ` +
        `with --commitment and --null-models)`,
      placeholder: "N",
    }),
  commitment: z.string().optional().meta({
    description:
      "what the owner published before the suspect was made (wildmark key commit); refused for any other key",
    placeholder: "HEX",
  }),
  salt: z.string().optional().meta({ description: "the salt of the commitment", placeholder: "HEX" }),
};

const flags = z.object({
  ...ownFlags,
  ...verdictOutFlags,
  ...suspectFlags,
  ...controlFlags,
  ...baseDataFlags,
  ...modelFlags,
});

type Flags = z.infer<typeof flags>;

export const command: CommandFile = () =>
  defineCommand({
    name: "verify",
    description:
      "Asks a suspect the triggers of a key and tests whether its answers show the mark: against luck, against " +
      "look-alikes, against forgers. The suspect is a model's file, a table of answers (wildmark key export), or an " +
      "endpoint. Every test states its null hypothesis and p-value; the weakest evidence decides. Exit " +
      "status 0 for either " +
      "verdict; --json has `owned`.",
    arguments: [{ name: "SUSPECT.onnx", description: "the model in question", optional: true }],
    flags,
    groups: [
      { heading: "Against look-alikes and forgers", keys: Object.keys(controlFlags) },
      { heading: "What the key was drawn from", keys: Object.keys(baseDataFlags) },
      { heading: "Suspects that are no model's file", keys: Object.keys(suspectFlags) },
    ],
    common: { computes: true, loads: true, random: true, writes: true },
    resumes: true,
    examples: [
      ["wildmark verify suspect.onnx --key mark.safetensors", ""],
      ["wildmark verify suspect.onnx --key mark.safetensors --alpha 1e-6", "be much surer"],
      [
        "wildmark verify suspect.onnx --key mark.safetensors --dataset mnist --regenerate",
        "make the key again, and ask strangers' keys too",
      ],
      [
        "wildmark verify suspect.onnx --key mark.safetensors --null-models null-models/",
        "beside the models of a folder, trained without the mark",
      ],
      ["wildmark verify suspect.onnx --key mark.safetensors --out verdict.html", "a document to hand over"],
      ["wildmark verify --answers answers.csv --key mark.safetensors", "what somebody else asked"],
      ["wildmark verify --endpoint suspect.yaml --key mark.safetensors --dry-run", "what asking would cost"],
    ],
    async run({ args: [path], flags: given, runtimeFor, progress, force, seed, signal, typed }) {
      const started = new Date();
      const key = await committedKey(given);
      const fromAfar = given.answers !== undefined || given.endpoint !== undefined;
      await requireVerdictOut(given, { key, force, others: [...(path === undefined ? [] : [path]), given.key] });
      const network = { shape: key.shape, classes: key.classes };
      const models = new Map<string, Model>();
      const open = async (file: string): Promise<Model> => {
        const model = models.get(file) ?? (await openModel(file, given, progress));
        models.set(file, model);
        return model;
      };
      const runtime = path === undefined ? {} : await runtimeFor({ model: await open(path), ...network });
      const base = await baseDataFor(key, given, { progress, force }, runtime);
      if (given.regenerate) await regenerated(key, base, given.key);
      const strangers = await strangersFor(key, base, given, fromAfar);
      const judged = {
        alpha: given.alpha,
        confidence: given.confidence,
        keysTried: given.keysTried,
        committed: given.commitment !== undefined,
        regenerated: given.regenerate,
        ...defined({ triesLog2: given.triesLog2 }),
      };
      const tried: ReadingTried[] = [];
      const choice: SuspectChoice = {
        path,
        flags: given,
        key,
        keyPath: given.key,
        keySha256: keySha256(key),
        others: strangers.reduce((sum, each) => sum + each.triggers.count, 0),
        openModel: async (file) => {
          const model = await open(file);
          const asked = { what: `the key ${given.key}`, ...network, code: "bad-key" } as const;
          for (const sentence of requireAskable(model, file, asked)) progress.note(`note: ${sentence}`);
          const read = await readSuspect(model, key, runtime);
          tried.push(...read.tried);
          return modelSuspect(read.model, file, runtime);
        },
        seed,
        progress,
        force,
        signal,
      };
      const nullModels =
        given.nullModels === undefined ? undefined : await openNullModels("verify", given.nullModels, open);
      if (given.dryRun) {
        const run = await dryRun(choice);
        const least = smallestPValue(
          key,
          { ...run.queries, strangers: strangers.length, nullModels: nullModels?.length ?? 0 },
          judged,
        );
        const lines = describeDryRun(run, formatPValue(least).replace(/^p = /, ""));
        return { document: { command: "verify", dryRun: run, smallestPValue: least }, text: lines.join("\n") };
      }
      const opened = await openSuspect(choice);
      try {
        const model = path === undefined ? undefined : await open(path);
        if (nullModels !== undefined) {
          requireNullModels(model, key, nullModels);
          if (base !== undefined) await requireTask(nullModels, someOf(base.train), model, runtime);
        }
        const answers = await gatherAnswers(opened.suspect, key, {
          runtime,
          ...(nullModels === undefined ? {} : { nullModels: nullModels.map((each) => each.model) }),
          ...(strangers.length === 0 ? {} : { strangers }),
        });
        const unheard = opened.unheard();
        const verdict = verifyAnswers(key, answers, {
          ...judged,
          chosenAmong: opened.chosenAmong(),
          lacks: opened.lacks(),
          ...defined({ unheard }),
          ...(tried.length === 0 ? {} : { readings: tried.length }),
        });
        const heldOut = fromAfar || given.queries !== undefined ? undefined : await heldOutOf(opened.suspect, key);
        const suspect = suspectFacts(opened.record(), { key, model, tried });
        if (given.out !== undefined) {
          const facts: VerdictFacts = {
            ...{ command: typed, started, runtime, suspect, key, keyName: given.key, answers, verdict },
            ...{ regenerated: given.regenerate, pictures: given.pictures },
            ...defined({ nullModels }),
            ...(base === undefined || strangers.length === 0
              ? {}
              : {
                  strangers: {
                    base: baseOf(findMark(key.scheme).choose(key.options), base),
                    images: strangers.reduce((sum, each) => sum + each.triggers.count, 0),
                  },
                }),
            ...(heldOut === undefined ? {} : { heldOut: { matches: heldOut.matches, n: heldOut.count } }),
            ...defined({ commitment: given.commitment }),
          };
          await writeVerdict(verdictDocument(facts), given.out, force);
        }
        const isTheMarkedFile = suspect.isTheMarkedFile === true;
        return {
          document: {
            command: "verify",
            suspect,
            key: { path: given.key, sha256: keySha256(key), scheme: key.scheme, madeFor: key.modelSha256 },
            regenerated: given.regenerate,
            ...(tried.length === 0 ? {} : { readingsTried: tried }),
            ...(given.commitment === undefined ? {} : { commitment: given.commitment.toLowerCase() }),
            ...(nullModels === undefined ? {} : { nullModelFiles: nullModels.map(({ name }) => name) }),
            ...verdict,
            heldOutRetention: heldOut === undefined ? null : heldOut.matches / heldOut.count,
            ...defined({ out: given.out }),
          },
          text: [
            ...describeVerdict(verdict),
            ...readingsInWords(tried),
            ...(heldOut === undefined
              ? []
              : [
                  `held-out retention ${percent(heldOut.matches / heldOut.count)}, on ${heldOut.count} ` +
                    `triggers that were never trained on`,
                ]),
            ...(given.regenerate ? ["The key was made again from its secret and the data, byte for byte."] : []),
            ...(given.commitment === undefined
              ? []
              : [
                  `The key is the one that was committed to: ${given.commitment}; where that was published ` +
                    `proves its age.`,
                ]),
            ...(isTheMarkedFile ? ["This is the very file that the key was made for."] : []),
            ...opened.notes(),
            ...(fromAfar && !verdict.owned ? [FROM_AFAR] : []),
            ...(given.out === undefined ? [] : [`Document: ${given.out.join(", ")}`]),
          ].join("\n"),
        };
      } finally {
        await opened.close();
      }
    },
  });

/** Keys that anybody can make; of an endpoint none unless asked for, since each costs as many queries as the key. */
async function strangersFor(
  key: Key,
  base: BaseData | undefined,
  { strangers: wanted, answers, dataset }: Flags,
  fromAfar: boolean,
): Promise<readonly Key[]> {
  if (answers !== undefined && wanted !== undefined && wanted > 0) {
    throw new WildmarkError("usage", "verify: strangers' keys cannot be looked up in a table of answers.", {
      hint: "Leave --strangers out.",
    });
  }
  if (base === undefined) {
    if (wanted === undefined || wanted === 0) return [];
    const why = dataset === undefined ? "needs --dataset" : "cannot be had of a key that was made elsewhere";
    throw new WildmarkError("usage", `verify: --strangers ${why}.`);
  }
  const count = wanted ?? (fromAfar ? 0 : STRANGERS);
  return count === 0 ? [] : strangersKeys(findMark(key.scheme).choose(key.options), base, count);
}

/** Images by which it is seen whether a model knows the task. */
const TASK_IMAGES = 500;

/** Spread over all of them: folders hold one class after the other. */
function someOf(train: LabelledImages): LabelledImages {
  const count = Math.min(TASK_IMAGES, train.count);
  return select(
    train,
    Uint32Array.from({ length: count }, (_, i) => Math.floor((i * train.count) / count)),
  );
}

/** Which reading the verdict is about, and what the others gave. */
function readingsInWords(tried: readonly ReadingTried[]): string[] {
  const [best, ...others] = tried;
  if (best === undefined || others.length === 0) return [];
  const most = Math.max(...others.map(({ matches }) => matches ?? 0));
  return [
    `${tried.length} readings of the suspect's images were asked; the verdict is about the best, ` +
      `${best.name} (${best.matches} ` +
      `matches); the best of the others has ${most}`,
  ];
}

async function heldOutOf(suspect: Suspect, key: Key) {
  const heldOut = heldOutTriggersOf(key);
  if (heldOut === undefined) return undefined;
  const share = agreement(await suspect.ask(heldOut), heldOut.labels);
  return { matches: Math.round(share * heldOut.count), count: heldOut.count };
}

async function regenerated(key: Key, base: BaseData | undefined, keyPath: string): Promise<void> {
  if (base === undefined) {
    throw new WildmarkError("usage", "verify: --regenerate needs what the key was drawn from.", {
      hint: "Give --dataset too, as it was given to wildmark embed.",
    });
  }
  await requireRegenerable(key, base, keyPath);
}

/** The key, after its bytes were held against a commitment where there is one. */
async function committedKey({ key: path, commitment, salt }: Flags): Promise<Key> {
  if ((commitment === undefined) !== (salt === undefined)) {
    throw new WildmarkError("usage", "verify: --commitment and --salt belong together, found one of them.", {
      hint: "wildmark key commit prints both.",
    });
  }
  const bytes = await readKeyBytes(path);
  if (commitment !== undefined && salt !== undefined) requireCommitment(bytes, { commitment, salt }, path);
  const key = decodeKey(bytes, path);
  requireKnownScheme(key, path);
  return key;
}
