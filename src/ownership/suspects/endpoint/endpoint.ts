/**
 * @file A suspect behind an endpoint: asked image by image, slowly, within a budget, and once for each image.
 *
 * What counts as what:
 *
 * - An answer is whatever the endpoint said with status 200. It is kept as it came and read anew each time, so that a
 *   wrong path or a missing name of a class can be mended without asking again.
 * - A refusal (any status that no retry mends) and an image that got no answer after all retries count as wrong
 *   answers: a thief may refuse what looks like a trigger.
 * - A few of them in a row look like an endpoint that is down or a description that is wrong. Then the work stops, and
 *   those images are asked again next time. Refusals only do so as long as nothing was answered yet. Nor is there a
 *   verdict where nothing was answered at all.
 * - Images beyond the budget are not asked. It counts images, not requests: how often something has to be sent again
 *   is the suspect's doing, and must not decide what is asked.
 * - What a transcript holds from before is taken as it stands, once a sample of it was asked again and answered as it
 *   says: the sample is drawn when it is needed, so that no line can keep out of it. What was read and not heard is
 *   counted.
 */

import { createHash, randomInt } from "node:crypto";
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
  /** Whether to ask everything anew, whatever the transcript holds; default false. */
  readonly fresh?: boolean | undefined;
  readonly progress?: Progress | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** How many answers of a transcript are asked again, of those to the images of one call. */
export const CHECKED = 20;

export interface EndpointSummary {
  /** Images in the transcript, decoys and earlier runs included. */
  readonly asked: number;
  /** Of those, by this process. */
  readonly askedNow: number;
  /** Answers of the transcript that were asked again, and were the same. */
  readonly checked: number;
  /** How many more should have been: the budget was at its end, or they got no answer. */
  readonly unchecked: number;
  /** Of the answers that were used, those read from the transcript, and neither heard nor checked by this process. */
  readonly unheard: { readonly answers: number; readonly of: number };
  /** Requests that this process sent, retries included. */
  readonly requests: number;
  readonly answered: number;
  readonly refused: number;
  /** Answers in which no class could be read; they count as refused. */
  readonly unreadable: number;
  /** Words that are the name of no known class: they count as wrong answers. */
  readonly unknownWords: readonly string[];
  /**
   * How many decoys have an answer, and how many of those are right: a low share says that classes are read wrongly.
   */
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
 * A suspect that is asked over the network. `ask` throws WildmarkError `network` where the endpoint gives no answers at
 * all, `bad-file` where none of its answers can be read with this description, `interrupted`, `cannot-write`: the same
 * command goes on then, with what the transcript holds.
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
  /**
   * Every image that was ever put to the endpoint, and how often it was for an image with an outcome: what the budget
   * counts.
   */
  const sent = new Set<string>();
  let again = 0;
  /** Images whose outcome this process heard, and those that it was asked about. */
  const heard = new Set<string>();
  const used = new Set<string>();
  let [checked, unchecked] = [0, 0];
  /** Images without an answer since the last one that could be read. */
  let streak: string[] = [];
  let everRead = false;
  let [askedNow, requests] = [0, 0];
  const unknownWords = new Set<string>();

  const read = (raw: string | undefined): ReadAnswer => {
    const found = readAnswer(raw ?? "", config, labels);
    if ("unknown" in found) unknownWords.add(found.unknown.slice(0, 60));
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
    sent.add(entry.image);
    if (entry.again === true) again++;
    // An answer that was given stays one, though nobody answers when it is asked for again.
    if (entry.again === true && entry.outcome !== "answer" && known.has(entry.image)) return;
    known.set(entry.image, entry);
    if (entry.outcome === "answer" && "label" in read(entry.raw)) {
      everRead = true;
      streak = [];
    } else if (entry.outcome === "no-answer" || !everRead) {
      streak.push(entry.image);
    }
  };
  for (const entry of transcript.entries) note(entry);
  const remembered = new Set(known.keys());
  if (options.fresh === true) {
    known.clear();
    streak = [];
    everRead = false;
  }

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
      hint:
        "answer.path and answer.as say where the class stands, labels what classes are called. Nothing " +
        "is asked again for that.",
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
  async function hear({ hash, pixels, shape }: Queued): Promise<NewEntry> {
    const image = await encodeImage(pixels, shape, config.image);
    await ledger?.disclose([hash]);
    askedNow++;
    sent.add(hash);
    const outcome = await outcomeOf(image);
    const twice = remembered.has(hash) ? { again: true as const } : {};
    const entry: NewEntry = { image: hash, sent: sentSha256(image), ...outcome, ...twice };
    note(entry);
    await transcript.append(entry);
    return entry;
  }

