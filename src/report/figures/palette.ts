/**
 * @file Colours of figures, and how a remover gets its own.
 *
 * Hues follow Okabe & Ito ("Color Universal Design", 2008), darkened where they would be faint as text on white; each
 * has a twin for dark pages. No figure relies on colour alone: lines carry their names, dots their shapes.
 */

import { mean } from "../../core/summary.js";
import type { PriceRow, Subject } from "./records.js";

const SERIES = [
  { light: "#0072b2", dark: "#5bb8f0" },
  { light: "#d04a00", dark: "#ff8f52" },
  { light: "#00805c", dark: "#3fd0a4" },
  { light: "#a8488a", dark: "#e99aca" },
  { light: "#85690a", dark: "#dfbe50" },
  { light: "#4a4f57", dark: "#b9bec7" },
  { light: "#5b5bd6", dark: "#a5a5ff" },
  { light: "#a3262a", dark: "#ff8d8d" },
] as const;

const NEUTRAL = {
  ink: { light: "#1c1b19", dark: "#ebe8e1" },
  faint: { light: "#6a665e", dark: "#a39e94" },
  rest: { light: "#b3aea3", dark: "#69655b" },
  grid: { light: "#e4e1da", dark: "#35342f" },
  page: { light: "#ffffff", dark: "#171714" },
} as const;

/** A colour by name: of the page, or the n-th of the series. */
export type ColourName = keyof typeof NEUTRAL | `series-${number}`;

/** The colour to write into a figure: a CSS variable of the page, so that it follows light and dark. */
export function colour(name: ColourName): string {
  return `var(--${name})`;
}

/** Every colour by the name of its CSS variable, for one scheme. */
export function colours(scheme: "light" | "dark"): readonly (readonly [name: string, colour: string])[] {
  const series = SERIES.map((hue, i) => [`series-${i}`, hue[scheme]] as const);
  return [...Object.entries(NEUTRAL).map(([name, hue]) => [name, hue[scheme]] as const), ...series];
}

/** The CSS variables behind `colour`, for one scheme. */
export function colourVariables(scheme: "light" | "dark"): string {
  return colours(scheme)
    .map(([name, value]) => `--${name}: ${value};`)
    .join(" ");
}

/** Shapes of dots, filled for what is no baseline. */
const SYMBOLS = ["circle", "square", "triangle", "diamond", "star", "wye", "cross"] as const;

/** How one remover looks in every figure. */
export interface Look {
  readonly colour: ColourName;
  readonly symbol: (typeof SYMBOLS)[number];
  /** Whether it stands out and carries its name; what does not is grey, and its name shows under the pointer. */
  readonly named: boolean;
}

/** As many as can be told apart by colour; of more, so many stand out. */
const MOST_NAMED = SERIES.length;
const BEST = 5;
const REST: Look = { colour: "rest", symbol: "circle", named: false };

/** How each remover of a document looks, by name. */
export type Looks = ReadonlyMap<string, Look>;

/**
 * What is no baseline takes the first colours. Of more removers than there are colours, the best five take them and the
 * rest is grey.
 *
 * @param removers each once or more often, with whether it is a baseline.
 * @param best names, best first; absent: the order of `removers`.
 */
export function looksOf(
  removers: readonly Pick<Subject, "remover" | "baseline">[],
  best: readonly string[] = removers.map(({ remover }) => remover),
): Looks {
  const names = [
    ...new Set([...removers.filter(({ baseline }) => !baseline), ...removers].map(({ remover }) => remover)),
  ];
  const named = names.length <= MOST_NAMED ? names : [...new Set(best)].slice(0, BEST);
  return new Map(names.map((name) => [name, named.includes(name) ? nthLook(named.indexOf(name)) : REST]));
}

/** The look of a remover; grey for one that is not listed, so that nothing goes undrawn. */
export function lookOf(looks: Looks, remover: string): Look {
  return looks.get(remover) ?? REST;
}

/** Names of removers, those first that leave least on average. */
export function leavingLeast(rows: readonly PriceRow[]): readonly string[] {
  const names = [...new Set(rows.map(({ remover }) => remover))];
  const left = (name: string): number =>
    mean(rows.filter(({ remover }) => remover === name).map(({ retention }) => retention));
  return names
    .map((name) => ({ name, left: left(name) }))
    .sort((a, b) => a.left - b.left)
    .map(({ name }) => name);
}

/** What a caption says where not all removers stand out, with which of them do; empty where all do. */
export function standOutNote(removers: number, which: string): string {
  if (removers <= MOST_NAMED) return "";
  return ` In colour: the ${BEST} ${which}; the others are grey, and the pointer names them.`;
}

function nthLook(i: number): Look {
  return { colour: `series-${i % SERIES.length}`, symbol: SYMBOLS[i % SYMBOLS.length] ?? "circle", named: true };
}
