/**
 * @file A suspect behind an endpoint: asked image by image, slowly, within a budget, and never twice for the same image.
 *
 * What counts as what:
 *
 * - An answer is whatever the endpoint said with status 200. It is kept as it came and read anew each time, so that a wrong
 *   path or a missing name of a class can be mended without asking again.
 * - A refusal (any status that no retry mends) and an image that got no answer after all retries count as wrong
 *   answers: a thief may refuse what looks like a trigger.
 * - A few of them in a row look like an endpoint that is down or a description that is wrong. Then the work stops, and
 *   those images are asked again next time. Refusals only do so as long as nothing was answered yet. Nor is there a
 *   verdict where nothing was answered at all.
 * - Images beyond the budget are not asked. It counts images, not requests: how often something has to be sent again
 *   is the suspect's doing, and must not decide what is asked.
 */

import { createHash } from "node:crypto";
import { WildmarkError } from "../../../core/errors.js";
import { type Progress, silent } from "../../../core/progress.js";
import { type RandomStream, randomStream } from "../../../core/random.js";
import { type Images, imageAt, type LabelledImages } from "../../../data/dataset.js";
import { imageHashes } from "../../../data/image-id.js";
import { NOT_ASKED, REFUSED, type Suspect } from "../../suspect.js";
import { labelReader } from "../labels.js";
import type { Ledger } from "../ledger.js";
import { type ReadAnswer, readAnswer } from "./answer.js";
import { type EndpointConfig, redacted } from "./config.js";
import { encodeImage, type SentImage } from "./encode.js";
import { type HttpAnswer, NoAnswer, sendRequest } from "./http.js";
import { backoff, pacer, sleep } from "./pacing.js";
import { askerOf } from "./request.js";
import type { NewEntry, Transcript, TranscriptEntry } from "./transcript.js";

