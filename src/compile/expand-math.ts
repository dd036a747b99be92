import type { BinaryOp, Loops, Scalar, UnaryOp } from "../ir/loops.ts";

/**
 * The transcendental operators as expressions of +, -, *, /, min, max, abs, sqrt, floor, compares, selects and i32
 * arithmetic, so that every backend computes them alike; null where the operator is basic. Multiplications and additions
 * are apart; the bounds hold if a backend fuses them, but none may be reassociated. Rounding to an integer adds
 * 1.5 * 2^23, after which the integer stands in the low bits.
 *
 * No f32 constant is infinite or NaN (WGSL has neither): those values come from arithmetic or from bits chosen as i32.
 * Results of exp, sigmoid and pow below 2^-126 are 0, never denormal (but for pow's constant exponents). NaN gives NaN
 * (but x^0 = 1).
 *
 * | operator | largest error found, ULP | operations |
 * |---|---|---|
 * | exp | 0.88 | 27 |
 * | expm1 | 1.42 | 34 |
 * | log | 0.82 | 43 |
 * | log1p | 1.37 | 49 |
 * | sigmoid | 2.31 | 30 |
 * | tanh | 1.5 | 46 |
 * | erf | 1.16 | 56 |
 * | sin, cos | 1.3 of 2^-24 for abs(x) <= 51,000; see `sine` | 38, 37 |
 * | pow | 1.16 | 118 |
 * | rem | exact for quotients below 2^24 | 30 |
 *
 * Errors are over 1.5 million arguments to each range of the tests.
 */
export function expandUnary(l: Loops, op: UnaryOp, x: Scalar): Scalar | null {
  const rule = UNARY[op];
  return rule ? rule(new Expressions(l), x) : null;
}

/** The same for `pow` and the `rem` of f32; null where the operator is basic. */
export function expandBinary(l: Loops, op: BinaryOp, a: Scalar, b: Scalar): Scalar | null {
  if (a.lane !== "f32") return null;
  if (op === "pow") return pow(new Expressions(l), a, b);
  return op === "rem" ? rem(new Expressions(l), a, b) : null;
}

const UNARY: { readonly [op in UnaryOp]?: (e: Expressions, x: Scalar) => Scalar } = {
  exp,
  expm1,
  log,
  log1p,
  sigmoid,
  tanh,
  erf,
  sin,
  cos,
};

type Term = Scalar | number;

const laneBeside = (a: Term, b: Term): Scalar["lane"] =>
  typeof a !== "number" ? a.lane : typeof b !== "number" ? b.lane : "f32";

