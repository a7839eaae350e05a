/**
 * @file The flags that say whom to ask, and the suspect that they mean: a model's file, a table of answers, an
 * endpoint.
 *
 * Whatever it is, a verdict gets a `Suspect` and a record of what was used. What was asked of it is limited here: only
 * the first triggers of a key with their placebos, where `--queries` or the endpoint's budget says so.
 */

import { stat } from "node:fs/promises";
import { basename, dirname, extname, join } from "node:path";
import { z } from "zod";
import { WildmarkError } from "../core/errors.js";
import type { Progress } from "../core/progress.js";
import { randomStream } from "../core/random.js";
import type { Chain } from "../data/through.js";
import type { Suspect } from "../ownership/suspect.js";
import type { EndpointConfig } from "../ownership/suspects/endpoint/config.js";
import type { EndpointSummary } from "../ownership/suspects/endpoint/endpoint.js";
import type { QueryPlan } from "../ownership/suspects/endpoint/plan.js";
import { type AskableKey, askedFirst, firstQueries, keySecrets } from "../ownership/suspects/key-queries.js";
import { chosenAmong, labelReader, readClassNames } from "../ownership/suspects/labels.js";
import { ledgerPath, openLedger } from "../ownership/suspects/ledger.js";
import { manifestPath } from "../ownership/suspects/manifest.js";
import { suspectThrough } from "../ownership/suspects/through.js";
import type { Verdict } from "../ownership/verdict.js";
import { decoyFlags, decoysFor } from "./decoys.js";
import { defined } from "../core/defined.js";

export const suspectFlags = {
  answers: z.string().optional().meta({
    description: "instead of a model: a table of answers to the images of wildmark key export",
    placeholder: "FILE.csv",
  }),
  manifest: z.string().optional().meta({
    description: "which exported name is which image (default: KEY.manifest.json)",
    placeholder: "FILE",
  }),
  images: z.string().optional().meta({
    description: "the exported images, to see that they are what was exported (default: images beside the table)",
    placeholder: "DIR",
  }),
  labels: z.string().optional().meta({
    description: "what the suspect calls the key's classes, in their order: a file with a name a line, or names",
    placeholder: "FILE|a,b,c",
  }),
  endpoint: z.string().optional().meta({
    description: "instead of a model: the description of an endpoint to ask (docs/suspects.md)",
    placeholder: "FILE.yaml",
  }),
  transcript: z.string().optional().meta({
    description: "what the endpoint was asked and answered; goes on there (default: KEY.NAME.transcript.jsonl)",
    placeholder: "FILE",
  }),
  fresh: z
    .boolean()
    .default(false)
    .describe("ask the endpoint everything anew: what the transcript holds was heard by somebody else, perhaps"),
  ledger: z.string().optional().meta({
    description: "where images shown to an endpoint are entered (default: KEY.ledger.jsonl)",
    placeholder: "FILE",
  }),
  queries: z.int().min(1).optional().meta({
    description: "ask only the first N triggers, with their placebos: the rest of the key stays secret",
    placeholder: "N",
  }),
  ...decoyFlags,
  dryRun: z
    .boolean()
    .default(false)
    .describe("ask the endpoint nothing: say how many queries, their cost, and the smallest p that can be reached"),
  through: z.string().optional().meta({
    description: "ask the model images as a way would leave them: jpeg:75,resize:224,blur:0.5,noise:0.02, …",
    placeholder: "STEPS",
  }),
};

export type SuspectFlags = z.infer<z.ZodObject<typeof suspectFlags>>;

export interface SuspectChoice {
  /** The model's file, where one was named. */
  readonly path: string | undefined;
  readonly flags: SuspectFlags;
  readonly key: AskableKey & { readonly classNames?: readonly string[] | undefined };
  readonly keyPath: string;
  /** Of the key's file; whoever does not have the key cannot repeat which decoys were drawn. */
  readonly keySha256: string;
  /** The model of a file as a suspect. */
  readonly openModel: (path: string) => Promise<Suspect>;
  /** Of noise on the way. */
  readonly seed: number;
  /** Images that will be asked beside the key's: other keys' triggers. 0 unless said. */
  readonly others?: number;
  readonly progress: Progress;
  /** Take doubtful data. */
  readonly force: boolean;
  readonly signal: AbortSignal;
}

