/**
 * @file Progress on stderr: a bar that is rewritten in place on a terminal, a line every few seconds elsewhere.
 *
 * `update` is called for every step, so it draws seldom and returns at once in between.
 */

import type { Progress } from "../core/progress.js";

/** A progress that leaves the terminal tidy. */
export interface TerminalProgress extends Progress {
  /** Takes the bar away. */
  end(): void;
}

/** What is written to: stderr, or a test's stand-in. */
export interface ProgressOutput {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  write(text: string): unknown;
}

export interface ProgressOptions {
  readonly output: ProgressOutput;
  readonly unit?: "steps" | "bytes" | undefined;
  /** Milliseconds that only grow. */
  readonly now?: () => number;
}

/** One piece of work, from its first update on, by whatever names its parts go. */
interface Work {
  readonly total: number;
  readonly start: number;
  readonly doneAtStart: number;
  /** So far. */
  readonly done: number;
}

const REDRAW_MS = 100;
const LINE_MS = 5000;
const ERASE_LINE = "\r\u001b[K";

/** Bars on a terminal, plain lines elsewhere. */
export function terminalProgress(options: ProgressOptions): TerminalProgress {
  const { output, unit = "steps", now = () => performance.now() } = options;
  const onTerminal = output.isTTY === true;
  let work: Work | undefined;
  let drawnAt = Number.NEGATIVE_INFINITY;
  let shown = false;

  const clear = (): void => {
    if (shown) output.write(ERASE_LINE);
    shown = false;
  };

  const update: Progress["update"] = (what, done, total) => {
    const time = now();
    const goesOn = work !== undefined && work.total === total && work.done <= done;
    work = work !== undefined && goesOn ? { ...work, done } : { total, start: time, doneAtStart: done, done };
    if (time - drawnAt < (onTerminal ? REDRAW_MS : LINE_MS)) return;
    drawnAt = time;
    const state = { ...paceOf(work, done, total, time), what, done, total, unit };
    if (onTerminal) {
      output.write(`${ERASE_LINE}${barLine(state, output.columns ?? 80)}`);
      shown = true;
    } else {
      output.write(`${plainLine(state)}\n`);
    }
  };

  return {
    update,
    prepare: update,
    note(line) {
      clear();
      output.write(`${line}\n`);
      // What follows is drawn anew at once, below the note; plain lines keep their rhythm.
      if (onTerminal) drawnAt = Number.NEGATIVE_INFINITY;
    },
    end: clear,
  };
}

interface Pace {
  /** Units a second; undefined until there is something to divide by. */
  readonly rate: number | undefined;
  readonly secondsLeft: number | undefined;
}

interface State extends Pace {
  readonly what: string;
  readonly done: number;
  readonly total: number;
  readonly unit: "steps" | "bytes";
}

function paceOf({ start, doneAtStart }: Work, done: number, total: number, time: number): Pace {
  const seconds = (time - start) / 1000;
  if (seconds <= 0 || done <= doneAtStart) return { rate: undefined, secondsLeft: undefined };
  const rate = (done - doneAtStart) / seconds;
  return { rate, secondsLeft: Math.max(0, total - done) / rate };
}

/** "remove with WILD-JS  ━━━━━━──────   42 %  118 steps/s  0:23 left", cut to the terminal's width. */
function barLine(state: State, columns: number): string {
  const tail = [percentOf(state).padStart(5), ...paceWords(state)].join("  ");
  const room = columns - 1 - tail.length - 2;
  const width = Math.max(0, Math.min(24, room - state.what.length - 2));
  const filled = Math.round(width * shareOf(state));
  const bar = width < 6 ? "" : `${"━".repeat(filled)}${"─".repeat(width - filled)}  `;
  const what = shortened(state.what, room - bar.length);
  return `${what}  ${bar}${tail}`.slice(0, columns - 1);
}

/** "remove with WILD-JS: 42 % (590 of 1400 steps, 118 steps/s, 0:23 left)" */
function plainLine(state: State): string {
  const { what, done, total, unit } = state;
  const amount = unit === "bytes" ? `${megabytes(done)} of ${megabytes(total)} MB` : `${done} of ${total} steps`;
  return `${what}: ${percentOf(state)} (${[amount, ...paceWords(state)].join(", ")})`;
}

function paceWords({ rate, secondsLeft, unit }: State): string[] {
  if (rate === undefined || secondsLeft === undefined) return [];
  const pace = unit === "bytes" ? `${megabytes(rate)} MB/s` : `${rate.toPrecision(3)} steps/s`;
  return [rate >= 1000 && unit === "steps" ? `${Math.round(rate)} steps/s` : pace, `${clock(secondsLeft)} left`];
}

function shareOf({ done, total }: State): number {
  return total <= 0 ? 1 : Math.min(1, done / total);
}

function percentOf(state: State): string {
  return `${Math.floor(100 * shareOf(state))} %`;
}

/** "0:07", "12:40", "1:02:05" */
export function clock(seconds: number): string {
  const whole = Math.ceil(seconds);
  const two = (n: number): string => String(n).padStart(2, "0");
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes}:${two(whole % 60)}`;
  return `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(whole % 60)}`;
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}

function shortened(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1))}…`;
}
