/**
 * @file Two or more sides do the same work in turns, and each unit of work is timed.
 *
 * Turns alternate quickly (A B A B), so that whatever slows the machine for a while slows all sides alike, and each
 * side is idle in the others' turns. Threads of both runtimes go on looking for work for a moment after a run, and
 * would take the cores from the other side; hence the pause between turns.
 */

import { setTimeout as sleep } from "node:timers/promises";

/** One side: work cut into units (a step, an epoch, a pass over images) that can be done any number of times. */
export interface Contestant {
  /** Does the first units and tells what came of them, so that sides can be compared. */
  check(): Promise<readonly number[]>;
  /** Does `units` units. @returns milliseconds of each. */
  run(units: number): Promise<readonly number[]>;
  release(): Promise<void>;
}

export interface Turns {
  readonly turns: number;
  /** About how long a turn lasts; a unit that takes longer is a turn by itself. */
  readonly milliseconds: number;
  /** Milliseconds between turns. */
  readonly pause: number;
}

/**
 * Runs all contestants in turns.
 *
 * The first unit of a turn of several is not counted: it finds caches that the others filled.
 *
 * @returns milliseconds of all counted units, for each contestant, in the order they ran.
 */
export async function race<Name>(
  contestants: ReadonlyMap<Name, Contestant>,
  { turns, milliseconds, pause }: Turns,
): Promise<Map<Name, readonly number[]>> {
  const sides: { name: Name; side: Contestant; units: number; times: number[] }[] = [];
  for (const [name, side] of contestants) {
    const [once = milliseconds] = await side.run(1);
    sides.push({ name, side, units: Math.max(1, Math.min(1000, Math.round(milliseconds / once))), times: [] });
  }
  for (let turn = 0; turn < turns; turn++) {
    for (const { side, units, times } of sides) {
      await sleep(pause);
      times.push(...(units === 1 ? await side.run(1) : (await side.run(units + 1)).slice(1)));
    }
  }
  return new Map(sides.map(({ name, times }) => [name, times]));
}

/** Times `unit`, again and again. */
export async function timed(units: number, unit: () => Promise<unknown>): Promise<number[]> {
  const times: number[] = [];
  for (let i = 0; i < units; i++) {
    const start = performance.now();
    await unit();
    times.push(performance.now() - start);
  }
  return times;
}
