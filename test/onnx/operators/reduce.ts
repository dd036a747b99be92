import { normalizeAxis } from "../../../src/core/dtype.ts";
import type { Tensor } from "../../../src/ops/tensor.ts";
import { scan } from "../../../src/trace/control.ts";
import type { Call } from "../call.ts";
import type { Operators } from "./operator.ts";

type Options = { readonly keepDims: boolean };

/** A reduction over axes, which stand in an attribute, or in an input of newer operator sets; none of them: all. */
function reduction(f: (x: Tensor, axes: readonly number[], options: Options) => Tensor): (call: Call) => Tensor {
  return (call) => {
    const x = call.number(0);
    const given = call.knownList(1) ?? call.list("axes") ?? [];
    if (given.length === 0 && call.flag("noop_with_empty_axes")) return x;
    const axes = given.length === 0 ? x.shape.map((_, i) => i) : given;
    return f(x, axes, { keepDims: call.flag("keepdims", true) });
  };
}

function logSumExp(x: Tensor, axes: readonly number[], options: Options): Tensor {
  const max = x.max(axes, { keepDims: true });
  const sum = x.sub(max).exp().sum(axes, options).log();
  return sum.add(options.keepDims ? max : max.reshape(sum.shape));
}

function argument(pick: (x: Tensor, axis: number) => Tensor): (call: Call) => Tensor {
  return (call) => {
    const x = call.number(0);
    const axis = normalizeAxis("ArgMax", call.attribute("axis", 0), x.rank);
    const last = (x.shape[axis] as number) - 1;
    // The last of equal values is the first from the other end.
    const found = call.flag("select_last_index") ? pick(x.flip(axis), axis).neg().add(last) : pick(x, axis);
    return call.flag("keepdims", true) ? found.unsqueeze(axis) : found;
  };
}

function cumulativeSum(call: Call): Tensor {
  const x = call.number(0);
  const axis = normalizeAxis("CumSum", call.knownNumber(1, 0), x.rank);
  const xs = x.swapAxes(0, axis);
  const exclusive = call.flag("exclusive");
  const body = (sum: Tensor, each: Tensor): readonly [Tensor, Tensor] => {
    const next = sum.add(each);
    return [next, exclusive ? sum : next];
  };
  const [, sums] = scan(body, xs.full(0, xs.shape.slice(1)), xs, { reverse: call.flag("reverse") });
  return sums.swapAxes(0, axis);
}

export const reduceOperators: Operators = {
  ReduceSum: reduction((x, axes, options) => x.sum(axes, options)),
  ReduceMean: reduction((x, axes, options) => x.mean(axes, options)),
  ReduceMax: reduction((x, axes, options) => x.max(axes, options)),
  ReduceMin: reduction((x, axes, options) => x.min(axes, options)),
  ReduceL1: reduction((x, axes, options) => x.abs().sum(axes, options)),
  ReduceL2: reduction((x, axes, options) => x.square().sum(axes, options).sqrt()),
  ReduceSumSquare: reduction((x, axes, options) => x.square().sum(axes, options)),
  ReduceLogSum: reduction((x, axes, options) => x.sum(axes, options).log()),
  ReduceLogSumExp: reduction(logSumExp),
  ArgMax: argument((x, axis) => x.argmax(axis)),
  ArgMin: argument((x, axis) => x.argmin(axis)),
  CumSum: cumulativeSum,
};
