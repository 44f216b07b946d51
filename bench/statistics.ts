/** The middle of the values; NaN of none. */
export function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length % 2 === 1) return sorted[middle] as number;
  return ((sorted[middle - 1] ?? Number.NaN) + (sorted[middle] ?? Number.NaN)) / 2;
}

/**
 * The median of the ratios of values that were measured in the same round. What slows the machine down for a
 * while slows both, so a ratio within a round says more than a ratio of medians.
 */
export function medianRatio(numerators: number[], denominators: number[]): number {
  const ratios = numerators.flatMap((value, round) => {
    const other = denominators[round];
    return other === undefined || other === 0 ? [] : [value / other];
  });
  return median(ratios);
}
