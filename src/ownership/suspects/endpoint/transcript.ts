/**
 * @file The transcript: what an endpoint was asked and what it answered, a line of JSON each, chained by hashes.
 *
 * Each line holds the SHA-256 of the line before it, so that no line can be changed, taken out or put in without
 * changing all that follow; whoever dates the last hash has dated all of it. An image is named by its hash, an answer
 * stands as it came. A transcript is also what lets work go on: what stands in it is not asked again, but for a few
 * that are drawn to see that it was not made up. A line that was cut off in the middle, by a crash, is taken away;
 * anything else that is wrong is refused.
 */

import { createHash } from "node:crypto";
import { open, readFile, rm } from "node:fs/promises";
import { z } from "zod";
import { WildmarkError } from "../../../core/errors.js";
import { writeError } from "../../../core/files.js";

const hash = z.string().regex(/^[0-9a-f]{64}$/);

const headerSchema = z.object({
  n: z.literal(0),
  form: z.literal("wildmark transcript 1"),
  /** The endpoint's address as its description has it, without secrets. */
  to: z.string(),
  /** Hash of what decides the requests. */
  asking: hash,
  at: z.string(),
  previous: hash,
});

const entrySchema = z.object({
  n: z.int().min(1),
  /**
   * - `answer`: status 200 with a body, readable or not
   * - `refused`: the endpoint said no: a status from 300 on that no retry mends
   * - `no-answer`: all retries were used up
   * - `gave-up`: too many in a row; those images are asked again
   */
  outcome: z.enum(["answer", "refused", "no-answer", "gave-up"]),
  /** `imageSha256` of the image, before it was encoded; absent of `gave-up`. */
  image: hash.optional(),
  /** SHA-256 of what was sent of it: a file's bytes, or the tensor as JSON. */
  sent: hash.optional(),
  /** ISO 8601, UTC, when the outcome was known. */
  at: z.string(),
  /** Of the last request; absent where there was no answer at all. */
  status: z.int().optional(),
  /** How often it was sent. */
  tries: z.int().min(1).optional(),
  /** The answer as it came; of `no-answer`, what went wrong. */
  raw: z.string().optional(),
  /** There where the transcript held an outcome for the image already. */
  again: z.literal(true).optional(),
  previous: hash,
});

export type TranscriptEntry = z.infer<typeof entrySchema>;
export type NewEntry = Omit<TranscriptEntry, "n" | "at" | "previous">;

export interface Transcript {
  readonly path: string;
  /** What stood in it when it was opened. */
  readonly entries: readonly TranscriptEntry[];
  /** Appends a line; it is on the disk when the promise resolves. @throws WildmarkError `cannot-write`. */
  readonly append: (entry: NewEntry) => Promise<void>;
  /** Hex SHA-256 of the last line. */
  readonly head: () => string;
  readonly close: () => Promise<void>;
}

const START = "0".repeat(64);

/**
 * Opens a transcript, or begins one, for this process alone.
 *
 * @throws WildmarkError `bad-file` where the chain is broken, or it is another endpoint's; `cannot-write`, also where
 *   another process is writing it.
 */
export async function openTranscript(
  path: string,
  { to, asking }: { readonly to: string; readonly asking: string },
): Promise<Transcript> {
  const unlock = await lock(path);
  try {
    const found = await readTranscript(path);
    if (found !== undefined && found.header.asking !== asking) {
      throw new WildmarkError("bad-file", `${path}: is the transcript of ${found.header.to}, asked in another way.`, {
        hint: "Choose another --transcript: what decides the requests has changed.",
      });
    }
    const file = await open(path, "a", 0o600).catch((error: unknown) => Promise.reject(writeError(path, error)));
    let head = found?.head ?? START;
    let n = found === undefined ? 0 : found.entries.length + 1;
    let last: Promise<void> = Promise.resolve();
    const write = async (line: string): Promise<void> => {
      try {
        await file.writeFile(`${line}\n`);
        await file.datasync();
      } catch (error) {
        throw writeError(path, error);
      }
    };
    // One after the other, in the order of the calls, because each line holds the hash of the one before.
    const append = (values: object): Promise<void> => {
      const line = JSON.stringify({ n, ...values, at: new Date().toISOString(), previous: head });
      n++;
      head = sha256(line);
      last = last.then(() => write(line));
      return last;
    };
    if (found === undefined) await append({ form: "wildmark transcript 1", to, asking });
    else if (found.torn) await file.truncate(found.bytes);
    return {
      path,
      entries: found?.entries ?? [],
      append,
      head: () => head,
      close: async () => {
        await last.catch(() => undefined);
        await file.close();
        await unlock();
      },
    };
  } catch (error) {
    await unlock();
    throw error;
  }
}