/** Writes expressions down; a number beside an expression is a constant of its lane. */
class Expressions {
  private readonly l: Loops;
  constructor(l: Loops) {
    this.l = l;
  }
  private both(op: BinaryOp, a: Term, b: Term): Scalar {
    const lane = laneBeside(a, b);
    return this.l.binary(op, this.term(a, lane), this.term(b, lane));
  }
  private term(a: Term, lane: Scalar["lane"]): Scalar {
    if (typeof a !== "number") return a;
    return this.l.constant(lane === "i32" ? a | 0 : Math.fround(a), lane);
  }
  add(a: Term, b: Term): Scalar {
    return this.both("add", a, b);
  }
  sub(a: Term, b: Term): Scalar {
    return this.both("sub", a, b);
  }
  mul(a: Term, b: Term): Scalar {
    return this.both("mul", a, b);
  }
  div(a: Term, b: Term): Scalar {
    return this.both("div", a, b);
  }
  and(a: Term, b: Term): Scalar {
    return this.both("and", a, b);
  }
  or(a: Term, b: Term): Scalar {
    return this.both("or", a, b);
  }
  xor(a: Term, b: Term): Scalar {
    return this.both("xor", a, b);
  }
  shl(a: Scalar, by: number): Scalar {
    return this.both("shl", a, by);
  }
  shr(a: Scalar, by: number): Scalar {
    return this.both("shr", a, by);
  }
  eq(a: Term, b: Term): Scalar {
    return this.both("eq", a, b);
  }
  ne(a: Term, b: Term): Scalar {
    return this.both("ne", a, b);
  }
  lt(a: Term, b: Term): Scalar {
    return this.both("lt", a, b);
  }
  le(a: Term, b: Term): Scalar {
    return this.both("le", a, b);
  }
  gt(a: Term, b: Term): Scalar {
    return this.both("gt", a, b);
  }
  ge(a: Term, b: Term): Scalar {
    return this.both("ge", a, b);
  }
  /** `low` to `high`; NaN stays. */
  clamp(a: Scalar, low: number, high: number): Scalar {
    return this.both("min", this.both("max", a, low), high);
  }
  abs(a: Scalar): Scalar {
    return this.l.unary("abs", a);
  }
  sqrt(a: Scalar): Scalar {
    return this.l.unary("sqrt", a);
  }
  floor(a: Scalar): Scalar {
    return this.l.unary("floor", a);
  }
  one(): Scalar {
    return this.term(1, "f32");
  }
  integer(value: number): Scalar {
    return this.term(value, "i32");
  }
  bits(a: Scalar): Scalar {
    return this.l.unary("asInt", a);
  }
  float(a: Scalar): Scalar {
    return this.l.unary("asFloat", a);
  }
  convert(a: Scalar): Scalar {
    return this.l.cast("f32", a);
  }
  select(condition: Scalar, a: Term, b: Term): Scalar {
    const lane = laneBeside(a, b);
    return this.l.select(condition, this.term(a, lane), this.term(b, lane));
  }
  /** The f32 of the given bits where the condition holds, else `otherwise`. */
  selectBits(condition: Scalar, bits: number, otherwise: Scalar): Scalar {
    return this.float(this.select(condition, bits, this.bits(otherwise)));
  }
  /** Horner's scheme, the highest power first. */
  polynomial(x: Scalar, [first, second, ...rest]: readonly [number, number, ...number[]]): Scalar {
    return rest.reduce((sum, c) => this.add(this.mul(sum, x), c), this.add(this.mul(x, first), second));
  }
  /** |y| with the sign of x; y is not negative. */
  signed(y: Scalar, x: Scalar): Scalar {
    return this.float(this.or(this.bits(y), this.and(this.bits(x), SIGN)));
  }
  /** The upper 12 bits of the significand: the product of two such is exact. */
  high(a: Scalar): Scalar {
    return this.float(this.and(this.bits(a), 0xfffff000));
  }
}

const SIGN = 0x80000000;
const INFINITY = 0x7f800000;
const NAN = 0x7fc00000;
const ONE = 0x3f800000;
/** Bits of sqrt(1/2). */
const ROOT_HALF = 0x3f3504f3;

const LARGEST = 3.4028234663852886e38;
const SMALLEST_NORMAL = 2 ** -126;
const ROUNDING = 1.5 * 2 ** 23;

const LOG2_E = 1.4426950408889634;
/** ln 2 = high + low; the high part has 10 bits, so an exponent times it is exact. */
const LN2_HIGH = 0.693359375;
const LN2_LOW = -2.12194440054690583e-4;

/** The largest x with a finite e^x, and the smallest with e^x >= 2^-126. */
const EXP_HIGH = 88.72283172607422;
const EXP_LOW = -87.33654022216797;

/** x = k ln 2 + r with |r| <= ln 2 / 2, r = high - low, high exact, and k << 23. */
type Reduced = { readonly r: Scalar; readonly high: Scalar; readonly low: Scalar; readonly exponent: Scalar };

function reduceExp(e: Expressions, x: Scalar): Reduced {
  const t = e.add(e.mul(x, LOG2_E), ROUNDING);
  const k = e.sub(t, ROUNDING);
  const high = e.sub(x, e.mul(k, LN2_HIGH));
  const low = e.mul(k, LN2_LOW);
  return { r: e.sub(high, low), high, low, exponent: e.shl(e.bits(t), 23) };
}

