/**
 * @file The result document by mark and method: what figures, tables and sentences all start from.
 *
 * A run is one removal beside the marked model of the same mark and seed. A method is told by its id and title together,
 * because two variants of one method (WILD with CE, WILD with JS) share the id.
 */

import { WildmarkError } from "../core/errors.js";
import type { Result, Verdict } from "../experiments/result.js";
import type { Measurement } from "../tasks/records.js";

export type Marked = Result["marked"][number];
export type Removal = Result["removals"][number];

/** What figures need to know of the model that removals start from. */
export type Start = Pick<Marked, "mark" | "title" | "seed" | "measured" | "verdict">;

/** What figures are drawn from: a result, or another document told in its terms. */
export interface Charted<M extends Start = Start> {
  readonly data: Pick<Result["data"], "classes">;
  readonly marks: readonly string[];
  readonly marked: readonly M[];
  readonly removals: readonly Removal[];
}

/** One removal and what it started from. */
export interface Run<M extends Start = Start> {
  readonly removal: Removal;
  readonly marked: M;
}

/** All runs (one a seed) of one method against one mark. */
export interface MethodGroup<M extends Start = Start> {
  readonly id: string;
  readonly title: string;
  readonly control: boolean;
  readonly runs: readonly Run<M>[];
}

/** One mark: its marked models (one a seed) and what was done to them. */
export interface MarkGroup<M extends Start = Start> {
  readonly id: string;
  readonly title: string;
  readonly marked: readonly M[];
  /** In the order of the document. */
  readonly methods: readonly MethodGroup<M>[];
}

/**
 * The marks in the order that the document asks for, each with its methods.
 *
 * @throws {WildmarkError} `bad-file` where a removal has no marked model of its mark and seed.
 */
export function markGroups<M extends Start>(result: Charted<M>): readonly MarkGroup<M>[] {
  const ids = distinct([...result.marks, ...result.marked.map((m) => m.mark), ...result.removals.map((r) => r.mark)]);
  return ids.flatMap((id) => {
    const marked = result.marked.filter((m) => m.mark === id);
    const runs = result.removals
      .filter((r) => r.mark === id)
      .map((removal) => ({ removal, marked: markedOf(marked, removal) }));
    // A mark that was planned but never embedded (a run that was stopped) has nothing to show.
    const first = marked[0];
    return first === undefined ? [] : [{ id, title: first.title, marked, methods: methodGroups(runs) }];
  });
}

function markedOf<M extends Start>(marked: readonly M[], removal: Removal): M {
  const found = marked.find((m) => m.seed === removal.seed);
  if (found === undefined) {
    throw new WildmarkError(
      "bad-file",
      `the result document has a removal (${removal.title}) of mark "${removal.mark}", seed ${removal.seed}, ` +
        "but no marked model of that mark and seed",
      { hint: "Run the experiment again with the same --out: it redoes what is missing." },
    );
  }
  return found;
}

function methodGroups<M extends Start>(runs: readonly Run<M>[]): readonly MethodGroup<M>[] {
  return distinct(runs.map((run) => methodKey(run.removal))).flatMap((key) => {
    const same = runs.filter((run) => methodKey(run.removal) === key);
    const first = same[0]?.removal;
    if (first === undefined) return [];
    return [{ id: first.method, title: first.title, control: first.control, runs: same }];
  });
}

/** Tells methods apart. */
export function methodKey(removal: { readonly method: string; readonly title: string }): string {
  return JSON.stringify([removal.method, removal.title]);
}

/** Every method of the document once: what is under test first, then the controls, each in document order. */
export function allMethods(
  result: Pick<Charted, "removals">,
): readonly Pick<MethodGroup, "id" | "title" | "control">[] {
  const methods = distinct(result.removals.map(methodKey)).flatMap((key) => {
    const first = result.removals.find((r) => methodKey(r) === key);
    return first === undefined ? [] : [{ id: first.method, title: first.title, control: first.control }];
  });
  return [...methods.filter((m) => !m.control), ...methods.filter((m) => m.control)];
}

/** Share of test-set accuracy that a removal cost: marked minus cleaned. Negative where it gained. */
export function accuracyDrop(run: Run): number {
  return run.marked.measured.accuracy - run.removal.measured.accuracy;
}

/** How often, among models that showed the mark before, the mark is still shown after. */
export function stillShown(group: MethodGroup): { readonly shown: number; readonly of: number } {
  const fair = group.runs.filter((run) => run.marked.verdict.owned);
  return { shown: fair.filter((run) => run.removal.verdict.owned).length, of: fair.length };
}

/** Every verdict of the document with what it is about: the marked model, an innocent one, or a cleaned one. */
export function allVerdicts(result: Result): readonly Verdict[] {
  return [...result.marked.flatMap((m) => [m.verdict, m.innocent.verdict]), ...result.removals.map((r) => r.verdict)];
}

/** One number of each measurement. */
export function pick(measured: readonly Measurement[], key: keyof Measurement): readonly number[] {
  return measured.flatMap((m) => m[key] ?? []);
}

/** Each item once, in order of first appearance. */
export function distinct<T>(items: readonly T[]): readonly T[] {
  return [...new Set(items)];
}
