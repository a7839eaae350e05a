/** @file How often the suspect matched the key, on one axis with everything that it is held against. */

import { percent } from "../format.js";
import type { Figure } from "./frame.js";
import { type DotRow, dotRows } from "./rows.js";

interface Matches {
  readonly matches: number;
  readonly n: number;
}

/** What was counted, as a verdict's document holds it. */
export interface Counted {
  readonly verdict: Matches & { readonly interval: readonly [number, number] };
  readonly heldOut?: Matches | undefined;
  readonly compared: {
    readonly placebos?: Matches | undefined;
    readonly strangers?: { readonly keys: readonly Matches[] } | undefined;
    /** Of as many triggers as the verdict's. */
    readonly nullModels?: readonly Pick<Matches, "matches">[] | undefined;
    /** The share that is matched by luck. */
    readonly luck?: number | undefined;
  };
}

/** Undefined where the suspect's matches are held against nothing that was asked. */
export function matchesFigure({ verdict, compared, heldOut }: Counted): Figure | undefined {
  const { placebos, nullModels, strangers, luck } = compared;
  if (placebos === undefined && nullModels === undefined && strangers === undefined) return undefined;
  const others = (name: string, counts: readonly Matches[] | undefined): readonly DotRow[] =>
    counts === undefined ? [] : [{ name, ink: "series-0", dots: counts.map(share) }];
  const rows: readonly DotRow[] = [
    { name: "this key, suspect", ink: "series-1", dots: [share(verdict)], interval: verdict.interval, isMain: true },
    ...others("held-out triggers, suspect", heldOut && [heldOut]),
    ...others("placebos, suspect", placebos && [placebos]),
    ...others(`${strangers?.keys.length} strangers' keys, suspect`, strangers?.keys),
    ...others(
      `this key, ${nullModels?.length} null models`,
      nullModels?.map(({ matches }) => ({ matches, n: verdict.n })),
    ),
  ];
  const byLuck = luck === undefined ? "" : `; by luck ${percent(luck)}`;
  return dotRows({
    width: 480,
    rowHeight: 30,
    rows,
    axis: "answered with the key's label, %",
    name: "Share of images answered with the key's label",
    description: `${rows.map(described).join("; ")}${byLuck}.`,
    ...(luck === undefined ? {} : { line: { share: luck, label: "luck" } }),
  });
}

const share = ({ matches, n }: Matches): number => matches / n;

function described({ name, dots }: DotRow): string {
  const [low, high] = [Math.min(...dots), Math.max(...dots)];
  return `${name} ${percent(low)}${low === high ? "" : ` to ${percent(high)}`}`;
}