/** What documents say of whom was asked. */
export type SuspectRecord =
  | { readonly kind: "model"; readonly name: string; readonly through?: string }
  | {
      readonly kind: "answers";
      readonly name: string;
      readonly sha256: string;
      readonly exported: number;
      readonly answered: number;
      readonly bound: boolean;
      readonly seen?: number;
    }
  | ({
      readonly kind: "endpoint";
      readonly name: string;
      readonly transcript: string;
      readonly ledger: string;
    } & EndpointSummary);

export interface OpenedSuspect {
  readonly suspect: Suspect;
  /** How many triggers and placebos of the key are asked; a table of answers may hold fewer. */
  readonly queries: { readonly triggers: number; readonly placebos: number };
  /**
   * How many words, or scores, there were to choose the key's classes among, where somebody chose them, perhaps after
   * seeing the answers; 0 where they are the key's own. Known when everything was asked.
   */
  readonly chosenAmong: () => number;
  /** What the way of asking lacks before anything is shown by it, in words; known when everything was asked. */
  readonly lacks: () => readonly string[];
  /** Of the answers that were used, those that were not heard by this process; undefined where all were. */
  readonly unheard: () => Verdict["unheard"];
  /** What was used, when everything was asked. */
  readonly record: () => SuspectRecord;
  /** Lines for people, when everything was asked. */
  readonly notes: () => readonly string[];
  readonly close: () => Promise<void>;
}

/** What stands under every "not shown" of a suspect that somebody else asks, or that answers for itself. */
export const FROM_AFAR =
  "The suspect was asked from afar: it may have filtered triggers out, so ownership that is not shown is weaker " +
  "evidence than a model's file would give.";

/**
 * The suspect that the flags mean.
 *
 * @throws WildmarkError `usage` where none or more than one is named, or a flag speaks of another kind; and as the
 *   readers of models, answers and descriptions do.
 */
export async function openSuspect(choice: SuspectChoice): Promise<OpenedSuspect> {
  requireOneKind(choice);
  const { flags } = choice;
  if (flags.answers !== undefined) return openAnswers(choice, flags.answers);
  if (flags.endpoint !== undefined) return openEndpoint(choice, flags.endpoint);
  return openModelFile(choice, choice.path ?? "");
}

async function openModelFile(
  { flags, key, seed, signal, openModel }: SuspectChoice,
  path: string,
): Promise<OpenedSuspect> {
  const { through, queries } = flags;
  // Read before the model is: a step that is none is told at once.
  const chain = through === undefined ? undefined : await chainOf(through, seed, signal);
  const model = await openModel(path);
  const asked = through === undefined || chain === undefined ? model : suspectThrough(model, chain, through);
  return {
    suspect: limited(asked, key, queries),
    queries: countsOf(key, queries),
    chosenAmong: () => 0,
    lacks: () => [],
    unheard: () => undefined,
    record: () => ({ kind: "model", name: path, ...defined({ through }) }),
    notes: () =>
      through === undefined
        ? []
        : [
            `Every image went through ${through} before the model saw it: this is a verdict on the model ` +
              `behind that way; other ways that ` +
              "were tried count as keys (--keys-tried)",
          ],
    close: async () => {},
  };
}

// Codecs and protocols are loaded where they are needed: nobody else waits for them.
async function chainOf(through: string, seed: number, signal: AbortSignal): Promise<Chain> {
  const { throughChain } = await import("../data/through.js");
  return throughChain(through, { seed, signal });
}

