/**
 * Activations as functions of a tensor, elementwise unless an axis is named: what the layers of the same names apply. Values
 * and derivatives are their limits at infinities, also where the formula says Infinity times 0 (PyTorch's silu, mish, gelu,
 * hardswish and softsign give NaN there); a NaN stays one. Where two branches meet, the derivative is PyTorch's.
 */
import { formatAval, normalizeAxis } from "../core/dtype.ts";
import { ShapeError } from "../core/errors.ts";
import type { Tensor } from "../ops/tensor.ts";
import { customVjp } from "../trace/grad.ts";

/** e^-110 is 0 in single precision, and what multiplies it may then as well be finite. */
const FAR = 110;

const bounded = (x: Tensor): Tensor => x.clip(-FAR, FAR);

/** f, with g slope(x) for its derivative. */
function withSlope(f: (x: Tensor) => Tensor, slope: (x: Tensor) => Tensor): (x: Tensor) => Tensor {
  return customVjp(
    (x) => f(x as Tensor),
    (g, _output, x) => [g.mul(slope(x as Tensor))],
  );
}

/** f, through which the gradient passes where `passes`, times `slope`. */
function withGate(f: (x: Tensor) => Tensor, passes: (x: Tensor) => Tensor, slope: number = 1): (x: Tensor) => Tensor {
  return customVjp(
    (x) => f(x as Tensor),
    (g, _output, x) => [passes(x as Tensor).select(slope === 1 ? g : g.mul(slope), 0)],
  );
}

/** max(x, 0) */
export function relu(x: Tensor): Tensor {
  return x.relu();
}

/** min(max(x, 0), 6) */
export function relu6(x: Tensor): Tensor {
  return hardTanh(x, { minVal: 0, maxVal: 6 });
}

/** x where x > 0, else slope x. */
export function leakyRelu(x: Tensor, slope: number = 0.01): Tensor {
  return x.greater(0).select(x, x.mul(slope));
}

/** x where x > 0, else weight x; the weight is f32[] or broadcasts to x. */
export function prelu(x: Tensor, weight: Tensor): Tensor {
  const positive = x.greater(0);
  // What the weight multiplies is 0 where x is positive, so that an infinite x leaves the weight's gradient finite.
  return positive.select(x, positive.select(0, x).mul(weight));
}

/** x where x > 0, else alpha (e^x - 1). */
export function elu(x: Tensor, alpha: number = 1): Tensor {
  const positive = x.greater(0);
  // Large x never reaches expm1, whose infinite derivative would turn the unselected branch into NaN.
  return positive.select(x, positive.select(0, x).expm1().mul(alpha));
}

const SELU_SCALE = 1.0507009873554804934193349852946;
const SELU_ALPHA = 1.6732632423543772848170429916717;

/** scale elu(x, alpha) with the scale 1.0507... and alpha 1.6733... that keep mean 0 and variance 1. */
export function selu(x: Tensor): Tensor {
  return elu(x, SELU_ALPHA).mul(SELU_SCALE);
}

/** max(x, 0) + min(0, alpha (e^(x / alpha) - 1)) */
export function celu(x: Tensor, alpha: number = 1): Tensor {
  const positive = x.greater(0);
  const exponent = positive.select(0, x).mul(1 / alpha);
  return positive.select(x, exponent.expm1().mul(alpha));
}

export type GeluOptions = {
  /** "none": with erf; "tanh": the approximation of GPT-2 and BERT. Default "none", as PyTorch. */
  readonly approximate?: "none" | "tanh";
};

/** x Φ(x) = x (1 + erf(x / √2)) / 2, or x (1 + tanh(u)) / 2 = x sigmoid(2u) with u = √(2/π) (x + 0.044715 x³). */
export function gelu(x: Tensor, options: GeluOptions = {}): Tensor {
  return options.approximate === "tanh" ? geluByTanh(x) : geluByErf(x);
}

const normalCdf = (x: Tensor): Tensor => x.mul(Math.SQRT1_2).erf().add(1).mul(0.5);

