/** @file Checks options against a schema and says what is wrong with each of them. */

import type { z } from "zod";
import { WildmarkError } from "./errors.js";

/**
 * Options with defaults filled in.
 *
 * @param of what the options belong to, for the message: "wild", "bench.yaml"
 * @throws WildmarkError `usage` naming every option that is unknown or out of range.
 */
export function chooseOptions<T>(schema: z.ZodType<T>, given: Readonly<Record<string, unknown>>, of: string): T {
  const parsed = schema.safeParse(given);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map((issue) =>
    issue.path.length === 0 ? issue.message : `${issue.path.join(".")}: ${issue.message}`,
  );
  throw new WildmarkError("usage", `Options of ${of}: ${issues.join("; ")}.`);
}

/** zod's message in plain words: 'Too big: expected number to be <=1' becomes "expected at most 1". */
export function inWords(message: string): string {
  return message
    .replace(/^(Too (big|small)|Invalid (input|option|string)): /, "")
    .replace("expected int, received number", "expected a whole number")
    .replace(/(number|int) to be <=/, "at most ")
    .replace(/(number|int) to be >=/, "at least ")
    .replace(/(number|int) to be </, "less than ")
    .replace(/(number|int) to be >/, "more than ")
    .replace(
      /expected one of (.*)$/,
      (_, choices: string) => `expected one of ${choices.replaceAll('"', "").replaceAll("|", ", ")}`,
    );
}
