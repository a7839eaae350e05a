/**
 * @file Standard output and standard error, which may be closed, full, or read by somebody who has gone.
 *
 * What is told on stderr is told to whoever listens: where nobody does, work goes on. The outcome on stdout is what a
 * command was called for: where it cannot be written, that is a failure. Files and devices are written at once and
 * throw, pipes report later; neither may reach the program as an error that nobody awaits.
 */

import { WildmarkError } from "../core/errors.js";

/** What is written first: a reader that took it and then went has seen enough (`wildmark list methods | head`). */
const FIRST_PIECE = 512;

let listened = true;

/** Keeps failing streams from ending the process; called once, before anything is written. */
export function guardStreams(): void {
  process.stderr.on("error", () => {
    listened = false;
  });
  // `print` awaits what becomes of each write.
  process.stdout.on("error", () => {});
}

/** Writes to stderr, as long as anybody can be told. */
export function tell(text: string): void {
  if (!listened) return;
  try {
    process.stderr.write(text);
  } catch {
    listened = false;
  }
}

/**
 * Writes to stdout.
 *
 * @throws WildmarkError `cannot-write` where nothing of it, or not all, could be written; but not where a reader took
 *   the beginning and then went.
 */
export async function print(text: string): Promise<void> {
  const first = await written(text.slice(0, FIRST_PIECE));
  if (first !== undefined) throw unwritten(first);
  if (text.length <= FIRST_PIECE) return;
  const rest = await written(text.slice(FIRST_PIECE));
  if (rest !== undefined && codeOf(rest) !== "EPIPE") throw unwritten(rest);
}

/** Why a text could not be written to stdout; undefined where it could. */
function written(text: string): Promise<unknown> {
  return new Promise((resolve) => {
    try {
      process.stdout.write(text, (error) => resolve(error ?? undefined));
    } catch (error) {
      resolve(error);
    }
  });
}

function unwritten(error: unknown): WildmarkError {
  const reasons: Readonly<Record<string, string>> = {
    EPIPE: "it was closed before",
    ENOSPC: "the disk is full",
    EDQUOT: "the disk quota is used up",
    EBADF: "it is closed",
    EIO: "the device failed",
  };
  const reason = reasons[codeOf(error) ?? ""] ?? (error instanceof Error ? error.message : String(error));
  return new WildmarkError("cannot-write", `The outcome could not be written to standard output: ${reason}.`, {
    hint: "What the command wrote into files is there; only what it says is lost.",
    cause: error,
  });
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}