/** e^r = 1 + (high + (r² P(r) - low)); relative error of P 3.2e-9. */
function expPolynomial(e: Expressions, { r, high, low }: Reduced): Scalar {
  const p = e.polynomial(r, [0.0013818742, 0.00836872123, 0.0416682921, 0.166665211, 0.49999994]);
  return e.add(e.add(high, e.sub(e.mul(e.mul(r, r), p), low)), 1);
}

function exp(e: Expressions, x: Scalar): Scalar {
  const reduced = reduceExp(e, x);
  const y = e.float(e.add(e.bits(expPolynomial(e, reduced)), reduced.exponent));
  // The product overflows for every x above the bound, and keeps NaN, whose bits y has mixed up.
  const high = e.select(e.le(x, EXP_HIGH), y, e.mul(x, LARGEST));
  return e.select(e.lt(x, EXP_LOW), 0, high);
}

/** e^x for x <= 0 above `EXP_LOW`, undefined below; NaN stays. */
function expOfNegative(e: Expressions, x: Scalar): Scalar {
  const reduced = reduceExp(e, x);
  return e.mul(expPolynomial(e, reduced), e.float(e.add(reduced.exponent, ONE)));
}

/** 2^k (expm1(r) + (1 - 2^-k)): nothing is lost where k = 0. */
function expm1(e: Expressions, x: Scalar): Scalar {
  const { r, exponent } = reduceExp(e, x);
  const p = e.polynomial(r, [0.000197644331, 0.00139323878, 0.00833354332, 0.0416664928, 0.166666657, 0.5]);
  const q = e.add(e.mul(e.mul(r, r), p), r);
  const rest = e.sub(1, e.float(e.sub(ONE, exponent)));
  const sum = e.add(q, e.select(e.gt(x, 24), 1, rest));
  const y = e.float(e.add(e.bits(sum), exponent));
  const high = e.select(e.le(x, EXP_HIGH), y, e.mul(x, LARGEST));
  // -0 stays -0.
  return e.select(e.lt(x, -18), -1, e.select(e.eq(x, 0), x, high));
}

/** 1 / (1 + e^-x), from e^-|x|, which cannot overflow. */
function sigmoid(e: Expressions, x: Scalar): Scalar {
  const negative = e.float(e.or(e.bits(x), SIGN));
  const y = e.select(e.lt(negative, EXP_LOW), 0, expOfNegative(e, negative));
  return e.div(e.select(e.lt(x, 0), y, 1), e.add(y, 1));
}

function tanh(e: Expressions, x: Scalar): Scalar {
  const a = e.abs(x);
  const z = e.mul(a, a);
  const p = e.polynomial(z, [-0.0056922962, 0.0206281673, -0.0537365153, 0.133314058, -0.333332807]);
  const small = e.add(e.mul(e.mul(p, z), a), a);
  const y = expOfNegative(e, e.mul(a, -2));
  const large = e.select(e.gt(a, 9.02), 1, e.div(e.sub(1, y), e.add(y, 1)));
  return e.signed(e.select(e.lt(a, 0.625), small, large), x);
}

/** Odd polynomial below 0.93; above, 1 - e^(polynomial of |x|). */
function erf(e: Expressions, x: Scalar): Scalar {
  const a = e.abs(x);
  const z = e.mul(a, a);
  const p = e.polynomial(z, [-0.000595957856, 0.00498735206, -0.0267629661, 0.11281731, -0.376124889, 0.128379151]);
  const small = e.add(e.mul(a, p), a);
  const q = e.polynomial(a, [0.000213991167, -0.00321499095, 0.0228900388, -0.105261914, -0.635718286, -0.128514364]);
  const tail = expOfNegative(e, e.sub(e.mul(a, q), a));
  const large = e.select(e.gt(a, 3.92), 1, e.sub(1, tail));
  return e.signed(e.select(e.lt(a, 0.93), small, large), x);
}

