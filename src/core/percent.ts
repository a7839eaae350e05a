/** @file Shares in per cent, in the few ways that they are rounded. */

/**
 * A measured share in [0, 1] as "98.6 %", rounded to the nearest; but rounding never turns "almost all" into "100 %",
 * nor "almost none" into "0 %".
 */
export function percent(share: number, digits = 1): string {
  return `${percentNumber(share, digits)} %`;
}

/** The number of `percent`, without its unit. */
export function percentNumber(share: number, digits = 1): string {
  const step = 10 ** -digits;
  const rounded = Number((share * 100).toFixed(digits));
  if (rounded >= 100 && share < 1) return (100 - step).toFixed(digits);
  if (rounded <= 0 && share > 0) return step.toFixed(digits);
  return rounded.toFixed(digits);
}

/** A share that somebody chose as it was chosen: "1 %", "0.25 %". */
export function exactPercent(share: number): string {
  return `${exactNumber(share)} %`;
}

/** The number of `exactPercent`, without its unit. */
export function exactNumber(share: number): string {
  return String(Number((share * 100).toFixed(6)));
}
