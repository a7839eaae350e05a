/**
 * @file How help is laid out: as wide as the terminal, 80 columns where there is none, and long terms on a line of
 * their own.
 *
 * The command line's library aligns every description with the longest term and gives up on wrapping where that leaves
 * little room; one long list of choices then makes every line unreadable.
 */

import type { Help, HelpConfiguration } from "commander";
import { wrapped } from "./output.js";

/** What a terminal has where nobody says how wide it is. */
const USUAL_WIDTH = 80;
/** Wider lines are hard to read, however wide the terminal is. */
const WIDEST = 120;
/** Narrower ones leave no room beside the terms. */
const NARROWEST = 50;

/** Terms up to this long stand on the line of their description. */
const WIDEST_TERM = 24;
const INDENT = 2;

/** Columns for text on stdout. */
export function outputWidth(): number {
  const { isTTY, columns } = process.stdout;
  // A terminal that does not know its width says 0.
  return isTTY && columns > 0 ? Math.max(NARROWEST, Math.min(columns, WIDEST)) : USUAL_WIDTH;
}

export const helpLayout: HelpConfiguration = {
  padWidth: (command, helper) =>
    Math.min(
      WIDEST_TERM,
      Math.max(
        helper.longestOptionTermLength(command, helper),
        helper.longestSubcommandTermLength(command, helper),
        helper.longestArgumentTermLength(command, helper),
      ),
    ),
  formatItem(term, termWidth, description, helper: Help) {
    const column = INDENT + termWidth + 2;
    const lines = wrapped(description, (helper.helpWidth ?? USUAL_WIDTH) - column).split("\n");
    const fits = term.length <= termWidth;
    const rest = fits ? lines.slice(1) : lines;
    const first = fits ? `${term.padEnd(termWidth + 2)}${lines[0] ?? ""}`.trimEnd() : term;
    return [`${" ".repeat(INDENT)}${first}`, ...rest.map((line) => `${" ".repeat(column)}${line}`)].join("\n");
  },
};

/**
 * Examples of command lines, each with what it does: such as a shell takes them, also where they are broken.
 *
 * @param examples each a command line, and what it does.
 */
export function examplesText(
  examples: readonly (readonly [line: string, meaning: string])[],
  width = outputWidth(),
): string {
  const indent = " ".repeat(INDENT);
  return examples
    .map(([line, meaning]) => {
      const note = meaning === "" ? "" : `  # ${meaning}`;
      if (INDENT + line.length + note.length <= width) return `${indent}${line}${note}`;
      const command = brokenCommand(line, width - INDENT).map((part) => `${indent}${part}`);
      const below = meaning === "" ? [] : wrapped(meaning, width - 2 * INDENT - 2).split("\n");
      return [...command, ...below.map((part) => `${indent}${indent}# ${part}`)].join("\n");
    })
    .join("\n");
}

/** A command line in lines that end with a backslash; no flag is parted from its value. */
function brokenCommand(line: string, width: number): string[] {
  const parts = line.split(/ (?=--|&& )/);
  const lines: string[] = [];
  for (const part of parts) {
    const last = lines.at(-1);
    const longer = last === undefined ? part : `${last} ${part}`;
    // Two columns are the backslash's.
    if (last === undefined || longer.length + 2 > width) lines.push(last === undefined ? part : `    ${part}`);
    else lines[lines.length - 1] = longer;
  }
  return lines.map((each, i) => (i < lines.length - 1 ? `${each} \\` : each));
}
