/** @file Ctrl-C: the first stops the work in order, the second kills at once. */

import { WildmarkError } from "../core/errors.js";

/** How long work may take to stop by itself; nothing is written half, so it may be left where it is. */
const PATIENCE_MS = 3000;

/**
 * Runs `work` with a signal that the first SIGINT fires. From then on SIGINT has its ordinary effect again.
 *
 * @throws WildmarkError `interrupted` at the latest a few seconds after the signal.
 */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  let patience: NodeJS.Timeout | undefined;
  const stopped = new Promise<never>((_, reject) => {
    controller.signal.addEventListener("abort", () => {
      patience = setTimeout(() => reject(new WildmarkError("interrupted", "Stopped.")), PATIENCE_MS);
    });
  });
  const stop = (): void => controller.abort();
  process.once("SIGINT", stop);
  try {
    return await Promise.race([work(controller.signal), stopped]);
  } finally {
    process.off("SIGINT", stop);
    clearTimeout(patience);
  }
}
