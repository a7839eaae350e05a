/** @file Shares as people write them, as a number or in per cent: the one reader for flags and for files. */

/**
 * The number that is meant: 0.1 by `0.1`, "0.1", "10%" and "10 %". Whether it is in range is the caller's business.
 *
 * @returns undefined for anything else.
 */
export function readShare(given: unknown): number | undefined {
  if (typeof given === "number") return given;
  if (typeof given !== "string") return undefined;
  const [, digits, percent] = /^\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)\s*(%?)\s*$/i.exec(given) ?? [];
  if (digits === undefined) return undefined;
  return percent === "" ? Number(digits) : Number(digits) / 100;
}

/** Says how per cent are written where a share is given as 10 or "10"; else nothing. */
export function shareHint(given: unknown): string {
  const found = readShare(given);
  const isPlain = typeof given === "number" || (typeof given === "string" && !given.includes("%"));
  return isPlain && found !== undefined && found > 1 && found <= 100 ? ` (${found} per cent is written ${found}%)` : "";
}
