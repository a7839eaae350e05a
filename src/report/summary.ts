/**
 * @file What was found, in sentences computed from the verdicts.
 *
 * The owner's question comes first: does my mark survive? The sentences say so either way, with what the removal cost,
 * and say as well where nothing can be concluded.
 */

import type { Result } from "../experiments/result.js";
import { doubtful } from "./doubts.js";
import { duration, exactPercent, list, percent, plural, pointsWithUnit, shortPercent } from "./format.js";
import {
  accuracyDrop,
  allMethods,
  type MarkGroup,
  type MethodGroup,
  markGroups,
  methodKey,
  stillShown,
} from "./groups.js";
import { spread } from "./spread.js";

/**
 * What became of a mark under the methods that were tested.
 *
 * - `falls`: some method leaves it not shown in every run.
 * - `sometimes`: no method always removes it, but some run did.
 * - `survives`: every run still shows it.
 * - `untested`: no method under test was run on it.
 * - `never-shown`: the marked models themselves did not show it, so nothing was there to remove.
 * - `unsound`: a model without any mark shows it too, so showing it means nothing.
 */
export type Fate = (typeof FATES)[number];

const FATES = ["falls", "sometimes", "survives", "untested", "never-shown", "unsound"] as const;

/** The most effective attack on a mark, on average over its runs. */
export interface Attack {
  readonly title: string;
  /** Runs that still show the mark, of those that showed it before. */
  readonly shown: number;
  readonly of: number;
  readonly retention: number;
  /** Marked minus cleaned accuracy, as a share. */
  readonly drop: number;
}

export interface MarkSummary {
  readonly id: string;
  readonly title: string;
  readonly fate: Fate;
  /** Mean retention of the marked models. */
  readonly retentionBefore: number;
  /** Absent where nothing under test was run. */
  readonly strongest?: Attack;
}

/** The fate of each mark, in the order of the document. */
export function summarise(result: Result): readonly MarkSummary[] {
  return markGroups(result).map((mark) => {
    const attacks = mark.methods.filter((method) => !method.control).map(attackOf);
    const strongest = attacks.length === 0 ? undefined : attacks.reduce((a, b) => (stronger(b, a) ? b : a));
    return {
      id: mark.id,
      title: mark.title,
      fate: fateOf(mark, attacks),
      retentionBefore: spread(mark.marked.map((m) => m.measured.retention))?.mean ?? 0,
      ...(strongest === undefined ? {} : { strongest }),
    };
  });
}

function attackOf(method: MethodGroup): Attack {
  return {
    title: method.title,
    ...stillShown(method),
    retention: spread(method.runs.map((run) => run.removal.measured.retention))?.mean ?? 0,
    drop: spread(method.runs.map(accuracyDrop))?.mean ?? 0,
  };
}

/** Fewer marks left standing beats all; then, lower retention. */
function stronger(a: Attack, b: Attack): boolean {
  const [left, right] = [a.shown / Math.max(1, a.of), b.shown / Math.max(1, b.of)];
  return left < right || (left === right && a.retention < b.retention);
}

function fateOf(mark: MarkGroup, attacks: readonly Attack[]): Fate {
  if (mark.marked.some((m) => m.innocent.verdict.owned)) return "unsound";
  if (!mark.marked.some((m) => m.verdict.owned)) return "never-shown";
  const fair = attacks.filter((attack) => attack.of > 0);
  if (fair.length === 0) return "untested";
  if (fair.some((attack) => attack.shown === 0)) return "falls";
  return fair.every((attack) => attack.shown === attack.of) ? "survives" : "sometimes";
}

/** The finding in one sentence. */
export function finding(result: Result): string {
  const marks = summarise(result);
  const clauses = FATES.flatMap((fate) => {
    const same = marks.filter((mark) => mark.fate === fate);
    return same.length === 0 ? [] : [clause(fate, same)];
  });
  if (clauses.length === 0) return "The document holds no marked model.";
  const sentence = clauses.join("; ");
  return `${sentence.charAt(0).toUpperCase()}${sentence.slice(1)}.`;
}

function clause(fate: Fate, marks: readonly MarkSummary[]): string {
  const many = marks.length > 1;
  const subject = `the ${list(marks.map((mark) => mark.id))} ${many ? "marks" : "mark"}`;
  const attacks = marks.flatMap((mark) => mark.strongest ?? []);
  const by = list([...new Set(attacks.map((attack) => attack.title))]);
  const retention = attacks.map((attack) => attack.retention);
  const drop = pointsWithUnit(Math.max(...attacks.map((attack) => attack.drop)), 1);
  switch (fate) {
    case "falls":
      return (
        `${subject} ${many ? "do" : "does"} not survive ${by}: ${many ? "at most " : ""}` +
        `${shortPercent(Math.max(...retention))} retention is left, for ${many ? "at most " : ""}${drop} of accuracy`
      );
    case "sometimes":
      return (
        `${subject} ${many ? "survive" : "survives"} some runs only: the strongest attack (${by}) leaves ` +
        `${many ? "them" : "it"} shown in ${attacks.map((a) => `${a.shown} of ${a.of}`).join(" and ")} runs, for ` +
        `${many ? "at most " : ""}${drop} of accuracy`
      );
    case "survives":
      return (
        `${subject} ${many ? "survive" : "survives"} every run: the strongest attack (${by}) leaves ` +
        `${many ? "at least " : ""}${shortPercent(Math.min(...retention))} retention`
      );
    case "untested":
      return `no method under test was run against ${subject}`;
    case "never-shown":
      return `${subject} could not be shown even before removal, so nothing can be concluded about ${many ? "them" : "it"}`;
    case "unsound":
      return `${subject} ${many ? "are" : "is"} shown on unmarked models too, so nothing can be concluded about ${many ? "them" : "it"}`;
  }
}

