/**
 * @file The one error class of Wildmark.
 *
 * An error says what was expected, what was found and where (the message), and what to do next (the hint). The code is
 * for programs: it is stable, the wording is not. The command line prints one line and the hint, never a stack.
 */

/**
 * What went wrong, coarsely; the command line derives the exit status from it.
 *
 * - `usage`: a flag, option or specification is wrong.
 * - `bad-file`: a file is missing, truncated, malformed or lies about itself.
 * - `bad-model`: a well-formed ONNX model that Wildmark cannot use.
 * - `unsupported-operator`: a node without a gradient rule stands between the loss and a trainable weight.
 * - `bad-data`: images or labels that do not fit (range, shape, class count, empty class).
 * - `bad-key`: a key that does not fit the model or the data.
 * - `cannot-write`: an output cannot be written, or would overwrite something.
 * - `network`: a download failed.
 * - `numeric`: training diverged (NaN or infinite loss).
 * - `runtime`: ONNX Runtime refused a graph or a device.
 * - `interrupted`: the user stopped the work.
 */
export type ErrorCode =
  | "usage"
  | "bad-file"
  | "bad-model"
  | "unsupported-operator"
  | "bad-data"
  | "bad-key"
  | "cannot-write"
  | "network"
  | "numeric"
  | "runtime"
  | "interrupted";

/** Any failure that Wildmark foresees. Everything else that is thrown is a bug. */
export class WildmarkError extends Error {
  override readonly name = "WildmarkError";
  readonly code: ErrorCode;
  /** What the reader can do about it: one sentence, or absent. */
  readonly hint: string | undefined;
  /** What the message counts, a line each: all mistakes of a file. Mostly empty. */
  readonly details: readonly string[];

  constructor(
    code: ErrorCode,
    message: string,
    options: { readonly hint?: string; readonly details?: readonly string[]; readonly cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.hint = options.hint;
    this.details = options.details ?? [];
  }
}

/** Bad input and bad usage end with 2, a failed run with 1, an interruption with 130 (128 + SIGINT). */
export function exitStatus(error: unknown): 1 | 2 | 130 {
  if (!(error instanceof WildmarkError)) return 1;
  switch (error.code) {
    case "interrupted":
      return 130;
    case "network":
    case "numeric":
    case "runtime":
      return 1;
    default:
      return 2;
  }
}