/** A positive normal number as m 2^k, sqrt(1/2) <= m < sqrt 2: m, k + 127 and the bits of 2^k sqrt(1/2), significand cleared. */
function splitExponent(
  e: Expressions,
  x: Scalar,
): { readonly m: Scalar; readonly biased: Scalar; readonly field: Scalar } {
  const shifted = e.add(e.bits(x), ONE - ROOT_HALF);
  const m = e.float(e.add(e.and(shifted, 0x7fffff), ROOT_HALF));
  return { m, biased: e.shr(shifted, 23), field: e.and(shifted, INFINITY) };
}

/** k ln 2 + ln(1 + f) for sqrt(1/2) <= 1 + f < sqrt 2 (the polynomial of Cephes' logf). */
function logOf(e: Expressions, k: Scalar, f: Scalar): Scalar {
  const z = e.mul(f, f);
  const p = e.polynomial(
    f,
    [
      7.0376836292e-2, -1.151461031e-1, 1.167699874e-1, -1.2420140846e-1, 1.4249322787e-1, -1.6668057665e-1,
      2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
    ],
  );
  const cubed = e.add(e.mul(e.mul(f, z), p), e.mul(k, LN2_LOW));
  return e.add(e.add(f, e.sub(cubed, e.mul(z, 0.5))), e.mul(k, LN2_HIGH));
}

/** m and k of `splitExponent`, for denormal numbers too. */
function splitAny(e: Expressions, x: Scalar): { readonly m: Scalar; readonly k: Scalar } {
  const denormal = e.lt(x, SMALLEST_NORMAL);
  const { m, biased } = splitExponent(e, e.select(denormal, e.mul(x, 2 ** 23), x));
  return { m, k: e.sub(e.convert(biased), e.select(denormal, 150, 127)) };
}

function log(e: Expressions, x: Scalar): Scalar {
  const { m, k } = splitAny(e, x);
  const y = e.select(e.le(x, LARGEST), logOf(e, k, e.sub(m, 1)), x);
  return e.selectBits(e.eq(x, 0), SIGN + INFINITY, e.selectBits(e.lt(x, 0), NAN, y));
}

/** With u = 1 + x rounded = m 2^k: ln(m + (x - (u - 1)) 2^-k) + k ln 2. The argument is x itself where k = 0. */
function log1p(e: Expressions, x: Scalar): Scalar {
  const u = e.add(x, 1);
  const lost = e.sub(x, e.sub(u, 1));
  const { m, biased, field } = splitExponent(e, u);
  // 2^(1-k), or 0 for k = 128.
  const scale = e.float(e.xor(field, INFINITY));
  const f = e.add(e.sub(m, 1), e.mul(e.mul(lost, 0.5), scale));
  const y = logOf(e, e.sub(e.convert(biased), 127), f);
  // Infinity, NaN and -0 stay.
  const kept = e.select(e.le(x, LARGEST), e.select(e.eq(x, 0), x, y), x);
  return e.selectBits(e.eq(u, 0), SIGN + INFINITY, e.selectBits(e.lt(u, 0), NAN, kept));
}

/** pi/2 = high (8 bits) + middle (9 bits) + low: multiples up to 2^15 of the first two are exact. */
const QUARTER_HIGH = 1.5703125;
const QUARTER_MIDDLE = 507 / 2 ** 20;
const QUARTER_LOW = 3.13916473e-7;
/** Above it the reduction's rounding fails. */
const TURNS_LIMIT = 6_500_000;

/**
 * sine of |x| + `turn` quarter turns, and the sign it has not yet. Up to |x| = 51,000 the reduction is exact to 2^-45;
 * beyond, its error is about half the spacing of the arguments at most; above 6.5e6 the angle is taken as 0.
 */