/** A remark beside the finding; a warning puts the finding itself in doubt. */
export interface Remark {
  readonly kind: "note" | "warning";
  readonly text: string;
}

/** What a careful reader asks next: the innocent models, the controls, the number of seeds, the worth of the result. */
export function remarks(result: Result): readonly Remark[] {
  return [
    ...doubtRemarks(result),
    ...innocentRemark(result),
    ...controlRemark(result),
    ...worthRemarks(result),
    ...seedRemark(result),
  ];
}

function doubtRemarks(result: Result): readonly Remark[] {
  return doubtful(result).map((text) => ({ kind: "warning", text }));
}

function innocentRemark(result: Result): readonly Remark[] {
  const tried = result.marked.length;
  const guilty = result.marked.filter((m) => m.innocent.verdict.owned);
  if (guilty.length === 0) {
    const text =
      tried === 1
        ? "The key was also tried on a model without any mark: it was not shown there."
        : `All ${tried} keys were also tried on models without any mark: none was shown there.`;
    return [{ kind: "note", text }];
  }
  return [
    {
      kind: "warning",
      text:
        `${guilty.length} of ${plural(tried, "key")} (${list([...new Set(guilty.map((m) => m.mark))])}) ` +
        `${guilty.length === 1 ? "was" : "were"} “shown” on a model without any mark as well: verdicts for such a mark prove nothing.`,
    },
  ];
}

function controlRemark(result: Result): readonly Remark[] {
  const controls = allMethods(result).filter((method) => method.control);
  if (controls.length === 0) {
    return [{ kind: "note", text: "No control was run, so it is open what plain fine-tuning would have done." }];
  }
  const marks = markGroups(result);
  const parts = controls.map((control) => {
    const cells = marks.flatMap((mark) =>
      mark.methods
        .filter(
          (m) =>
            methodKey({ method: m.id, title: m.title }) === methodKey({ method: control.id, title: control.title }),
        )
        .map((m) => ({ mark: mark.id, ...stillShown(m) }))
        .filter((cell) => cell.of > 0),
    );
    const removed = cells.filter((cell) => cell.shown === 0).map((cell) => cell.mark);
    const partly = cells.filter((cell) => cell.shown > 0 && cell.shown < cell.of);
    const sometimes = partly.length === 0 ? "" : ` (and ${list(partly.map((cell) => cell.mark))} in some runs)`;
    if (removed.length === 0)
      return `${control.title} removed ${cells.length > 1 ? "none of the marks" : "nothing"}${sometimes}`;
    if (removed.length === cells.length && cells.length > 1) return `${control.title} removed all of them`;
    return `${control.title} removed ${list(removed)}${sometimes}`;
  });
  return [{ kind: "note", text: `The controls: ${parts.join("; ")}.` }];
}

/** A removal that ends below a model trained on the attacker's data alone has stolen nothing. */
function worthRemarks(result: Result): readonly Remark[] {
  return markGroups(result).flatMap((mark) => {
    const summary = summarise(result).find((s) => s.id === mark.id)?.strongest;
    const accuracyOf = (method: MethodGroup | undefined): number | undefined =>
      spread(method?.runs.map((run) => run.removal.measured.accuracy) ?? [])?.mean;
    const scratch = accuracyOf(mark.methods.find((m) => m.id === "scratch"));
    const cleaned = accuracyOf(mark.methods.find((m) => !m.control && m.title === summary?.title));
    if (summary === undefined || scratch === undefined || cleaned === undefined || cleaned > scratch) return [];
    return [
      {
        kind: "warning" as const,
        text:
          `Against the ${mark.id} mark, ${summary.title} ends at ${percent(cleaned)} accuracy, no better than training ` +
          `from scratch on the attacker's own data (${percent(scratch)}): the marked weights were worth nothing to the attacker.`,
      },
    ];
  });
}

function seedRemark(result: Result): readonly Remark[] {
  const n = result.seeds.length;
  if (n === 1) return [{ kind: "note", text: "One seed: how much these numbers vary from run to run is not known." }];
  return [{ kind: "note", text: `Numbers are means over ${n} seeds; bands and brackets show the lowest and highest.` }];
}

/** The answer to "does it survive?" on a card. */
export function answer(fate: Fate): string {
  switch (fate) {
    case "falls":
      return "No";
    case "sometimes":
      return "Not always";
    case "survives":
      return "Yes";
    case "untested":
      return "Not tested";
    case "never-shown":
      return "Never shown";
    case "unsound":
      return "Cannot tell";
  }
}

/** The facts that place a result at a glance: name and value. */
export function keyFacts(result: Result): readonly (readonly [string, string])[] {
  const { data, architecture, attacker, machine, seeds } = result;
  return [
    ["Data set", `${data.title}, ${plural(data.classes, "class", "classes")}`],
    ["Architecture", `${architecture.title}, ${plural(architecture.parameters, "parameter")}`],
    ["Attacker's share", `${exactPercent(attacker.fraction)}, ${plural(attacker.images, "image")}`],
    ["Seeds", seeds.length <= 6 ? seeds.join(", ") : `${seeds.length}`],
    ["Time", duration(result.seconds)],
    ["Device", `${machine.device}, ${plural(machine.threads, "thread")}`],
  ];
}