/** Φ(x) + x φ(x) */
const geluByErf: (x: Tensor) => Tensor = withSlope(
  (x) => x.maximum(-FAR).mul(normalCdf(x)),
  (x) => {
    const c = bounded(x);
    const density = c
      .square()
      .mul(-0.5)
      .exp()
      .mul(1 / Math.sqrt(2 * Math.PI));
    return normalCdf(x).add(c.mul(density));
  },
);

/** 2u. The sigmoid of it has no 1 + tanh to cancel where x is negative. */
const geluExponent = (c: Tensor): Tensor => c.add(c.square().mul(c).mul(0.044715)).mul(2 * Math.sqrt(2 / Math.PI));

const geluByTanh: (x: Tensor) => Tensor = withSlope(
  (x) => x.maximum(-FAR).mul(geluExponent(bounded(x)).sigmoid()),
  (x) => {
    const c = bounded(x);
    const s = geluExponent(c).sigmoid();
    const inner = c
      .square()
      .mul(3 * 0.044715)
      .add(1)
      .mul(2 * Math.sqrt(2 / Math.PI));
    return s.add(c.mul(inner).mul(s.mul(s.rsub(1))));
  },
);

/** x sigmoid(x); derivative s (1 + x (1 - s)). */
export const silu: (x: Tensor) => Tensor = withSlope(
  (x) => x.maximum(-FAR).mul(x.sigmoid()),
  (x) => {
    const s = x.sigmoid();
    return s.mul(bounded(x).mul(s.rsub(1)).add(1));
  },
);

/** tanh(softplus(x)) = n / (n + 2) with n = e^x (e^x + 2): 1 from x = 20 on. */
function mishParts(x: Tensor): { readonly e: Tensor; readonly n: Tensor } {
  const e = x.clip(-FAR, 20).exp();
  return { e, n: e.mul(e.add(2)) };
}

/** x tanh(softplus(x)); derivative t + x 4 e (e + 1) / (n + 2)². */
export const mish: (x: Tensor) => Tensor = withSlope(
  (x) => {
    const { n } = mishParts(x);
    return x.maximum(-FAR).mul(n.div(n.add(2)));
  },
  (x) => {
    const { e, n } = mishParts(x);
    const d = n.add(2);
    const slope = e.mul(e.add(1)).mul(4).div(d.square());
    return n.div(d).add(bounded(x).mul(slope));
  },
);

export type SoftplusOptions = {
  /** Default 1. */
  readonly beta?: number;
  /** Where beta x is past this, x itself. Default 20. */
  readonly threshold?: number;
};

/** ln(1 + e^(beta x)) / beta, and x where beta x > threshold; derivative sigmoid(beta x). */
export function softplus(x: Tensor, options: SoftplusOptions = {}): Tensor {
  const { beta = 1, threshold: limit = 20 } = options;
  const past = (z: Tensor): Tensor => z.greater(limit);
  return withSlope(
    (own) => {
      const z = own.mul(beta);
      const soft = z.relu().add(z.abs().neg().exp().log1p());
      return past(z).select(own, soft.mul(1 / beta));
    },
    (own) => {
      const z = own.mul(beta);
      return past(z).select(1, z.sigmoid());
    },
  )(x);
}

/** 1 / (1 + e^-x) */
export function sigmoid(x: Tensor): Tensor {
  return x.sigmoid();
}

/** ln sigmoid(x) = min(x, 0) - ln(1 + e^-|x|); derivative sigmoid(-x). */
export const logSigmoid: (x: Tensor) => Tensor = withSlope(
  (x) => x.neg().relu().neg().sub(x.abs().neg().exp().log1p()),
  (x) => x.neg().sigmoid(),
);

export function tanh(x: Tensor): Tensor {
  return x.tanh();
}

/** x - tanh(x); derivative tanh(x)². */
export const tanhshrink: (x: Tensor) => Tensor = withSlope(
  (x) => x.sub(x.tanh()),
  (x) => x.tanh().square(),
);

