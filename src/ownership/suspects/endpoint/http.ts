/**
 * @file One request and its answer, bounded in time and size; redirects are not followed, because secrets would go
 * along.
 */

import { WildmarkError } from "../../../core/errors.js";
import { defined } from "../../../core/defined.js";

export interface HttpRequest {
  readonly url: string;
  readonly method: "GET" | "POST";
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array<ArrayBuffer> | FormData;
}

export interface HttpAnswer {
  readonly status: number;
  readonly body: string;
  /** Seconds that the server asks to wait. */
  readonly retryAfter: number | undefined;
}

/** The request came to no answer: nobody there, too slow, or cut off in the middle. */
export class NoAnswer extends Error {
  override readonly name = "NoAnswer";
}

export type Send = (request: HttpRequest) => Promise<HttpAnswer>;

/** Longer answers are no classes. */
const MAX_ANSWER_BYTES = 4 * 2 ** 20;

/**
 * @param options.timeout seconds from the request to the last byte of the answer.
 * @throws NoAnswer; WildmarkError `interrupted` when the signal fires.
 */
export async function sendRequest(
  { url, method, headers, body }: HttpRequest,
  options: { readonly timeout: number; readonly signal?: AbortSignal | undefined },
): Promise<HttpAnswer> {
  const { timeout, signal } = options;
  if (signal?.aborted) throw interrupted();
  const late = AbortSignal.timeout(timeout * 1000);
  try {
    const response = await fetch(url, {
      method,
      headers,
      redirect: "manual",
      signal: signal === undefined ? late : AbortSignal.any([signal, late]),
      ...defined({ body }),
    });
    const location = response.headers.get("location");
    const text = await readBounded(response);
    return {
      status: response.status,
      body: location === null ? text : `redirected to ${location}; ${text}`,
      retryAfter: secondsOf(response.headers.get("retry-after")),
    };
  } catch (error) {
    if (signal?.aborted) throw interrupted();
    if (late.aborted) throw new NoAnswer(`no answer within ${timeout} s`);
    if (error instanceof NoAnswer) throw error;
    throw new NoAnswer(reasonOf(error), { cause: error });
  }
}

async function readBounded(response: Response): Promise<string> {
  if (response.body === null) return "";
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body) {
    size += chunk.length;
    if (size > MAX_ANSWER_BYTES) throw new NoAnswer(`the answer is longer than ${MAX_ANSWER_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** Retry-After: seconds, or a date (RFC 9110, section 10.2.3). */
function secondsOf(value: string | null): number | undefined {
  if (value === null) return undefined;
  if (/^\s*\d+(\.\d+)?\s*$/.test(value)) return Number(value);
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, (date - Date.now()) / 1000);
}

/** What fetch knows of a failure stands in its cause. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  if (!(cause instanceof Error)) return String(cause);
  const code = "code" in cause && typeof cause.code === "string" ? cause.code : "";
  const known: Readonly<Record<string, string>> = {
    ECONNREFUSED: "nobody answers at that address",
    ENOTFOUND: "there is no such host",
    EAI_AGAIN: "the host's name cannot be looked up",
    ECONNRESET: "the connection was cut off",
    UND_ERR_SOCKET: "the connection was cut off",
    ETIMEDOUT: "no connection within the time that the system waits",
  };
  return known[code] ?? (cause.message === "" ? code : cause.message);
}

export function interrupted(): WildmarkError {
  return new WildmarkError("interrupted", "Stopped.");
}
