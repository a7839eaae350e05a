/** @file How long work tells what it is doing: an interface, so that no room writes to a terminal itself. */

export interface Progress {
  /** `done` of `total` units (steps, bytes, images) of the work called `what`; cheap enough to call for every unit. */
  update(what: string, done: number, total: number): void;
  /** A result worth a line of its own. */
  note(line: string): void;
}

/** Says nothing. */
export const silent: Progress = { update: () => {}, note: () => {} };
