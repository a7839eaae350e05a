/**
 * @file Whether lowerings are chosen by rule or by measurement.
 *
 * By rule is the default: two lowerings of one layer round differently, so only a choice that no clock has a say in
 * gives the same bytes again whatever else the machine was doing.
 */

import { WildmarkError } from "../../core/errors.js";

/**
 * - `off`: by the families' static rules.
 * - `cached`: as measured before on this machine, by rule where nothing was; measures nothing.
 * - `full`: the same, but what was not measured is measured now, and kept.
 */
export type Autotuning = (typeof autotunings)[number];

export const autotunings = ["off", "cached", "full"] as const;

/**
 * What is in force: what the options say, else `WILDMARK_AUTOTUNING`, else `off`.
 *
 * @throws WildmarkError `usage` where the variable holds something else.
 */
export function autotuningOf(options: { readonly autotuning?: Autotuning }): Autotuning {
  if (options.autotuning !== undefined) return options.autotuning;
  const text = process.env.WILDMARK_AUTOTUNING;
  if (text === undefined || text === "") return "off";
  const found = autotunings.find((autotuning) => autotuning === text);
  if (found === undefined) {
    throw new WildmarkError("usage", `WILDMARK_AUTOTUNING is "${text}"; expected one of ${autotunings.join(", ")}.`);
  }
  return found;
}
