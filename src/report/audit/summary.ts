/**
 * @file What an audit found, in words: which attacks break the mark, at what cost, with how much data, how sure that is.
 *
 * "Removed" is a statement about tests: on the cleaned model the key's verdict is "not shown" at the document's α. What it
 * cost is said beside it, because a mark that is gone together with the model's worth has protected the model.
 */

import type { AuditResult } from "../../experiments/audit-result.js";
import { doubtful } from "../doubts.js";
import { exactPercent, list, plural, pointsWithUnit, shortPercent } from "../format.js";
import { spread } from "../spread.js";

type AuditCell = AuditResult["cells"][number];
export type Done = Extract<AuditCell, { readonly status: "done" }>;

/**
 * What an attack with a budget did.
 *
 * - `removed`: not shown in any seed, at an acceptable cost.
 * - `sometimes`: the same in some of the seeds.
 * - `costly`: not shown in some or all of the seeds, but for more accuracy than is acceptable.
 * - `pointless`: not shown, but training from scratch on the same data is more accurate: nothing was stolen.
 * - `survives`: shown in every seed.
 * - `untried`: no seed could be run.
 */
export type State = "removed" | "sometimes" | "costly" | "pointless" | "survives" | "untried";

/** One square of the matrix: all seeds of one attack with one budget. Numbers are means over seeds. */
export interface Square {
  readonly attack: number;
  readonly fraction: number;
  readonly state: State;
  readonly runs: readonly Done[];
  /** Seeds in which the mark is no longer shown, at any cost. */
  readonly gone: number;
  /** The same at an acceptable cost. */
  readonly goneCheaply: number;
  /** Of the seeds in which it is gone, those in which re-activation shows it again; absent where it was not tried. */
  readonly back?: number;
  /** Absent where nothing was run. */
  readonly found?: Found;
  /** Why runs are missing, each once. */
  readonly missing: readonly string[];
}

export interface Found {
  readonly images: number;
  readonly accuracy: number;
  /** Marked minus cleaned accuracy, a difference of shares. */
  readonly drop: number;
  readonly retention: number;
  /** From the lowest to the highest end of the seeds' Clopper-Pearson intervals. */
  readonly interval: readonly [number, number];
  /** Smallest and largest deciding p-value. */
  readonly pValues: readonly [number, number];
  /** Accuracy of the best control on the same data minus this one; absent without a control. */
  readonly behindScratch?: number;
}

export interface Line {
  readonly attack: number;
  readonly title: string;
  readonly control: boolean;
  readonly summary: string;
  readonly squares: readonly Square[];
}

export type Fate = "falls" | "sometimes" | "costly" | "survives" | "untested" | "never-shown" | "unsound";

export interface AuditSummary {
  readonly fate: Fate;
  readonly headline: string;
  readonly sureness: string;
  readonly next: readonly string[];
  readonly warnings: readonly string[];
  /** Attacks first, controls last; squares in the order of the budgets. */
  readonly lines: readonly Line[];
}

export function summariseAudit(audit: AuditResult): AuditSummary {
  const lines = linesOf(audit);
  const attacks = lines.filter((line) => !line.control);
  const fate = fateOf(audit, lines);
  return {
    fate,
    headline: headline(audit, attacks, fate),
    sureness: [sureness(audit), ...reactivated(audit, attacks)].join(" "),
    next: nextSteps(audit, fate),
    warnings: warnings(audit, lines),
    lines,
  };
}

function linesOf(audit: AuditResult): readonly Line[] {
  const lines = audit.attacks.map(({ title, control, summary }, attack) => ({
    attack,
    title,
    control,
    summary,
    squares: audit.budgets.map((fraction) => squareOf(audit, attack, fraction)),
  }));
  return [...lines.filter((line) => !line.control), ...lines.filter((line) => line.control)];
}

function squareOf(audit: AuditResult, attack: number, fraction: number): Square {
  const cells = audit.cells.filter((cell) => cell.attack === attack && cell.fraction === fraction);
  const runs = cells.flatMap((cell) => (cell.status === "done" ? [cell] : []));
  const missing = [
    ...new Set(cells.flatMap((cell) => (cell.status === "done" ? [] : [`${cell.status}: ${cell.reason}`]))),
  ];
  const found = foundOf(audit, attack, fraction, runs);
  const goneRuns = runs.filter((run) => !run.verdict.owned);
  const pointless = found?.behindScratch !== undefined && found.behindScratch > 0;
  // Differences of shares carry rounding noise: two points are two points.
  const cheap = goneRuns.filter((run) => dropOf(audit, run) <= audit.acceptableDrop + 1e-9);
  const counts = { gone: goneRuns.length, goneCheaply: pointless ? 0 : cheap.length };
  const state = stateOf(runs.length, counts, pointless);
  const followed = goneRuns.filter(({ reactivated }) => reactivated !== undefined);
  const back = followed.filter(({ reactivated }) => reactivated?.verdict.owned === true).length;
  return {
    ...{ attack, fraction, state, runs, ...counts, missing },
    ...(followed.length === 0 ? {} : { back }),
    ...(found === undefined ? {} : { found }),
  };
}

