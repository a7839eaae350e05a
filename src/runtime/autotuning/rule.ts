/** @file Which lowering the measured times speak for. A pure function, so that the same times give the same choice. */

import { z } from "zod";
import { median } from "../../core/summary.js";

/** What came out for one lowering, or why it is out of the question. */
export const measuredSchema = z.union([
  z.strictObject({
    lowering: z.string(),
    /**
     * Milliseconds of the shortest run in each turn. A turn of one lowering stands beside the same turn of the others.
     */
    turns: z.array(z.number().positive()).min(1),
  }),
  z.strictObject({ lowering: z.string(), refused: z.string() }),
]);

export type Measured = z.infer<typeof measuredSchema>;

/** Another lowering has to take less than this share of the static choice's time. */
export const CLEARLY_FASTER = 0.95;

/** And has to be faster in this share of the turns. */
export const MOST_TURNS = 0.8;

/**
 * The static choice, unless another is clearly faster: by the least time, by the median over turns, and in nearly every
 * turn. Of several such, the one of the least time.
 *
 * Noise only ever adds time, so the least says what a lowering can do; on a busy machine even that is luck, which the
 * median and the turns do not share.
 *
 * @param measured of all candidates, the static choice first; it is not refused.
 */
export function quickest(measured: readonly Measured[]): string {
  const [first, ...others] = measured.filter((each) => "turns" in each);
  if (first === undefined || first.lowering !== measured[0]?.lowering) {
    throw new RangeError("the static choice was not measured");
  }
  const faster = others.filter(({ turns }) => {
    const beside = first.turns.slice(0, turns.length);
    const won = turns.filter((time, turn) => time < (beside[turn] ?? 0)).length;
    return (
      Math.min(...turns) < CLEARLY_FASTER * Math.min(...first.turns) &&
      median(turns) < CLEARLY_FASTER * median(beside) &&
      won >= MOST_TURNS * turns.length
    );
  });
  const least = ({ turns }: (typeof others)[number]): number => Math.min(...turns);
  return [first, ...faster].reduce((best, each) => (least(each) < least(best) ? each : best)).lowering;
}
