/**
 * @file Colours of figures, and how a method gets its own.
 *
 * Hues follow Okabe & Ito ("Color Universal Design", 2008), darkened where they would be faint as text on white; each has
 * a twin for dark pages. No figure relies on colour alone: lines carry their names, dots their shapes.
 */

import { allMethods, type Charted, methodKey } from "../groups.js";

/**
 * Where a figure will stand: in the report's page (colours are CSS variables, so they follow light and dark) or in a
 * file of its own (plain colours on white, which every SVG reader understands).
 */
export type Setting = "page" | "file";

interface Hue {
  readonly light: string;
  readonly dark: string;
}

const SERIES: readonly Hue[] = [
  { light: "#0072b2", dark: "#5bb8f0" },
  { light: "#d04a00", dark: "#ff8f52" },
  { light: "#00805c", dark: "#3fd0a4" },
  { light: "#a8488a", dark: "#e99aca" },
  { light: "#85690a", dark: "#dfbe50" },
  { light: "#4a4f57", dark: "#b9bec7" },
  { light: "#5b5bd6", dark: "#a5a5ff" },
  { light: "#a3262a", dark: "#ff8d8d" },
];

const NEUTRAL = {
  ink: { light: "#1c1b19", dark: "#ebe8e1" },
  faint: { light: "#6a665e", dark: "#a39e94" },
  grid: { light: "#e4e1da", dark: "#35342f" },
  page: { light: "#ffffff", dark: "#171714" },
} as const satisfies Readonly<Record<string, Hue>>;

/** A colour by name: of the page, or the n-th of the series. */
export type ColourName = keyof typeof NEUTRAL | `series-${number}`;

/** The colour to write into a figure. */
export function colour(name: ColourName, setting: Setting): string {
  return setting === "page" ? `var(--${name})` : hue(name).light;
}

function hue(name: ColourName): Hue {
  const [neutral] = Object.entries(NEUTRAL).filter(([key]) => key === name);
  if (neutral !== undefined) return neutral[1];
  return SERIES[Number(name.slice("series-".length)) % SERIES.length] ?? NEUTRAL.ink;
}

/** The CSS variables behind `colour(…, "page")`, for one scheme. */
export function colourVariables(scheme: keyof Hue): string {
  const names: readonly ColourName[] = [
    "ink",
    "faint",
    "grid",
    "page",
    ...SERIES.map((_, i): ColourName => `series-${i}`),
  ];
  return names.map((name) => `--${name}: ${hue(name)[scheme]};`).join(" ");
}

/** Shapes of dots, filled for methods under test. */
export const SYMBOLS = ["circle", "square", "triangle", "diamond", "star", "wye", "cross"] as const;

/** How one method looks in every figure. */
export interface Look {
  readonly colour: ColourName;
  readonly symbol: (typeof SYMBOLS)[number];
}

/** The n-th look; colours and shapes repeat at different lengths. */
export function lookAt(i: number): Look {
  return { colour: `series-${i % SERIES.length}`, symbol: SYMBOLS[i % SYMBOLS.length] ?? "circle" };
}

/** Looks by `methodKey`: what is under test takes the first colours, the controls the next. */
export function looks(result: Pick<Charted, "removals">): ReadonlyMap<string, Look> {
  return new Map(
    allMethods(result).map((method, i) => [methodKey({ method: method.id, title: method.title }), lookAt(i)]),
  );
}
