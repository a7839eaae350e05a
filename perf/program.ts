/** @file How the programs of this folder end: what went wrong stands on stderr, with a hint or the stack. */

import { exitStatus, WildmarkError } from "../src/core/errors.js";

/** Runs the program with the words that it was given. */
export async function runProgram(main: (words: readonly string[]) => Promise<void>): Promise<void> {
  try {
    await main(process.argv.slice(2));
  } catch (error) {
    const hint = error instanceof WildmarkError && error.hint !== undefined ? `\n  ${error.hint}` : "";
    // What nobody foresaw is a fault, and says where.
    const text = error instanceof WildmarkError ? error.message : error instanceof Error ? error.stack : String(error);
    process.stderr.write(`${text}${hint}\n`);
    process.exitCode = exitStatus(error);
  }
}

/** A line on stdout. */
export function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
