import { formatAval, sameShape } from "../../core/dtype.ts";
import { OptionError, ShapeError } from "../../core/errors.ts";
import type { Tensor } from "../../ops/tensor.ts";
import { scan } from "../../trace/control.ts";
import { type Given, type Loss, type LossValues, type Reduction, valueOrLoss } from "./loss.ts";

export type CtcOptions = {
  /** The class that stands for no label. Default 0. */
  readonly blank?: number;
  /** The log probabilities are f32[N, T, C], as models for `fit` give them, and not PyTorch's f32[T, N, C]. Default false. */
  readonly batchFirst?: boolean;
  /** Loss and gradient 0, instead of an infinite loss, where the input is too short for its labels. Default false. */
  readonly zeroInfinity?: boolean;
  /** "mean" divides each loss by the number of labels, at least 1, and is over the examples, as PyTorch. Default "mean". */
  readonly reduction?: Reduction;
};

/** The label sequences of a batch. */
export type CtcTarget<T = Tensor> = {
  /** i32[N, S], each row's labels first; what follows does not count. */
  readonly targets: T;
  /** i32[N]: how many steps of the output count. */
  readonly inputLengths: T;
  /** i32[N]: how many labels of each row count. */
  readonly targetLengths: T;
};

/**
 * Connectionist temporal classification: -ln of the probability that the output, with repetitions merged and blanks dropped, is
 * the label sequence.
 *
 * logProbs f32[T, N, C], or with `batchFirst` f32[N, T, C], as `logSoftmax` gives them. The derivative is by the log probabilities: minus the probability that
 * a step has that class. PyTorch hands out the derivative by the logits before a log softmax instead; through a log
 * softmax both are the same. Where no alignment is possible the loss is Infinity and its gradient 0 (PyTorch's is NaN).
 *
 * With tensors: the value. Without: a `Loss` for `fit`.
 *
 * Errors: ShapeError when shapes do not fit; OptionError for a blank that is no class.
 *
 * Source: Graves et al., "Connectionist Temporal Classification", 2006.
 *
 * @example
 * nn.ctc(logits.logSoftmax(2), { targets, inputLengths, targetLengths }, { zeroInfinity: true })
 */
export function ctc(options?: CtcOptions): Loss<Tensor, CtcTarget>;
export function ctc(logProbs: Tensor, target: CtcTarget, options?: CtcOptions): Tensor;
export function ctc(...given: Given<CtcOptions, Tensor, CtcTarget>): Loss<Tensor, CtcTarget> | Tensor {
  return valueOrLoss("ctc", ctcOf, given, ({ blank = 0 }) => {
    if (!Number.isInteger(blank) || blank < 0)
      throw new OptionError(`ctc: got blank ${blank}; expected a whole number of at least 0.`);
  });
}

/** Stands for ln 0: finite, so that no difference of two is NaN, and no sum of real logarithms comes near. */
const NEVER = -1e30;

function ctcOf(given: Tensor, target: CtcTarget, options: CtcOptions): LossValues {
  const { blank = 0, batchFirst = false, zeroInfinity = false, reduction = "mean" } = options;
  const logProbs = batchFirst && given.rank === 3 ? given.transpose([1, 0, 2]) : given;
  const { targets, inputLengths, targetLengths } = target;
  const [steps = 0, batch = 0, classes = 0] = logProbs.shape;
  const fits =
    logProbs.dtype === "f32" &&
    logProbs.rank === 3 &&
    targets.rank === 2 &&
    targets.shape[0] === batch &&
    [targets, inputLengths, targetLengths].every(({ dtype }) => dtype === "i32" || dtype === "u8") &&
    [inputLengths, targetLengths].every(({ shape }) => sameShape(shape, [batch]));
  if (!fits)
    throw new ShapeError(
      `ctc: got ${[given, targets, inputLengths, targetLengths].map(({ aval }) => formatAval(aval)).join(", ")}; ` +
        `expected log probabilities f32[${batchFirst ? "N, T" : "T, N"}, C], targets i32[N, S], input and target lengths i32[N].`,
    );
  if (blank >= classes)
    throw new OptionError(`ctc: got blank ${blank}; expected one of the ${classes} classes, from 0.`);

  const labels = targets.cast("i32");
  const lengths = targetLengths.cast("i32").unsqueeze(-1);
  const width = labels.shape[1] as number;
  const size = 2 * width + 1;
  // blank, label 1, blank, label 2, ..., blank: [N, 2 S + 1]
  const blanks = labels.full(blank, [batch, width, 1]);
  const states = blanks
    .concat([labels.unsqueeze(-1)], 2)
    .reshape([batch, 2 * width])
    .concat([labels.full(blank, [batch, 1])], 1);
  const place = states.iota([batch, size], 1);
  const shift = (x: Tensor, by: number, fill: number): Tensor =>
    by >= size ? x.full(fill, x.shape) : x.narrow(1, 0, size - by).pad([0, by], [0, 0], fill);
  const skips = states.notEqual(blank).and(states.notEqual(shift(states, 2, blank)));

  const row = states.iota([batch, size], 0).mul(classes);
  const emissions = logProbs
    .reshape([steps, batch * classes])
    .gather(row.add(states.clip(0, classes - 1)), 1)
    .maximum(NEVER);
  const running = states.iota([steps, batch], 0).less(inputLengths.cast("i32"));
  const start = place.equal(0).select(emissions.full(0, [batch, size]), NEVER);

  const [last] = scan(
    (alpha: Tensor, x: { readonly emission: Tensor; readonly runs: Tensor }) => {
      const one = shift(alpha, 1, NEVER);
      const two = skips.select(shift(alpha, 2, NEVER), NEVER);
      const next = logSum([alpha, one, two]).add(x.emission).maximum(NEVER);
      return [x.runs.unsqueeze(-1).select(next, alpha), {}] as const;
    },
    start,
    { emission: emissions, runs: running },
  );
  const end = lengths.mul(2);
  const final = place.equal(end).or(place.equal(end.sub(1)));
  const found = final.select(last, NEVER).logSumExp(-1);
  const possible = found.greater(NEVER / 2);
  const values = possible.select(found.neg(), zeroInfinity ? 0 : Number.POSITIVE_INFINITY);
  if (reduction !== "mean") return { values };
  return { values: values.div(lengths.squeeze(-1).maximum(1).cast("f32")) };
}

/** ln sum e^x, elementwise over three tensors. */
function logSum(all: readonly [Tensor, Tensor, Tensor]): Tensor {
  const [a, b, c] = all;
  const most = a.maximum(b).maximum(c).stopGradient();
  const total = all.map((x) => x.sub(most).exp()).reduce((sum, x) => sum.add(x));
  return total.log().add(most);
}
