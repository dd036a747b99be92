/** Counts of values between limits, as TensorBoard's HistogramProto: bucket i counts limits[i - 1] <= value < limits[i]; the first begins at `min`. */
export type Histogram = {
  readonly min: number;
  readonly max: number;
  /** How many values there are. */
  readonly count: number;
  /** Absent where a file's histogram has buckets alone. */
  readonly sum?: number;
  readonly sumOfSquares?: number;
  readonly limits: readonly number[];
  readonly counts: readonly number[];
};

/** TensorFlow's buckets: 1e-12 and on by tenths up to 1e20, the same below zero, and the largest doubles at both ends. */
const LIMITS: Float64Array = (() => {
  const positive: number[] = [];
  for (let limit = 1e-12; limit < 1e20; limit *= 1.1) positive.push(limit);
  positive.push(Number.MAX_VALUE);
  return Float64Array.from([...positive.map((limit) => -limit).reverse(), 0, ...positive]);
})();

/**
 * The histogram of finite values (NaN and infinities are left out) in TensorFlow's buckets, of which a run
 * of empty ones is joined to one and those before and after all values are left out.
 *
 * Source: `tensorflow/core/lib/histogram/histogram.cc`.
 *
 * @example
 * histogramOf([1, 1, 2]).counts // -> [2, 0, 1]
 */
export function histogramOf(values: ArrayLike<number>): Histogram {
  const buckets = new Float64Array(LIMITS.length);
  let [min, max, count, sum, sumOfSquares] = [Infinity, -Infinity, 0, 0, 0];
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    if (!Number.isFinite(value)) continue;
    const bucket = bucketOf(value);
    buckets[bucket] = (buckets[bucket] as number) + 1;
    min = Math.min(min, value);
    max = Math.max(max, value);
    count++;
    sum += value;
    sumOfSquares += value * value;
  }
  if (count === 0) return { min: 0, max: 0, count, sum, sumOfSquares, limits: [Number.MAX_VALUE], counts: [0] };
  const limits: number[] = [];
  const counts: number[] = [];
  const last = bucketOf(max);
  // A reader takes `min` for the first bucket's left edge, which would lie to the right of an empty one.
  for (let i = bucketOf(min); i <= last; i++) {
    const found = buckets[i] as number;
    const isRun = found === 0 && counts.at(-1) === 0;
    if (isRun) limits[limits.length - 1] = LIMITS[i] as number;
    else {
      limits.push(LIMITS[i] as number);
      counts.push(found);
    }
  }
  return { min, max, count, sum, sumOfSquares, limits, counts };
}

/** The first bucket whose limit is larger. */
function bucketOf(value: number): number {
  let low = 0;
  let high = LIMITS.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((LIMITS[middle] as number) > value) high = middle;
    else low = middle + 1;
  }
  return low;
}