async function openAnswers({ flags, key, keyPath }: SuspectChoice, path: string): Promise<OpenedSuspect> {
  const { manifest = manifestPath(keyPath), labels, queries } = flags;
  const names = labels === undefined ? key.classNames : await readClassNames(labels);
  const { answersSuspect } = await import("../ownership/suspects/answers.js");
  const images = flags.images ?? (await folderBeside(path));
  const suspect = await answersSuspect(path, manifest, { classes: key.classes, labels: names, images });
  const { name, sha256, exported, answered, bound, seen } = suspect;
  return {
    suspect: limited(suspect, key, queries),
    queries: countsOf(key, queries),
    chosenAmong: () => chosenAmong(names, key),
    lacks: () => (bound ? [] : ["a manifest whose names follow from the images (wildmark key export writes one)"]),
    unheard: () => undefined,
    record: () => ({
      kind: "answers",
      name,
      sha256,
      exported,
      answered,
      bound,
      ...defined({ seen }),
    }),
    notes: () => [
      `${answered} of ${exported} exported images have an answer` +
        (answered === exported ? "" : "; the others count as refused, and so as wrong answers"),
      seen === exported
        ? `all exported images were looked at (${images}), and are what was exported`
        : `${seen ?? 0} of ${exported} exported images were looked at (--images DIR): that the others, as ` +
          `they were answered, are what ` +
          "was exported is the word of whoever gave them away",
    ],
    close: async () => {},
  };
}

/** Where `key export` puts images, seen from its table; undefined where there is no such folder. */
async function folderBeside(table: string): Promise<string | undefined> {
  const folder = join(dirname(table), "images");
  const isThere = await stat(folder).then(
    (found) => found.isDirectory(),
    () => false,
  );
  return isThere ? folder : undefined;
}

/** An endpoint's description with what it will be asked. */
interface Prepared {
  readonly config: EndpointConfig;
  readonly transcriptPath: string;
  /** Triggers to ask. */
  readonly queries: number;
  /** Images of the key and others, without decoys. */
  readonly images: number;
}

async function prepare({ flags, key, keyPath, others = 0, progress }: SuspectChoice, path: string): Promise<Prepared> {
  const { readEndpoint } = await import("../ownership/suspects/endpoint/config.js");
  const described = await readEndpoint(path);
  const classNames = flags.labels === undefined ? described.classNames : await readClassNames(flags.labels);
  const config = { ...described, classNames };
  for (const warning of config.warnings) progress.note(`warning: ${warning}`);
  const name = basename(path, extname(path));
  const { transcript: transcriptPath = `${keyPath}.${name}.transcript.jsonl` } = flags;
  const queries = flags.queries ?? withinBudget(key, config.file.budget, flags.decoys + others);
  const { triggers, placebos } = countsOf(key, queries);
  return { config, transcriptPath, queries, images: triggers + placebos + others };
}

/** As many triggers with their placebos as a budget allows: all together, so that no pair is torn. */
function withinBudget(key: AskableKey, budget: number | undefined, taken: number): number {
  if (budget === undefined) return key.triggers.count;
  for (let queries = key.triggers.count; queries > 0; queries--) {
    const { triggers, placebos } = countsOf(key, queries);
    if (triggers + placebos + taken <= budget) return queries;
  }
  throw new WildmarkError("usage", `The endpoint's budget of ${budget} queries is too small for one trigger.`, {
    hint: `Beside a trigger and its placebos it has to hold ${taken} other images: decoys and other keys' triggers.`,
  });
}

