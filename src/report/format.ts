/**
 * @file Numbers as the report writes them: shares in percent, differences in points, p-values with a floor.
 *
 * Independent of locale, so that the same document gives the same bytes everywhere.
 */

import { exactNumber, percentNumber } from "../core/percent.js";

/** Between a number and its unit: a space that does not break and is narrow. */
const THIN = "\u202f";
const MINUS = "\u2212";

/** Below this a p-value says no more than "never": binary64 rounding and the test's assumptions matter more. */
const P_FLOOR_EXPONENT = -12;

/**
 * A measured share in [0, 1] as "98.6 %", rounded to the nearest; but rounding never turns "almost all" into "100 %",
 * nor "almost none" into "0 %".
 */
export function percent(share: number, digits = 1): string {
  return `${percentNumber(share, digits)}${THIN}%`;
}

/** The same with decimals only where there are any: "17 %", "16.7 %". */
export function shortPercent(share: number): string {
  return percent(share, Number.isInteger(Math.round(share * 1e9) / 1e7) ? 0 : 1);
}

/**
 * A measured share to the nearest whole percent, 0 and 100 included: for pictures, whose numbers tables have in full.
 */
export function wholePercent(share: number): string {
  return `${wholeNumber(share)}${THIN}%`;
}

/** The number of `wholePercent`, without its unit. */
export function wholeNumber(share: number): string {
  return (share * 100).toFixed(0);
}

/**
 * A share that somebody chose, a budget or a level, as it was chosen, to a millionth of a percent: "10 %", "0.25 %".
 */
export function exactPercent(share: number): string {
  return `${exactNumber(share)}${THIN}%`;
}

/** A difference of two shares in percentage points: "0.68", "−0.10". */
export function points(difference: number, digits = 2): string {
  const text = Math.abs(difference * 100).toFixed(digits);
  return difference < 0 && Number(text) !== 0 ? `${MINUS}${text}` : text;
}

/** A difference of two shares with its unit: "0.68 points". */
export function pointsWithUnit(difference: number, digits = 2): string {
  const text = points(difference, digits);
  return `${text} ${Math.abs(Number(text.replace(MINUS, "-"))) === 1 ? "point" : "points"}`;
}

/** A p-value with its relation: "= 0.031", "= 3.2 × 10⁻⁵", "< 10⁻¹²". */
export function pValueRelation(p: number): string {
  if (p < 10 ** P_FLOOR_EXPONENT) return `< 10${superscript(P_FLOOR_EXPONENT)}`;
  return `= ${pValueNumber(p)}`;
}

/** A p-value as a table cell shows it: "0.031", "3.2 × 10⁻⁵", "< 10⁻¹²". */
export function pValue(p: number): string {
  return p < 10 ** P_FLOOR_EXPONENT ? pValueRelation(p) : pValueNumber(p);
}

function pValueNumber(p: number): string {
  if (p >= 0.9995) return p === 1 ? "1" : "> 0.999";
  if (p >= 0.001) return p.toFixed(3);
  const [mantissa = "", exponent = ""] = p.toExponential(1).split("e");
  return `${mantissa} × 10${superscript(Number(exponent))}`;
}

/** A p-value as it was computed, for whoever checks it: "0.031", "3.2 × 10⁻²⁹"; never a bare zero. */
export function exactPValue(p: number): string {
  return p < 1e-300 ? `< 10${superscript(-300)}` : pValueNumber(p);
}

/** The same with its relation: "= 0.031", "< 10⁻³⁰⁰". */
export function exactPValueRelation(p: number): string {
  const text = exactPValue(p);
  return /^[<>]/.test(text) ? text : `= ${text}`;
}

/**
 * Plain text with powers as they are printed: "p = 3.2e-16" becomes "p = 3.2 × 10⁻¹⁶", "2^64" becomes "2⁶⁴". Within a
 * number, and between p and its number, no line breaks.
 */
export function typeset(text: string): string {
  return text
    .replace(/\b(\d+(?:\.\d+)?)e(-\d+)\b/g, (_, mantissa: string, power: string) =>
      mantissa === "1" ? `10${superscript(Number(power))}` : `${mantissa} × 10${superscript(Number(power))}`,
    )
    .replace(/\b(\d+)\^(\d+)\b/g, (_, base: string, power: string) => `${base}${superscript(Number(power))}`)
    .replace(/ × (?=10)/g, "\u00a0×\u00a0")
    .replace(/\bp ([=<]) (?=\d)/g, "p\u00a0$1\u00a0");
}

function superscript(integer: number): string {
  const digits = "⁰¹²³⁴⁵⁶⁷⁸⁹";
  return [...String(integer)].map((c) => (c === "-" ? "⁻" : digits[Number(c)])).join("");
}

/** A whole number with thin spaces between thousands: "60 000". */
export function count(n: number): string {
  return String(n).replace(/\B(?=(\d{3})+$)/g, THIN);
}

/** Seconds as "8.4 s", "3 min 20 s", "1 h 04 min". */
export function duration(seconds: number): string {
  if (seconds < 59.95) return `${seconds.toFixed(1)}${THIN}s`;
  const whole = Math.round(seconds);
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes}${THIN}min ${String(whole % 60).padStart(2, "0")}${THIN}s`;
  const allMinutes = Math.round(whole / 60);
  return `${Math.floor(allMinutes / 60)}${THIN}h ${String(allMinutes % 60).padStart(2, "0")}${THIN}min`;
}

/** An ISO date-time to the minute, as written (its zone is kept): "2026-01-31 12:05 UTC". */
export function minute(iso: string): string {
  const zone = iso.endsWith("Z") ? " UTC" : "";
  return `${iso.slice(0, 10)} ${iso.slice(11, 16)}${zone}`;
}

/** "a", "a and b", "a, b and c". */
export function list(items: readonly string[]): string {
  if (items.length <= 1) return items.join("");
  return `${items.slice(0, -1).join(", ")} and ${items.at(-1)}`;
}

/** "1 run", "3 runs". */
export function plural(n: number, singular: string, pluralForm = `${singular}s`): string {
  return `${count(n)} ${n === 1 ? singular : pluralForm}`;
}

/** Cuts a text to a number of characters for places that cannot wrap (figure labels). */
export function shorten(text: string, limit: number): string {
  const characters = [...text];
  return characters.length <= limit
    ? text
    : `${characters
        .slice(0, limit - 1)
        .join("")
        .trimEnd()}…`;
}