function sine(e: Expressions, x: Scalar, turn: 0 | 1): { readonly y: Scalar; readonly sign: Scalar } {
  const a = e.abs(x);
  const angle = e.select(e.le(a, TURNS_LIMIT), a, e.mul(a, 0));
  const t = e.add(e.mul(angle, 2 / Math.PI), ROUNDING);
  const k = e.sub(t, ROUNDING);
  const r = e.sub(e.sub(e.sub(angle, e.mul(k, QUARTER_HIGH)), e.mul(k, QUARTER_MIDDLE)), e.mul(k, QUARTER_LOW));
  const z = e.mul(r, r);
  const s = e.add(e.mul(e.mul(e.polynomial(z, [-0.000195078726, 0.00833210628, -0.166666538]), z), r), r);
  const quartic = e.mul(e.mul(e.polynomial(z, [2.4432089e-5, -0.00138873083, 0.0416666456]), z), z);
  const c = e.add(e.sub(quartic, e.mul(z, 0.5)), 1);
  const quarter = turn === 0 ? e.bits(t) : e.add(e.bits(t), turn);
  const y = e.select(e.eq(e.and(quarter, 1), 0), s, c);
  return { y, sign: e.and(e.shl(quarter, 30), SIGN) };
}

function sin(e: Expressions, x: Scalar): Scalar {
  const { y, sign } = sine(e, x, 0);
  return e.float(e.xor(e.bits(y), e.xor(sign, e.and(e.bits(x), SIGN))));
}

function cos(e: Expressions, x: Scalar): Scalar {
  const { y, sign } = sine(e, x, 1);
  return e.float(e.xor(e.bits(y), sign));
}

/** 2 / (3 ln 2), and its first 12 bits and the rest. */
const CUBE = 0.9617966939259756;
const CUBE_HIGH = 0.961669921875;
const CUBE_LOW = 0.00012677205086220056;

/**
 * log2 of m 2^k as high (12 bits) + low, to about 2^-33: with s = (m - 1) / (m + 1) in two parts,
 * log2 m = 2/(3 ln 2) s (3 + s² + 3/5 s⁴ + 3/7 s⁶ + ...), as fdlibm's powf does it.
 */
function log2Parts(e: Expressions, m: Scalar, k: Scalar): readonly [high: Scalar, low: Scalar] {
  const f = e.sub(m, 1);
  const d = e.add(m, 1);
  const dHigh = e.high(d);
  const dLow = e.sub(m, e.sub(dHigh, 1));
  const inverse = e.div(1, d);
  const s = e.mul(f, inverse);
  const sHigh = e.high(s);
  const sLow = e.mul(inverse, e.sub(e.sub(f, e.mul(sHigh, dHigh)), e.mul(sHigh, dLow)));
  const w = e.mul(s, s);
  const r = e.add(
    e.mul(e.mul(w, w), e.polynomial(w, [0.351451874, 0.428200006, 0.600002348])),
    e.mul(sLow, e.add(sHigh, s)),
  );
  const square = e.mul(sHigh, sHigh);
  const tHigh = e.high(e.add(e.add(square, 3), r));
  const tLow = e.sub(r, e.sub(e.sub(tHigh, 3), square));
  const u = e.mul(sHigh, tHigh);
  const v = e.add(e.mul(sLow, tHigh), e.mul(tLow, s));
  const pHigh = e.high(e.add(u, v));
  const pLow = e.sub(v, e.sub(pHigh, u));
  const zHigh = e.mul(pHigh, CUBE_HIGH);
  const zLow = e.add(e.mul(pHigh, CUBE_LOW), e.mul(pLow, CUBE));
  const high = e.high(e.add(e.add(zHigh, zLow), k));
  return [high, e.sub(zLow, e.sub(e.sub(high, k), zHigh))];
}

