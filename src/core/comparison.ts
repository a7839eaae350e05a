/**
 * @file Comparing several treatments over the same cases: an exact paired test, a correction for many tests, and mean
 * ranks. What a bench says of removers rests on these.
 */

/** What a paired test found. */
export interface PairedTest {
  /** Pairs that differ: the others say nothing of a direction. */
  readonly n: number;
  /** Sum of the ranks of the positive differences. */
  readonly statistic: number;
  /** Two-sided; 1 where no pair differs. */
  readonly pValue: number;
}

/**
 * Wilcoxon's signed-rank test, exact and two-sided: under the null hypothesis every difference is as likely to point
 * either way. (F. Wilcoxon, Biometrics Bulletin 1, 1945; zeros are left out as he does.)
 *
 * Tied differences share their mean rank, and the distribution is that of these very ranks (J. W. Pratt and J. D.
 * Gibbons, *Concepts of Nonparametric Theory*, 1981, section 3.7), so no approximation is made for ties either. Time
 * and memory grow with the square and the cube of n; a few hundred pairs are nothing.
 */
export function signedRankTest(differences: readonly number[]): PairedTest {
  const moved = differences.filter((difference) => difference !== 0);
  const n = moved.length;
  if (n === 0) return { n, statistic: 0, pValue: 1 };
  // Doubled, mean ranks are whole numbers.
  const doubled = meanRanks(moved.map(Math.abs)).map((rank) => Math.round(2 * rank));
  const positive = doubled.reduce((sum, rank, i) => sum + ((moved[i] ?? 0) > 0 ? rank : 0), 0);
  const total = doubled.reduce((sum, rank) => sum + rank, 0);
  // chance[s]: that the positive ranks add up to s when every sign is a fair coin. Downwards, so that each rank counts
  // once.
  const chance = new Float64Array(total + 1);
  chance[0] = 1;
  let reached = 0;
  for (const rank of doubled) {
    reached += rank;
    for (let sum = reached; sum >= 0; sum--) {
      chance[sum] = ((chance[sum] ?? 0) + (sum >= rank ? (chance[sum - rank] ?? 0) : 0)) / 2;
    }
  }
  // The distribution is symmetric: the far tail on one side, twice.
  const far = Math.max(positive, total - positive);
  const tail = chance.subarray(far).reduceRight((sum, value) => sum + value, 0);
  return { n, statistic: positive / 2, pValue: Math.min(1, 2 * tail) };
}

/**
 * p-values adjusted so that comparing each with α keeps the chance of any false rejection among them at α, whatever
 * their dependence (S. Holm, Scandinavian Journal of Statistics 6, 1979).
 *
 * @returns adjusted values in the order given, each in [0, 1] and at least what it was.
 */
export function holm(pValues: readonly number[]): readonly number[] {
  const order = pValues.map((_, i) => i).sort((a, b) => (pValues[a] ?? 0) - (pValues[b] ?? 0));
  const adjusted = new Array<number>(pValues.length).fill(1);
  let least = 0;
  order.forEach((i, rank) => {
    least = Math.max(least, Math.min(1, (pValues.length - rank) * (pValues[i] ?? 1)));
    adjusted[i] = least;
  });
  return adjusted;
}

/** Ranks from 1, the smallest value first; equal values share the mean of their ranks. */
export function meanRanks(values: readonly number[]): readonly number[] {
  const order = values.map((_, i) => i).sort((a, b) => (values[a] ?? 0) - (values[b] ?? 0));
  const ranks = new Array<number>(values.length).fill(0);
  for (let from = 0; from < order.length; ) {
    let to = from + 1;
    while (to < order.length && values[order[to] ?? 0] === values[order[from] ?? 0]) to += 1;
    for (let i = from; i < to; i++) ranks[order[i] ?? 0] = (from + 1 + to) / 2;
    from = to;
  }
  return ranks;
}
