import type { Calibration } from "./evaluation.ts";

/** One answer: its probability, and whether it is right. */
export type Answer = { readonly confidence: number; readonly right: boolean };

/**
 * Bins of equal width over the confidence, and ECE = sum over the bins of (count / n) |accuracy - confidence|. A bin holds its
 * lower edge, the last both. Source: Guo et al., "On Calibration of Modern Neural Networks", 2017.
 */
export function calibrationOf(answers: readonly Answer[], bins: number): Calibration {
  const counts = new Array<number>(bins).fill(0);
  const confidences = new Array<number>(bins).fill(0);
  const rights = new Array<number>(bins).fill(0);
  for (const { confidence, right } of answers) {
    const bin = Math.min(bins - 1, Math.floor(confidence * bins));
    if (!(bin >= 0)) continue;
    counts[bin] = (counts[bin] as number) + 1;
    confidences[bin] = (confidences[bin] as number) + confidence;
    rights[bin] = (rights[bin] as number) + (right ? 1 : 0);
  }
  const found = counts.map((count, i) => ({
    from: i / bins,
    to: (i + 1) / bins,
    count,
    confidence: count === 0 ? 0 : (confidences[i] as number) / count,
    accuracy: count === 0 ? 0 : (rights[i] as number) / count,
  }));
  const gaps = found.map(({ count, accuracy, confidence }) => [count, Math.abs(accuracy - confidence)] as const);
  return {
    bins: found,
    expectedError: gaps.reduce((sum, [count, gap]) => sum + (count * gap) / answers.length, 0),
    largestError: Math.max(0, ...gaps.map(([, gap]) => gap)),
  };
}
