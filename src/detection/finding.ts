/** @file What a detector reports. */

/**
 * How sure it is. `planted`: no cause but a planted one is known. `suspicious`: innocent models have this seldom.
 * `note`: worth knowing, and usually innocent.
 */
export type Level = "planted" | "suspicious" | "note";

/** The gravest first. */
export const LEVELS: readonly Level[] = ["planted", "suspicious", "note"];

/** Everything that a reader needs: each text is a sentence or two, and may be read alone. */
export interface Finding {
  /** The detector's id. */
  readonly detector: string;
  readonly level: Level;
  /** What was found. */
  readonly what: string;
  /** The nodes that it is about, by the names in the file, from the input's side to the scores'. */
  readonly nodes: readonly string[];
  /** Nodes on one way from the model's input through these to the scores; empty where it is no matter of ways. */
  readonly path: readonly string[];
  /** The class that it leads to, where there is one. */
  readonly target?: number;
  /** How sure that is, and what it rests on. */
  readonly sure: string;
  /** What else, innocent, looks like this. */
  readonly innocent: string;
  /** What to do. */
  readonly advice: string;
}