  async function askOne(queued: Queued): Promise<void> {
    await hear(queued);
    heard.add(queued.hash);
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
            "Look at the address, the model's name and the secrets; then the same command goes on. Decoys " +
              "(--decoys) would " +
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

  /** As many at a time as the description allows. */
  async function each(queue: readonly Queued[], work: (queued: Queued) => Promise<unknown>): Promise<void> {
    let [next, done] = [0, 0];
    let failure: { readonly error: unknown } | undefined;
    const worker = async (): Promise<void> => {
      while (failure === undefined) {
        const queued = queue[next++];
        if (queued === undefined) return;
        try {
          await work(queued);
          progress.update(`ask ${name}`, ++done, queue.length);
        } catch (error) {
          failure ??= { error };
        }
      }
    };
    await Promise.all(Array.from({ length: file.concurrency }, worker));
    if (failure !== undefined) throw failure.error;
  }

  const left = (): number => (file.budget ?? Number.POSITIVE_INFINITY) - sent.size - again;

  /**
   * Asks some of what was read from the transcript again, as far as the budget goes beyond what is still to be asked.
   *
   * @throws WildmarkError `bad-file` where an answer is another now; `network` where those that are asked get none.
   */
  async function check(images: Images, hashes: readonly string[], stillToAsk: number): Promise<void> {
    const read = unique(images, hashes, (hash) => known.get(hash)?.outcome === "answer" && !heard.has(hash));
    let wanted = Math.min(CHECKED, read.length);
    while (wanted > 0) {
      const room = Math.min(wanted, read.length, left() - stillToAsk);
      const sample = Array.from({ length: Math.max(0, room) }, () => read.splice(randomInt(read.length), 1)).flat();
      let [same, others] = [0, 0];
      await each(sample, async (queued) => {
        const before = classOf(queued.hash);
        const { outcome } = await hear(queued);
        if (outcome !== "answer") return;
        heard.add(queued.hash);
        if (classOf(queued.hash) === before) same++;
        else others++;
      });
      if (others > 0) {
        throw new WildmarkError(
          "bad-file",
          `${transcript.path}: of ${same + others} answers that were asked for again, ${others} are others now.`,
          {
            hint: "Somebody made them up, or the endpoint answers otherwise than it did. --fresh asks everything anew.",
          },
        );
      }
      if (sample.length > 0 && same === 0) {
        throw new WildmarkError(
          "network",
          `${name}: ${sample.length} images that it answered before, as the transcript has it, got no answer now.`,
          { hint: "When the endpoint answers again, the same command goes on." },
        );
      }
      checked += same;
      wanted -= same;
      if (sample.length === 0) break;
    }
    unchecked += wanted;
  }

  async function askAll(images: Images): Promise<number[]> {
    requireReadable();
    const hashes = imageHashes(images);
    for (const hash of hashes) used.add(hash);
    const fresh = unique(images, hashes, (hash) => !known.has(hash));
    await check(images, hashes, fresh.length);
    await each(mixed(fresh), askOne);
    // Few images may all be asked before a streak is long enough; that nothing at all was read is no verdict either.
    if (!everRead && file.giveUpAfter > 0 && streak.length > 0) {
      requireReadable(1);
      await giveUp();
    }
    return hashes.map(classOf);
  }

  /** Those whose hash passes, in their order, each once. */
  function unique(images: Images, hashes: readonly string[], passes: (hash: string) => boolean): Queued[] {
    const queue = new Map<string, Queued>();
    for (const [i, hash] of hashes.entries()) {
      if (!passes(hash) || queue.has(hash)) continue;
      queue.set(hash, { hash, pixels: Uint8Array.from(imageAt(images, i)), shape: images.shape });
    }
    return [...queue.values()];
  }

  const decoyHashes = decoys === undefined ? [] : imageHashes(decoys.images);

  /**
   * With decoys at random places between, as far as the budget goes; the first of all is a decoy, where there are any.
   */
  function mixed(queue: readonly Queued[]): readonly Queued[] {
    const fresh = decoyHashes.flatMap((hash, i) => (known.has(hash) || decoys === undefined ? [] : [{ hash, i }]));
    const share = decoys?.each ?? 0;
    const all: Queued[] = [];
    const first = sent.size === 0;
    let room = left();
    const push = (queued: Queued): void => {
      // What was sent before without an outcome is paid for.
      const isPaid = sent.has(queued.hash) && !remembered.has(queued.hash);
      if (!isPaid && room-- <= 0) return;
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
      const usedAnswers = [...used].filter((hash) => known.get(hash)?.outcome === "answer");
      const answered = outcomes.filter(({ outcome }) => outcome === "answer");
      const decoyAnswers = decoyHashes.flatMap((hash, i) => {
        const label = classOf(hash);
        return label === NOT_ASKED || label === REFUSED ? [] : [label === decoys?.images.labels[i]];
      });
      const { costPerQuery } = file;
      return {
        asked: sent.size,
        askedNow,
        checked,
        unchecked,
        unheard: { answers: usedAnswers.filter((hash) => !heard.has(hash)).length, of: usedAnswers.length },
        requests,
        answered: answered.length,
        refused: outcomes.length - answered.length,
        unreadable: answered.filter(({ raw }) => "unreadable" in read(raw)).length,
        unknownWords: [...unknownWords],
        decoys: { answered: decoyAnswers.length, right: decoyAnswers.filter((right) => right).length },
        head: transcript.head(),
        cost: costPerQuery === undefined ? undefined : costPerQuery * (sent.size + again),
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