export interface ReadTranscript {
  readonly header: z.infer<typeof headerSchema>;
  readonly entries: readonly TranscriptEntry[];
  /** Hex SHA-256 of the last line. */
  readonly head: string;
  /** Whether a line at the end was cut off; it is no part of the rest. */
  readonly torn: boolean;
  /** Length of the whole lines. */
  readonly bytes: number;
}

/**
 * Reads a transcript and checks its chain, as a judge would.
 *
 * @returns undefined where there is none, or none but a line that was cut off.
 * @throws WildmarkError `bad-file` naming the line where the chain breaks.
 */
export async function readTranscript(path: string): Promise<ReadTranscript | undefined> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return undefined;
    throw new WildmarkError("bad-file", `${path}: the transcript cannot be read.`, { cause });
  }
  const whole = text.slice(0, text.lastIndexOf("\n") + 1);
  const torn = whole.length < text.length;
  const [first, ...lines] = whole.split("\n").slice(0, -1);
  if (first === undefined) {
    if (torn && text.startsWith('{"n":0,')) return undefined;
    if (text === "") return undefined;
    throw broken(path, 1, "it is no transcript");
  }
  const header = checked(headerSchema, first, START, path, 1);
  let head = sha256(first);
  const entries = lines.map((line, i): TranscriptEntry => {
    const entry = checked(entrySchema, line, head, path, i + 2);
    if (entry.n !== i + 1) throw broken(path, i + 2, `it has number ${entry.n}, expected ${i + 1}`);
    head = sha256(line);
    return entry;
  });
  return { header, entries, head, torn, bytes: Buffer.byteLength(whole) };
}

function checked<T extends { readonly previous: string }>(
  schema: z.ZodType<T>,
  line: string,
  previous: string,
  path: string,
  number: number,
): T {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw broken(path, number, "it is no JSON");
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw broken(path, number, "it is no line of a transcript");
  if (parsed.data.previous !== previous) {
    throw broken(path, number, number === 1 ? "it is not the first" : "it does not follow from the line before");
  }
  return parsed.data;
}

function broken(path: string, line: number, why: string): WildmarkError {
  return new WildmarkError("bad-file", `${path}: the chain is broken at line ${line}: ${why}.`, {
    hint: "Somebody changed it, or it is no transcript. Choose another --transcript; then everything is asked anew.",
  });
}

function sha256(line: string): string {
  return createHash("sha256").update(line).digest("hex");
}

/**
 * A file beside the transcript that holds the writer's process id; one that no process holds any more is taken over.
 */
async function lock(path: string): Promise<() => Promise<void>> {
  const place = `${path}.lock`;
  for (let again = false; ; again = true) {
    try {
      const file = await open(place, "wx", 0o600);
      await file.writeFile(String(process.pid)).finally(() => file.close());
      return () => rm(place, { force: true });
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw writeError(path, error);
      const holder = Number(await readFile(place, "utf8").catch(() => ""));
      if (again || isRunning(holder)) {
        throw new WildmarkError("cannot-write", `${path}: process ${holder} is writing it.`, {
          hint: `Wait for it, or choose another --transcript. Where no such process runs, remove ${place}.`,
        });
      }
      await rm(place, { force: true });
    }
  }
}

function isRunning(pid: number): boolean {
  if (!Number.isInteger(pid) || pid < 1) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Another user's process cannot be asked, but it is there.
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}