export interface EndpointOptions {
  /** Classes of the key. */
  readonly classes: number;
  /** Names of the classes where the description has none: `--labels`, or the key's. */
  readonly classNames?: readonly string[] | undefined;
  readonly transcript: Transcript;
  /** Where the key's images are entered before they are sent. */
  readonly ledger?: Ledger | undefined;
  /** Ordinary images of the key's shape to mix in: `each` of them for every image that is asked, on average. */
  readonly decoys?:
    | { readonly images: LabelledImages; readonly each: number; readonly random: RandomStream }
    | undefined;
  readonly progress?: Progress | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface EndpointSummary {
  /** Images in the transcript, decoys and earlier runs included. */
  readonly asked: number;
  /** Of those, by this process. */
  readonly askedNow: number;
  /** Requests that this process sent, retries included. */
  readonly requests: number;
  readonly answered: number;
  readonly refused: number;
  /** Answers in which no class could be read; they count as refused. */
  readonly unreadable: number;
  /** Words that are the name of no known class, some of them: they count as wrong answers. */
  readonly unknownWords: readonly string[];
  /** How many decoys have an answer, and how many of those are right: a low share says that classes are read wrongly. */
  readonly decoys: { readonly answered: number; readonly right: number };
  /** Hex SHA-256 of the transcript's last line. */
  readonly head: string;
  /** At the cost a query that the description says. */
  readonly cost: number | undefined;
}

export interface EndpointSuspect extends Suspect {
  readonly kind: "endpoint";
  readonly summary: () => EndpointSummary;
  /** Closes the transcript. */
  readonly close: () => Promise<void>;
}

/**
 * A suspect that is asked over the network. `ask` throws WildmarkError `network` where the endpoint gives no answers at all,
 * `bad-file` where none of its answers can be read with this description, `interrupted`, `cannot-write`: the same command
 * goes on then, with what the transcript holds.
 */
export function endpointSuspect(config: EndpointConfig, options: EndpointOptions): EndpointSuspect {
  const { transcript, ledger, decoys, progress = silent, signal } = options;
  const { file, name } = config;
  const labels = labelReader(options.classes, config.classNames ?? options.classNames);
  const ask = askerOf(config);
  const pace = pacer(file.perMinute, signal);
  const jitter = randomStream(process.pid, "jitter");

  /** The outcome of every image that need not be asked again. */
  const known = new Map<string, TranscriptEntry | NewEntry>();
  /** Every image that was ever put to the endpoint: what the budget counts. */
  const sent = new Set<string>();
  /** Images without an answer since the last one that could be read. */
  let streak: string[] = [];
  let everRead = false;
  let [askedNow, requests] = [0, 0];
  const unknownWords = new Set<string>();

  const read = (raw: string | undefined): ReadAnswer => {
    const found = readAnswer(raw ?? "", config, labels);
    if ("unknown" in found && unknownWords.size < 20) unknownWords.add(found.unknown.slice(0, 60));
    return found;
  };
  /** Whether a known class was read. */
  const note = (entry: TranscriptEntry | NewEntry): void => {
    if (entry.outcome === "gave-up") {
      for (const hash of streak) if (known.get(hash)?.outcome !== "answer") known.delete(hash);
      streak = [];
      return;
    }
    if (entry.image === undefined) return;
    known.set(entry.image, entry);
    sent.add(entry.image);
    if (entry.outcome === "answer" && "label" in read(entry.raw)) {
      everRead = true;
      streak = [];
    } else if (entry.outcome === "no-answer" || !everRead) {
      streak.push(entry.image);
    }
  };
  for (const entry of transcript.entries) note(entry);

  /** Answers without any class are a description that is wrong: to ask on would cost and mend nothing. */
  function requireReadable(least = file.giveUpAfter): void {
    const answered = [...known.values()].filter(({ outcome }) => outcome === "answer");
    if (everRead || file.giveUpAfter === 0 || answered.length < least) return;
    const raw = answered[0]?.raw ?? "";
    const found = read(raw);
    const why =
      "unknown" in found
        ? `no class is called "${found.unknown.slice(0, 60)}"`
        : "unreadable" in found
          ? found.unreadable
          : "";
    throw new WildmarkError("bad-file", `${name}: ${answered.length} answers, and none can be read: ${why}.`, {
      details: [`the first answer: ${excerpt(raw)}`],
      hint: "answer.path and answer.as say where the class stands, labels what classes are called. Nothing is asked again for that.",
    });
  }

  const classOf = (hash: string): number => {
    const entry = known.get(hash);
    if (entry === undefined) return NOT_ASKED;
    if (entry.outcome !== "answer") return REFUSED;
    const found = read(entry.raw);
    if ("label" in found) return found.label;
    // A word that no class has is an answer, and not the key's.
    return "unknown" in found && everRead ? Math.max(labels.classes, options.classes) : REFUSED;
  };

  /** Puts one image to the endpoint until there is an outcome, and writes that down. */
  async function askOne({ hash, pixels, shape }: Queued): Promise<void> {
    const image = await encodeImage(pixels, shape, config.image);
    await ledger?.disclose([hash]);
    askedNow++;
    sent.add(hash);
    const outcome = await outcomeOf(image);
    const entry: NewEntry = { image: hash, sent: sentSha256(image), ...outcome };
    note(entry);
    await transcript.append(entry);
    if (file.giveUpAfter > 0 && streak.length >= file.giveUpAfter) {
      requireReadable();
      await giveUp();
    }
  }

  /** Forgets the images of the streak, so that they are asked again, and stops. */
  async function giveUp(): Promise<never> {
    const count = streak.length;
    const last = known.get(streak.at(-1) ?? "");
    note({ outcome: "gave-up" });
    await transcript.append({ outcome: "gave-up" });
    const row = count === 1 ? "an image" : `${count} images in a row`;
    const [said, hint] =
      last?.outcome === "refused"
        ? [
            `${count === 1 ? "was" : "were"} refused, and none was answered`,
            "Look at the address, the model's name and the secrets; then the same command goes on. Decoys (--decoys) would " +
              "show whether only triggers are refused.",
          ]
        : [
            "got no answer",
            "When the endpoint answers again, the same command goes on; those images are asked again then.",
          ];
    const told = last === undefined ? "" : `: ${inWords(last)}`;
    throw new WildmarkError("network", `${name}: ${row} ${said}${told}.`, { hint });
  }

  async function outcomeOf(image: SentImage): Promise<Pick<NewEntry, "outcome" | "status" | "tries" | "raw">> {
    for (let tries = 1; ; tries++) {
      await pace.turn();
      const answer = await once(image);
      const raw = redacted("failure" in answer ? answer.failure : answer.body, config.secrets);
      const status = "failure" in answer ? {} : { status: answer.status };
      if ("status" in answer && !isPassing(answer.status)) {
        const outcome = answer.status >= 200 && answer.status < 300 ? "answer" : "refused";
        return { outcome, ...status, tries, raw };
      }
      const asked = "failure" in answer ? undefined : answer.retryAfter;
      if (tries > file.retries || (asked ?? 0) > file.longestWait) {
        const wait = asked === undefined ? [] : [`asks to wait ${Math.ceil(asked)} s`];
        const said = [...(raw === "" ? [] : [raw]), ...wait].join(", ");
        return { outcome: "no-answer", ...status, tries, raw: said };
      }
      const seconds = Math.max(asked ?? 0, backoff(tries, file.firstWait, file.longestWait, jitter.uniform()));
      // What an endpoint asks for holds for everybody; a dropped connection only for its own image.
      if (asked !== undefined) pace.hold(asked);
      await sleep(seconds, signal);
    }
  }

  async function once(image: SentImage): Promise<HttpAnswer | { readonly failure: string }> {
    try {
      return await ask(image, (request) => {
        requests++;
        return sendRequest(request, { timeout: file.timeout, signal });
      });
    } catch (error) {
      if (error instanceof NoAnswer) return { failure: error.message };
      throw error;
    }
  }

  async function askAll(images: Images): Promise<number[]> {
    requireReadable();
    const hashes = imageHashes(images);
    const queue = mixed(wanted(images, hashes));
    let [next, done] = [0, 0];
    let failure: { readonly error: unknown } | undefined;
    const worker = async (): Promise<void> => {
      while (failure === undefined) {
        const queued = queue[next++];
        if (queued === undefined) return;
        try {
          await askOne(queued);
          progress.update(`ask ${name}`, ++done, queue.length);
        } catch (error) {
          failure ??= { error };
        }
      }
    };
    await Promise.all(Array.from({ length: file.concurrency }, worker));
    if (failure !== undefined) throw failure.error;
    // Few images may all be asked before a streak is long enough; that nothing at all was read is no verdict either.
    if (!everRead && file.giveUpAfter > 0 && streak.length > 0) {
      requireReadable(1);
      await giveUp();
    }
    return hashes.map(classOf);
  }

  /** What has to be asked of these, in their order, each once and within the budget. */
  function wanted(images: Images, hashes: readonly string[]): Queued[] {
    const queue = new Map<string, Queued>();
    for (const [i, hash] of hashes.entries()) {
      if (known.has(hash) || queue.has(hash)) continue;
      queue.set(hash, { hash, pixels: Uint8Array.from(imageAt(images, i)), shape: images.shape });
    }
    return [...queue.values()];
  }

  const decoyHashes = decoys === undefined ? [] : imageHashes(decoys.images);

  /** With decoys at random places between, as far as the budget goes; the first of all is a decoy, where there are any. */
  function mixed(queue: readonly Queued[]): readonly Queued[] {
    const fresh = decoyHashes.flatMap((hash, i) => (known.has(hash) || decoys === undefined ? [] : [{ hash, i }]));
    const share = decoys?.each ?? 0;
    const all: Queued[] = [];
    const first = sent.size === 0;
    let left = (file.budget ?? Number.POSITIVE_INFINITY) - sent.size;
    const push = (queued: Queued): void => {
      // What was sent before without an outcome is paid for.
      if (!sent.has(queued.hash) && left-- <= 0) return;
      all.push(queued);
    };
    let used = 0;
    const pushDecoys = (count: number): void => {
      for (const { hash, i } of fresh.slice(used, used + count)) {
        if (decoys === undefined) return;
        push({ hash, pixels: Uint8Array.from(imageAt(decoys.images, i)), shape: decoys.images.shape });
        used++;
      }
    };
    for (const [at, queued] of queue.entries()) {
      const due = (at + (decoys?.random.uniform() ?? 0)) * share;
      pushDecoys(Math.max(at === 0 && first && share > 0 ? 1 : 0, Math.floor(due) - used));
      push(queued);
    }
    if (queue.length > 0) pushDecoys(Math.round(queue.length * share) - used);
    return all;
  }

  // Calls wait for each other: the order of the questions is theirs.
  let turn: Promise<unknown> = Promise.resolve();
  return {
    kind: "endpoint",
    name,
    ask: (images) => {
      const answers = turn.then(() => askAll(images));
      turn = answers.catch(() => undefined);
      return answers;
    },
    summary: () => {
      const outcomes = [...known.values()];
      const answered = outcomes.filter(({ outcome }) => outcome === "answer");
      const decoyAnswers = decoyHashes.flatMap((hash, i) => {
        const label = classOf(hash);
        return label === NOT_ASKED || label === REFUSED ? [] : [label === decoys?.images.labels[i]];
      });
      const { costPerQuery } = file;
      return {
        asked: sent.size,
        askedNow,
        requests,
        answered: answered.length,
        refused: outcomes.length - answered.length,
        unreadable: answered.filter(({ raw }) => "unreadable" in read(raw)).length,
        unknownWords: [...unknownWords],
        decoys: { answered: decoyAnswers.length, right: decoyAnswers.filter((right) => right).length },
        head: transcript.head(),
        cost: costPerQuery === undefined ? undefined : costPerQuery * sent.size,
      };
    },
    close: transcript.close,
  };
}

interface Queued {
  readonly hash: string;
  readonly pixels: Uint8Array;
  readonly shape: Images["shape"];
}

/** Whether a status says "later" rather than "no". */
function isPassing(status: number): boolean {
  return status === 408 || status === 425 || status === 429 || status >= 500;
}

function sentSha256(image: SentImage): string {
  const bytes = image.kind === "file" ? image.bytes : JSON.stringify([image.datatype, image.dims, image.values]);
  return createHash("sha256").update(bytes).digest("hex");
}

/** "status 429, Too many requests" */
function inWords({ status, raw = "" }: Pick<NewEntry, "status" | "raw">): string {
  const text = excerpt(raw);
  return [...(status === undefined ? [] : [`status ${status}`]), ...(text === "" ? [] : [text])].join(", ");
}

function excerpt(text: string): string {
  const line = text.replaceAll(/[\s\p{C}]+/gu, " ").trim();
  return line.length <= 200 ? line : `${line.slice(0, 199)}…`;
}