/** x / (1 + |x|); derivative 1 / (1 + |x|)². */
export const softsign: (x: Tensor) => Tensor = withSlope(
  (x) => {
    // Past 1e30 the quotient is 1 in single precision, also where x is infinite.
    const c = x.clip(-1e30, 1e30);
    return c.div(c.abs().add(1));
  },
  (x) => x.abs().add(1).reciprocal().square(),
);

export type HardTanhOptions = {
  /** Default -1. */
  readonly minVal?: number;
  /** Default 1. */
  readonly maxVal?: number;
};

/** min(max(x, minVal), maxVal); derivative 1 strictly between them. */
export function hardTanh(x: Tensor, options: HardTanhOptions = {}): Tensor {
  const { minVal = -1, maxVal = 1 } = options;
  return withGate(
    (own) => own.clip(minVal, maxVal),
    (own) => own.greater(minVal).and(own.less(maxVal)),
  )(x);
}

const sixths = (x: Tensor): Tensor =>
  x
    .mul(1 / 6)
    .add(0.5)
    .clip(0, 1);

/** min(max(x + 3, 0), 6) / 6; derivative 1/6 strictly between -3 and 3. */
export const hardSigmoid: (x: Tensor) => Tensor = withGate(sixths, (x) => x.greater(-3).and(x.less(3)), 1 / 6);

/** x min(max(x + 3, 0), 6) / 6; derivative 0 up to -3, 1 from 3 on, x / 3 + 1/2 between. */
export const hardSwish: (x: Tensor) => Tensor = withSlope(
  (x) => x.maximum(-3).mul(sixths(x)),
  (x) =>
    x.lessEqual(-3).select(
      0,
      x.greaterEqual(3).select(
        1,
        x
          .clip(-3, 3)
          .mul(1 / 3)
          .add(0.5),
      ),
    ),
);

/** x - lambda where x > lambda, x + lambda where x < -lambda, else 0. */
export function softshrink(x: Tensor, lambda: number = 0.5): Tensor {
  return withGate(
    (own) => own.sub(own.clip(-lambda, lambda)),
    (own) => own.abs().greater(lambda),
  )(x);
}

/** x where |x| > lambda, else 0. */
export function hardshrink(x: Tensor, lambda: number = 0.5): Tensor {
  return x.abs().lessEqual(lambda).select(0, x);
}

/** x where x > limit, else value. */
export function threshold(x: Tensor, limit: number, value: number): Tensor {
  return x.lessEqual(limit).select(value, x);
}

/** e^x / sum e^x along `axis`. */
export function softmax(x: Tensor, axis: number = -1): Tensor {
  return x.softmax(axis);
}

/** softmax(-x) along `axis`. */
export function softmin(x: Tensor, axis: number = -1): Tensor {
  return x.neg().softmax(axis);
}

/** x - ln sum e^x along `axis`. */
export function logSoftmax(x: Tensor, axis: number = -1): Tensor {
  return x.logSoftmax(axis);
}

/** What the second half of a gated unit goes through. */
export type Gate = "sigmoid" | "relu" | "gelu" | "silu" | "tanh" | "identity";

const gates: Readonly<Record<Gate, (x: Tensor) => Tensor>> = {
  sigmoid,
  relu,
  gelu: (x) => gelu(x),
  silu,
  tanh,
  identity: (x) => x,
};

/** The names of the gates. */
export const GATES: readonly Gate[] = Object.keys(gates) as Gate[];

/** a gate(b), where a and b are the halves of x along `axis`. Errors: ShapeError when that axis is odd. */
export function glu(x: Tensor, axis: number = -1, gate: Gate = "sigmoid"): Tensor {
  const at = normalizeAxis("glu", axis, x.rank);
  const size = x.shape[at] as number;
  if (size % 2 !== 0)
    throw new ShapeError(`glu: got ${formatAval(x.aval)} and axis ${axis}; expected an even size there.`);
  return x.narrow(at, 0, size / 2).mul(gates[gate](x.narrow(at, size / 2, size / 2)));
}