function stateOf(of: number, { gone, goneCheaply }: Pick<Square, "gone" | "goneCheaply">, pointless: boolean): State {
  if (of === 0) return "untried";
  if (gone === 0) return "survives";
  if (pointless) return "pointless";
  if (goneCheaply === of) return "removed";
  return goneCheaply > 0 ? "sometimes" : "costly";
}

function foundOf(audit: AuditResult, attack: number, fraction: number, runs: readonly Done[]): Found | undefined {
  const accuracy = spread(runs.map((run) => run.measured.accuracy));
  const retention = spread(runs.map((run) => run.measured.retention));
  const drop = spread(runs.map((run) => dropOf(audit, run)));
  const p = spread(runs.map((run) => run.verdict.pValue));
  const [first] = runs;
  if (!accuracy || !retention || !drop || !p || first === undefined) return undefined;
  const yardstick = audit.attacks[attack]?.control ? undefined : bestControl(audit, fraction);
  return {
    images: first.images,
    accuracy: accuracy.mean,
    drop: drop.mean,
    retention: retention.mean,
    interval: [
      Math.min(...runs.map((run) => run.verdict.interval[0])),
      Math.max(...runs.map((run) => run.verdict.interval[1])),
    ],
    pValues: [p.min, p.max],
    ...(yardstick === undefined ? {} : { behindScratch: yardstick - accuracy.mean }),
  };
}

/** Mean accuracy of the best control with this budget: what the attacker's data are worth without the marked weights. */
function bestControl({ attacks, cells }: AuditResult, fraction: number): number | undefined {
  const means = attacks.flatMap(({ control }, attack) => {
    const runs = cells.filter((cell) => control && cell.attack === attack && cell.fraction === fraction);
    return spread(runs.flatMap((cell) => (cell.status === "done" ? [cell.measured.accuracy] : [])))?.mean ?? [];
  });
  return means.length === 0 ? undefined : Math.max(...means);
}

/** What a run cost: the marked model's accuracy minus the cleaned one's. */
export function dropOf(audit: AuditResult, run: Done): number {
  return audit.before.measured.accuracy - run.measured.accuracy;
}

function fateOf(audit: AuditResult, lines: readonly Line[]): Fate {
  if (!audit.before.verdict.owned) return "never-shown";
  const innocents = lines
    .filter((line) => line.control)
    .flatMap((line) => line.squares.flatMap((square) => square.runs));
  if (innocents.filter((run) => run.verdict.owned).length * 2 > innocents.length) return "unsound";
  const states = new Set(
    lines.filter((line) => !line.control).flatMap((line) => line.squares.map((square) => square.state)),
  );
  if (states.has("removed")) return "falls";
  if (states.has("sometimes")) return "sometimes";
  if (states.has("costly") || states.has("pointless")) return "costly";
  return states.has("survives") ? "survives" : "untested";
}

function headline(audit: AuditResult, attacks: readonly Line[], fate: Fate): string {
  const tried = attacks.filter((line) => line.squares.some((square) => square.runs.length > 0));
  const most = `up to ${budgetWords(
    tried
      .flatMap((line) => line.squares)
      .filter((s) => s.runs.length > 0)
      .at(-1),
  )}`;
  const limit = pointsWithUnit(audit.acceptableDrop, 0);
  switch (fate) {
    case "never-shown":
      return "The mark is not shown even before any attack, so nothing can be said of what removes it.";
    case "unsound":
      return "The key is “shown” on models that never saw the mark, so nothing can be said of what removes it.";
    case "untested":
      return "No attack could be run, so it is open whether your mark survives.";
    case "survives":
      return `Your mark survived every attack tried (${plural(tried.length, "attack")}), ${most}.`;
    case "falls": {
      const fallen = breaking(tried, "removed");
      return `Your mark falls to ${fallen.length} of ${plural(tried.length, "attack")}: ${told(fallen, "removes it")}.${others(tried, fallen)}`;
    }
    case "sometimes": {
      const fallen = breaking(tried, "sometimes");
      return `Your mark falls to ${fallen.length} of ${plural(tried.length, "attack")} in some of the seeds: ${told(fallen, "removes it")}.`;
    }
    case "costly": {
      const dear = breaking(tried, "costly", "pointless");
      return (
        `Your mark survived every attack that is worth its price (at most ${limit} of accuracy, better than training from scratch), ` +
        `${most}. At a higher price, ${dear.length} of ${plural(tried.length, "attack")} ${dear.length === 1 ? "removes" : "remove"} it: ${told(dear, "removes it")}.`
      );
    }
  }
}

