/** @file A queue of asynchronous work: so many at once, and of what waits, what comes first in the plan. */

export interface WorkQueue {
  /** Runs `work` when there is room; of several that wait, the one with the smallest `position` first. */
  add<T>(position: number, work: () => Promise<T>): Promise<T>;
}

/** Once a piece of work fails, what still waits is never begun and fails with the same error. */
export function workQueue(atOnce: number): WorkQueue {
  const waiting: { readonly position: number; readonly start: () => void; readonly drop: (error: unknown) => void }[] =
    [];
  let running = 0;
  let failure: { readonly error: unknown } | undefined;

  const next = (): void => {
    if (failure !== undefined) {
      for (const { drop } of waiting.splice(0)) drop(failure.error);
      return;
    }
    while (running < atOnce) {
      const first = waiting.toSorted((a, b) => a.position - b.position)[0];
      if (first === undefined) return;
      waiting.splice(waiting.indexOf(first), 1);
      running += 1;
      first.start();
    }
  };

  return {
    add: (position, work) =>
      new Promise((resolve, reject) => {
        const start = (): void => {
          work()
            .then(resolve, (error: unknown) => {
              failure ??= { error };
              reject(error);
            })
            .finally(() => {
              running -= 1;
              setImmediate(next);
            });
        };
        waiting.push({ position, start, drop: reject });
        // Not at once: what follows from finished work is added first, and may come before what waits.
        setImmediate(next);
      }),
  };
}
