/**
 * @file How fast an endpoint is asked: a number of requests a minute, pauses that it asks for, and waits before
 * retries.
 */

import { interrupted } from "./http.js";

export interface Pacer {
  /** Waits for the next turn. @throws WildmarkError `interrupted`. */
  readonly turn: () => Promise<void>;
  /** Nobody has a turn for so many seconds. */
  readonly hold: (seconds: number) => void;
}

/** @param perMinute turns a minute, evenly spaced; undefined: as many as are wanted. */
export function pacer(perMinute: number | undefined, signal?: AbortSignal): Pacer {
  const interval = perMinute === undefined ? 0 : 60_000 / perMinute;
  let next = 0;
  return {
    turn: async () => {
      for (;;) {
        const now = performance.now();
        if (now >= next) {
          next = Math.max(next + interval, now + interval);
          if (signal?.aborted) throw interrupted();
          return;
        }
        // Others may take the turn, or a pause begin, while this one sleeps: it looks again.
        await sleep((next - now) / 1000, signal);
      }
    },
    hold: (seconds) => {
      next = Math.max(next, performance.now() + seconds * 1000);
    },
  };
}

/**
 * Seconds to wait before try `again` (from 1): exponential with jitter over its upper half, so that many clients spread
 * out.
 *
 * @param random in [0, 1)
 */
export function backoff(again: number, first: number, longest: number, random: number): number {
  const most = Math.min(longest, first * 2 ** (again - 1));
  return most * (0.5 + 0.5 * random);
}

/** @throws WildmarkError `interrupted` when the signal fires. */
export function sleep(seconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(interrupted());
    const stop = (): void => {
      clearTimeout(timer);
      reject(interrupted());
    };
    // Timers round down now and then; a millisecond more is no wait.
    const timer = setTimeout(
      () => {
        signal?.removeEventListener("abort", stop);
        resolve();
      },
      Math.min(2 ** 31 - 1, Math.ceil(seconds * 1000) + 1),
    );
    signal?.addEventListener("abort", stop, { once: true });
  });
}