/** The attacks that remove the mark too, but only for more than is acceptable. */
function others(tried: readonly Line[], fallen: readonly (readonly [Line, Square])[]): string {
  const named = new Set(fallen.map(([line]) => line.attack));
  const dear = breaking(tried, "costly", "pointless").filter(([line]) => !named.has(line.attack));
  if (dear.length === 0) return "";
  return ` ${list(dear.map(([line]) => line.title))} ${dear.length === 1 ? "removes" : "remove"} it only at a higher price.`;
}

/** Of each attack that reaches one of the states, the square with the least data; least data and least cost first. */
function breaking(lines: readonly Line[], ...states: readonly State[]): readonly (readonly [Line, Square])[] {
  return lines
    .flatMap((line): (readonly [Line, Square])[] => {
      const square = line.squares.find(({ state }) => states.includes(state));
      return square === undefined ? [] : [[line, square]];
    })
    .sort(([, a], [, b]) => a.fraction - b.fraction || (a.found?.drop ?? 0) - (b.found?.drop ?? 0));
}

/** The first attack in full, two more in short, the rest as a number. */
function told(broken: readonly (readonly [Line, Square])[], does: string): string {
  const [first, ...others] = broken.map(([line, square]) => ({ line, square }));
  if (first === undefined) return "none";
  const seeds = ({ gone, goneCheaply, runs }: Square): string =>
    goneCheaply === runs.length || gone === runs.length
      ? ""
      : ` in ${goneCheaply || gone} of ${plural(runs.length, "seed")}`;
  const opening = `${first.line.title} with ${budgetWords(first.square)} ${does}${seeds(first.square)} ${cost(first.square)}`;
  const more = others.slice(0, 2).map(({ line, square }) => {
    const budget = square.fraction === first.square.fraction ? "the same data" : exactPercent(square.fraction);
    return `${line.title} with ${budget}${seeds(square)} ${cost(square)}`;
  });
  const rest = others.length > 2 ? [`${others.length - 2} more`] : [];
  return [opening, ...(more.length === 0 ? [] : [list([...more, ...rest])])].join("; ");
}

function budgetWords(square: Square | undefined): string {
  if (square === undefined) return "no data";
  const images = square.found === undefined ? "" : ` (${plural(square.found.images, "image")})`;
  return `${exactPercent(square.fraction)} of the training data${images}`;
}

function cost({ found }: Square): string {
  if (found === undefined) return "";
  return found.drop < 0.0005 ? "at no cost in accuracy" : `at ${pointsWithUnit(found.drop, 1)} of accuracy`;
}

/** How far the findings carry. */
function sureness({ alpha, before, seeds }: AuditResult): string {
  const level =
    `“Removed” means that on the cleaned model the key's verdict is “not shown” at α = ${alpha} (${plural(before.verdict.n, "trigger")}, ` +
    `the most conservative test that applies).`;
  return seeds.length === 1
    ? `${level} One seed: how much this varies from run to run is not known.`
    : `${level} Each attack was run with ${seeds.length} seeds, which draw other data and other noise; a square counts as removed only if all of them agree.`;
}

/** Whether removals last: what a little tuning brings back was hidden, not gone. */
function reactivated({ reactivation }: AuditResult, attacks: readonly Line[]): readonly string[] {
  const tried = attacks.flatMap(({ squares }) => squares.filter(({ back }) => back !== undefined));
  if (reactivation === null || tried.length === 0) return [];
  const runs = tried.reduce((sum, { gone }) => sum + gone, 0);
  const back = tried.reduce((sum, square) => sum + (square.back ?? 0), 0);
  const { steps, batch } = reactivation;
  const what = `${plural(steps, "step")} of tuning on clean training images (${batch} a step)`;
  return back === 0
    ? [`${what} brought the mark back in none of ${plural(runs, "model")} that had lost it.`]
    : [
        `${what} brought the mark back in ${back} of ${plural(runs, "model")} that had lost it: there it was hidden, not gone.`,
      ];
}

