/** @file How long work tells what it is doing: an interface, so that no room writes to a terminal itself. */

export interface Progress {
  /** `done` of `total` units (steps, bytes, images) of the work called `what`; cheap enough to call for every unit. */
  update(what: string, done: number, total: number): void;
  /**
   * The same for work that has to be done first and is no part of what `update` counts. Absent where many pieces of
   * work are counted together: then nothing is said of it.
   */
  readonly prepare?: (what: string, done: number, total: number) => void;
  /** A result worth a line of its own. */
  note(line: string): void;
}

/** Says nothing. */
export const silent: Progress = { update: () => {}, note: () => {} };