async function openEndpoint(choice: SuspectChoice, path: string): Promise<OpenedSuspect> {
  const { flags, key, keyPath, keySha256, progress, force, signal } = choice;
  const { endpointSuspect } = await import("../ownership/suspects/endpoint/endpoint.js");
  const { openTranscript } = await import("../ownership/suspects/endpoint/transcript.js");
  const { orderOfScores } = await import("../ownership/suspects/endpoint/answer.js");
  const { config, transcriptPath, queries, images } = await prepare(choice, path);
  const { ledger: ledgerFile = ledgerPath(keyPath) } = flags;
  // The same draw each time, so that the same command goes on with the same decoys.
  const random = randomStream(0, "decoys", keySha256, config.asking);
  const decoys = await decoysFor(flags, key.shape, random, { progress, force });
  const order = orderOfScores(config, labelReader(key.classes, config.classNames ?? key.classNames));
  const ledger = await openLedger(ledgerFile, keySecrets(key), config.name);
  const transcript = await openTranscript(transcriptPath, { to: config.name, asking: config.asking });
  const suspect = endpointSuspect(config, {
    classes: key.classes,
    classNames: key.classNames,
    transcript,
    ledger,
    decoys: decoys === undefined ? undefined : { images: decoys, each: decoys.count / images, random },
    fresh: flags.fresh,
    progress,
    signal,
  });
  return {
    suspect: askedFirst(suspect, key, queries),
    queries: countsOf(key, queries),
    chosenAmong: () => {
      const words = chosenAmong(config.classNames, key);
      const { unknownWords } = suspect.summary();
      const scores = order?.some((label, score) => label !== score) ? Math.max(key.classes, order.length) : 0;
      return Math.max(words === 0 ? 0 : words + unknownWords.length, scores);
    },
    lacks: () =>
      suspect.summary().unchecked === 0
        ? []
        : ["answers of the transcript that are heard again (raise the budget, or ask everything anew with --fresh)"],
    unheard: () => {
      const { unheard } = suspect.summary();
      return unheard.answers === 0 ? undefined : unheard;
    },
    record: () => ({
      kind: "endpoint",
      name: config.name,
      transcript: transcriptPath,
      ledger: ledgerFile,
      ...suspect.summary(),
    }),
    notes: () => endpointNotes(suspect.summary(), config, transcriptPath, ledgerFile),
    close: suspect.close,
  };
}

function endpointNotes(
  summary: EndpointSummary,
  { file }: EndpointConfig,
  transcript: string,
  ledger: string,
): readonly string[] {
  const { asked, askedNow, checked, answered, refused, unreadable, unknownWords, decoys, head, cost } = summary;
  const price = cost === undefined ? "" : `, ${money(cost, file.currency)} in all`;
  return [
    `${asked} images asked, ${askedNow} of them now${price}; ${answered} answered, ${refused} refused or ` +
      `without an answer`,
    ...(checked === 0 ? [] : [`${checked} answers of the transcript were asked for again, and were the same`]),
    ...(unreadable === 0 ? [] : [`${unreadable} answers hold no class; they count as refused`]),
    ...(unknownWords.length === 0
      ? []
      : [
          `no class is called ${unknownWords
            .slice(0, 20)
            .map((word) => `"${word}"`)
            .join(", ")}: wrong answers, or a name that --labels lacks`,
        ]),
    ...(decoys.answered === 0
      ? []
      : [
          `decoys: ${decoys.right} of ${decoys.answered} answered as their labels say; few would mean that ` +
            `classes are read wrongly`,
        ]),
    `transcript ${transcript}, last hash ${head}; what was disclosed is entered in ${ledger}`,
  ];
}

/** What asking an endpoint would take. Nothing is sent and nothing written. */
export interface DryRun {
  readonly plan: QueryPlan;
  readonly queries: { readonly triggers: number; readonly placebos: number };
}

/** @throws WildmarkError as `openSuspect` does; `usage` for other suspects than endpoints. */
export async function dryRun(choice: SuspectChoice): Promise<DryRun> {
  requireOneKind(choice);
  const { endpoint, decoys } = choice.flags;
  if (endpoint === undefined) {
    throw new WildmarkError("usage", "--dry-run speaks of an endpoint, and none was named.", {
      hint: "Name its description with --endpoint FILE.yaml, or leave --dry-run out.",
    });
  }
  const { config, transcriptPath, queries, images } = await prepare(choice, endpoint);
  const { planQueries } = await import("../ownership/suspects/endpoint/plan.js");
  const { readTranscript } = await import("../ownership/suspects/endpoint/transcript.js");
  const { CHECKED } = await import("../ownership/suspects/endpoint/endpoint.js");
  const found = await readTranscript(transcriptPath);
  const sent = (found?.entries ?? []).flatMap(({ image }) => (image === undefined ? [] : [image]));
  const asked = choice.flags.fresh ? 0 : new Set(sent).size;
  const planned = { images, decoys, asked, again: Math.min(CHECKED, asked), paid: sent.length };
  return { plan: planQueries(config, planned), queries: countsOf(choice.key, queries) };
}