/** No audit knows whether it was done: a commitment says nothing to whoever does not hold it. */
const COMMIT =
  "If you have not yet, publish what wildmark key commit prints for this key where the date can be proved, so that nobody can say later that the key was made to fit.";

function nextSteps({ seeds, budgets, cells, key }: AuditResult, fate: Fate): readonly string[] {
  const again = cells.some((cell) => cell.status === "failed" && cell.mayPass)
    ? ["Some cells failed: the same command tries only those again."]
    : [];
  const seedsStep = seeds.length < 3 ? ["Repeat with --seeds 5 before relying on it: finished cells are kept."] : [];
  const most = Math.max(...budgets);
  switch (fate) {
    case "falls":
    case "sometimes":
      return [
        "Do not rely on this mark alone: someone with this much data can take it off and keep the model's worth. It still tells copies that nobody has tuned.",
        `Embed another kind of mark (wildmark embed --scheme …; this one is “${key.scheme}”), or more triggers, and audit that in the same way.`,
        COMMIT,
        ...seedsStep,
        ...again,
      ];
    case "costly":
    case "survives":
      return [
        `Survival holds for these attacks and budgets only${most < 1 ? `: try more data (--budgets ${Math.min(1, most * 2)}) and longer attacks (--epochs)` : ": try longer attacks (--epochs)"}.`,
        COMMIT,
        ...seedsStep,
        ...again,
      ];
    case "never-shown":
      return ["Check that model and key belong together; else embed the mark longer, or with more triggers."];
    case "unsound":
      return ["Make a key whose labels are drawn at random, or with more triggers and placebos, and audit again."];
    case "untested":
      return ["Give the attacks more data (--budgets), or see below why none could be run.", ...again];
  }
}

function warnings(audit: AuditResult, lines: readonly Line[]): readonly string[] {
  const controls = lines.filter((line) => line.control);
  const innocents = controls.flatMap((line) => line.squares.flatMap((square) => square.runs));
  const guilty = innocents.filter((run) => run.verdict.owned).length;
  const failed = audit.cells.filter((cell) => cell.status === "failed").length;
  const lasting = audit.cells.filter((cell) => cell.status === "failed" && !cell.mayPass).length;
  const skipped = audit.cells.filter((cell) => cell.status === "skipped").length;
  return [
    ...doubtful(audit),
    ...(guilty === 0
      ? []
      : [
          `The key is “shown” on ${guilty} of ${plural(innocents.length, "model")} trained from scratch, which never saw the mark.`,
        ]),
    ...(controls.length > 0
      ? []
      : ["No control was run, so it is open what the marked weights are worth to the attacker."]),
    ...(audit.key.madeForThisModel
      ? []
      : ["The key was made for another file than this one (it may have been trained on or re-saved since)."]),
    ...astray(audit, lines),
    ...(failed === 0 ? [] : [`${plural(failed, "cell")} of ${audit.cells.length} failed.`]),
    ...(lasting === 0
      ? []
      : [`${plural(lasting, "cell")} would fail again with the same seed: change the method's options.`]),
    ...(skipped === 0 ? [] : [`${plural(skipped, "cell")} of ${audit.cells.length} could not be tried.`]),
  ];
}

/** Attacks that left nothing of the model: what else they removed says little of the mark. */
function astray({ before }: AuditResult, lines: readonly Line[]): readonly string[] {
  if (before.atChance === true) {
    return [
      `The marked model only guesses before any attack (${shortPercent(before.measured.accuracy)} of the test images): accuracies say nothing here. Perhaps it expects other images (wildmark info MODEL --dataset D tries what is usual), or other data.`,
    ];
  }
  const lost = lines.flatMap(({ title, squares }) =>
    squares
      .filter(({ runs }) => runs.some((run) => run.atChance))
      .map(({ fraction }) => `${title} with ${exactPercent(fraction)}`),
  );
  if (lost.length === 0) return [];
  return [
    `After ${list(lost)} the model only guesses: the training went astray, so that says little of the mark. Try a smaller rate (wildmark remove --learning-rate).`,
  ];
}

/** A square's verdict in a word or two. */
export function stateWords({ state, gone, goneCheaply, runs }: Square): string {
  const of = runs.length > 1 ? ` ${state === "sometimes" ? goneCheaply : gone} of ${runs.length}` : "";
  switch (state) {
    case "removed":
      return `removed${of}`;
    case "sometimes":
      return `removed in${of}`;
    case "costly":
      return `removed${of}, too dear`;
    case "pointless":
      return `removed${of}, no gain`;
    case "survives":
      return "survives";
    case "untried":
      return "not tried";
  }
}
