import type { RegressionEvaluation, RegressionScores, Residual } from "./evaluation.ts";

export type Described = Pick<RegressionEvaluation, "data" | "metrics"> & { readonly worst: number };

/** The evaluation from predictions and targets of `outputs` numbers each. */
export function regressionOf(
  predicted: ArrayLike<number>,
  targets: ArrayLike<number>,
  outputs: number,
  { data, metrics, worst }: Described,
): RegressionEvaluation {
  const samples = targets.length / outputs;
  const perOutput = Array.from({ length: outputs }, (_, j) => scoresOf(predicted, targets, j, outputs));
  const residuals = Array.from({ length: samples }, (_, index): Residual => {
    const row = (values: ArrayLike<number>): number[] =>
      Array.from({ length: outputs }, (_, j) => values[index * outputs + j] as number);
    const [target, given] = [row(targets), row(predicted)];
    return { index, target, predicted: given, distance: Math.hypot(...target.map((y, j) => y - (given[j] as number))) };
  });
  const rank = ({ distance }: Residual): number => (Number.isNaN(distance) ? Number.POSITIVE_INFINITY : distance);
  const mean = (of: (scores: RegressionScores) => number): number =>
    perOutput.reduce((sum, scores) => sum + of(scores), 0) / outputs;
  return {
    kind: "regression",
    ...{ data, samples, metrics },
    scores: {
      meanAbsoluteError: mean((s) => s.meanAbsoluteError),
      rootMeanSquaredError: Math.sqrt(mean((s) => s.rootMeanSquaredError ** 2)),
      r2: mean((s) => s.r2),
      bias: mean((s) => s.bias),
    },
    perOutput,
    worst: residuals.sort((a, b) => (rank(a) === rank(b) ? a.index - b.index : rank(b) - rank(a))).slice(0, worst),
  };
}

function scoresOf(
  predicted: ArrayLike<number>,
  targets: ArrayLike<number>,
  output: number,
  outputs: number,
): RegressionScores {
  let [absolute, squares, bias, total, count] = [0, 0, 0, 0, 0];
  for (let at = output; at < targets.length; at += outputs) {
    const difference = (predicted[at] as number) - (targets[at] as number);
    absolute += Math.abs(difference);
    squares += difference ** 2;
    bias += difference;
    total += targets[at] as number;
    count++;
  }
  const mean = total / count;
  let spread = 0;
  for (let at = output; at < targets.length; at += outputs) spread += ((targets[at] as number) - mean) ** 2;
  return {
    meanAbsoluteError: absolute / count,
    rootMeanSquaredError: Math.sqrt(squares / count),
    r2: spread === 0 ? (squares === 0 ? 1 : 0) : 1 - squares / spread,
    bias: bias / count,
  };
}
