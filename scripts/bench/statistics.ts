// What a few rounds allow to be said.

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

export interface Interval {
  readonly low: number;
  readonly middle: number;
  readonly high: number;
}

/**
 * Where the ratio of two things lies, from ratios that were measured in pairs, with at least this confidence: Wilcoxon's
 * signed-rank interval over the logarithms (the averages of all pairs, in order, so many left out at either end as
 * their exact distribution allows). It assumes no bell curve, only that a pair errs as often up as down. Eight pairs
 * are the fewest that can say anything with 99 %: then nothing is left out, and the interval is all that was seen.
 * null when there are too few.
 */
export function ratioInterval(ratios: readonly number[], confidence: number): Interval | null {
  const n = ratios.length;
  const logs = ratios.map(Math.log);
  const averages: number[] = [];
  for (let i = 0; i < n; i++) for (let j = i; j < n; j++) averages.push((logs[i] + logs[j]) / 2);
  averages.sort((a, b) => a - b);
  const outside = leftOut(n, 1 - confidence);
  if (outside < 0) return null;
  return {
    low: Math.exp(averages[outside]),
    middle: Math.exp(median(averages)),
    high: Math.exp(averages[averages.length - 1 - outside]),
  };
}

/** How many averages may be left out at each end, when an error is allowed this often; -1 when n is too small. */
function leftOut(n: number, error: number): number {
  // In how many of the 2ⁿ ways of signs the positive ranks among 1…n add up to each sum.
  const ways = new Array<number>((n * (n + 1)) / 2 + 1).fill(0);
  ways[0] = 1;
  for (let rank = 1; rank <= n; rank++) {
    for (let sum = ways.length - 1; sum >= rank; sum--) ways[sum] += ways[sum - rank];
  }
  let tail = 0;
  for (let sum = 0; ; sum++) {
    tail += ways[sum] / 2 ** n;
    if (2 * tail > error) return sum - 1;
  }
}

export type Verdict = "better" | "same" | "worse";

/** Of a cost's ratio, new ÷ old: "same" unless the whole interval lies on one side of 1. */
export function verdict({ low, high }: Interval): Verdict {
  return high < 1 ? "better" : low > 1 ? "worse" : "same";
}