function simplePower(e: Expressions, a: Scalar, exponent: number): Scalar | null {
  if (exponent === 0) return e.one();
  if (exponent === 1) return a;
  if (exponent === 2) return e.mul(a, a);
  if (exponent === 3) return e.mul(e.mul(a, a), a);
  if (exponent === -1) return e.div(1, a);
  if (exponent === 0.5) return e.sqrt(a);
  return exponent === -0.5 ? e.div(1, e.sqrt(a)) : null;
}

/**
 * a^b. x^0 = 1 for every x, NaN too; 1^±Infinity = 1, as in C; a negative base with a fractional exponent gives NaN.
 * Constant exponents 0, 1, 2, 3, -1, 1/2 and -1/2 become products, quotients and square roots (so (-Infinity)^(1/2) is NaN).
 */
function pow(e: Expressions, a: Scalar, b: Scalar): Scalar {
  const simple = b.kind === "const" ? simplePower(e, a, b.value) : null;
  if (simple) return simple;
  const size = e.abs(a);
  const { m, k } = splitAny(e, size);
  const [logHigh, logLow] = log2Parts(e, m, e.select(e.le(size, LARGEST), k, size));

  const exponent = e.clamp(b, -1e12, 1e12);
  const bHigh = e.high(exponent);
  const pHigh = e.mul(bHigh, logHigh);
  const pLow = e.add(e.mul(e.sub(exponent, bHigh), logHigh), e.mul(exponent, logLow));
  const z = e.add(pHigh, pLow);
  const t = e.add(z, ROUNDING);
  const r = e.add(e.sub(pHigh, e.sub(t, ROUNDING)), pLow);
  const q = e.polynomial(r, [0.000153275003, 0.00133912417, 0.0096185049, 0.0555035919, 0.240226477, 0.693147182]);
  const power = e.float(e.add(e.bits(e.add(e.mul(q, r), 1)), e.shl(e.bits(t), 23)));
  const bounded = e.select(e.lt(z, -126), 0, e.select(e.lt(z, 128), power, e.mul(z, LARGEST)));

  const fraction = e.ne(e.floor(b), b);
  const real = e.selectBits(e.and(e.lt(a, 0), fraction), NAN, bounded);
  const zeroOrInfinite = e.and(e.or(e.eq(size, 0), e.gt(size, LARGEST)), e.eq(b, b));
  const extreme = e.select(e.xor(e.gt(size, 1), e.lt(b, 0)), e.integer(INFINITY), 0);
  const magnitude = e.select(zeroOrInfinite, extreme, e.bits(real));
  const half = e.mul(b, 0.5);
  const odd = e.and(e.ne(e.floor(half), half), e.eq(e.floor(b), b));
  const sign = e.select(odd, e.and(e.bits(a), SIGN), 0);
  return e.select(e.eq(b, 0), 1, e.float(e.or(magnitude, sign)));
}

/**
 * a - trunc(a / b) b with the sign of a, exact while |a / b| < 2^24, beyond which f32 skips integers; 0 from there on.
 * x rem 0 and Infinity rem x are NaN.
 */
function rem(e: Expressions, a: Scalar, b: Scalar): Scalar {
  const x = e.abs(a);
  const y = e.abs(b);
  const quotient = e.div(x, y);
  const q = e.floor(quotient);
  const qHigh = e.high(q);
  const qLow = e.sub(q, qHigh);
  const yHigh = e.high(y);
  const yLow = e.sub(y, yHigh);
  // Each product has at most 24 bits.
  let r = e.sub(x, e.mul(qHigh, yHigh));
  r = e.sub(r, e.mul(qHigh, yLow));
  r = e.sub(r, e.mul(qLow, yHigh));
  r = e.sub(r, e.mul(qLow, yLow));
  r = e.select(e.lt(r, 0), e.add(r, y), r);
  r = e.select(e.ge(r, y), e.sub(r, y), r);
  r = e.select(e.ge(quotient, 2 ** 24), e.div(e.mul(x, 0), y), r);
  return e.signed(e.select(e.lt(x, y), x, r), a);
}