/**
 * A dry run in plain lines. @param smallest the smallest p-value that can be reached, as the verdict would be drawn.
 */
export function describeDryRun({ plan, queries }: DryRun, smallest: string): string[] {
  const { images, decoys, asked, again, toSend, beyondBudget, cost, currency, seconds } = plan;
  const { triggers, placebos } = queries;
  const others = images - triggers - placebos;
  return [
    `${images + decoys} queries: ${triggers} triggers, ${placebos} placebos, ` +
      `${others === 0 ? "" : `${others} others, `}${decoys} decoys`,
    `${asked} are in the transcript already${again === 0 ? "" : `, ${again} of them would be asked again`}; ` +
      `${toSend} would be sent`,
    ...(beyondBudget === 0 ? [] : [`${beyondBudget} are beyond the budget and would not be asked`]),
    cost === undefined
      ? "cost: unknown; costPerQuery in the description says what one costs"
      : `cost: ${money(cost, currency)}`,
    ...(seconds === undefined
      ? []
      : [`time: at least ${Math.ceil(seconds)} s, at the rate that the description allows`]),
    `smallest p-value that can be reached: ${smallest}`,
  ];
}

function money(amount: number, currency: string): string {
  return `${Number(amount.toPrecision(6))} ${currency}`;
}

function limited(suspect: Suspect, key: AskableKey, queries: number | undefined): Suspect {
  return queries === undefined ? suspect : askedFirst(suspect, key, queries);
}

function countsOf(key: AskableKey, queries: number | undefined) {
  const { triggers, placebos } = firstQueries(key, queries);
  return { triggers: triggers.count, placebos: placebos?.count ?? 0 };
}

/** Which flags speak of which kind; what speaks of another is a mistake, not to be passed over. */
function requireOneKind({ path, flags }: SuspectChoice): void {
  const { answers, endpoint } = flags;
  const named = [
    ...(path === undefined ? [] : [path]),
    ...(answers === undefined ? [] : [`--answers ${answers}`]),
    ...(endpoint === undefined ? [] : [`--endpoint ${endpoint}`]),
  ];
  if (named.length !== 1) {
    throw new WildmarkError(
      "usage",
      named.length === 0 ? "No suspect was named." : `${named.length} suspects were named: ${named.join(", ")}.`,
      { hint: "Name one: a model's file, --answers FILE.csv, or --endpoint FILE.yaml." },
    );
  }
  const kind = answers !== undefined ? "answers" : endpoint !== undefined ? "endpoint" : "model";
  const of: readonly (readonly [flag: string, given: boolean, kinds: readonly string[]])[] = [
    ["--manifest", flags.manifest !== undefined, ["answers"]],
    ["--images", flags.images !== undefined, ["answers"]],
    ["--labels", flags.labels !== undefined, ["answers", "endpoint"]],
    ["--transcript", flags.transcript !== undefined, ["endpoint"]],
    ["--fresh", flags.fresh, ["endpoint"]],
    ["--ledger", flags.ledger !== undefined, ["endpoint"]],
    ["--decoys", flags.decoys > 0, ["endpoint"]],
    ["--dry-run", flags.dryRun, ["endpoint"]],
    ["--through", flags.through !== undefined, ["model"]],
  ];
  const stray = of.find(([, given, kinds]) => given && !kinds.includes(kind));
  if (stray === undefined) return;
  const hint =
    stray[0] === "--through"
      ? "What happens on the way to it happens already: image in an endpoint's description says how images are sent."
      : `Leave ${stray[0]} out.`;
  const what = { model: "a model's file", answers: "a table of answers", endpoint: "an endpoint" }[kind];
  throw new WildmarkError("usage", `${stray[0]} means nothing for ${what}.`, { hint });
}
