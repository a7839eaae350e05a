/**
 * @file Whether lowerings are chosen by rule or by measurement.
 *
 * By rule is the default: two lowerings of one layer round differently, so only a choice that no clock has a say in gives
 * the same bytes again whatever else the machine was doing.
 */

import { WildmarkError } from "../../core/errors.js";

/**
 * - `off`: by the families' static rules.
 * - `cached`: as measured before on this machine, by rule where nothing was; measures nothing.
 * - `full`: the same, but what was not measured is measured now, and kept.
 */
export type Tuning = (typeof tunings)[number];

export const tunings = ["off", "cached", "full"] as const;

/**
 * What is in force: what the options say, else `WILDMARK_TUNING`, else `off`.
 *
 * @throws WildmarkError `usage` where the variable holds something else.
 */
export function tuningOf(options: { readonly tuning?: Tuning }): Tuning {
  if (options.tuning !== undefined) return options.tuning;
  const text = process.env.WILDMARK_TUNING;
  if (text === undefined || text === "") return "off";
  const found = tunings.find((tuning) => tuning === text);
  if (found === undefined) {
    throw new WildmarkError("usage", `WILDMARK_TUNING is "${text}"; expected one of ${tunings.join(", ")}.`);
  }
  return found;
}
