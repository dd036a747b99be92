import * as nn from "../../../src/nn/functional.ts";
import type { Tensor } from "../../../src/ops/tensor.ts";
import { type Call, dtypeOf } from "../call.ts";
import { ELEMENT_TYPES } from "../protobuf.ts";
import { binary, inSingles, type Operators, unary } from "./operator.ts";

const fold =
  (f: (a: Tensor, b: Tensor) => Tensor) =>
  (call: Call): Tensor =>
    call.all().reduce(f);

/** Remainder with the divisor's sign, as Python's. */
function modulo(a: Tensor, b: Tensor): Tensor {
  const r = a.rem(b);
  return r
    .notEqual(0)
    .and(r.less(0).notEqual(b.less(0)))
    .select(r.add(b), r);
}

function power(a: Tensor, b: Tensor): Tensor {
  // Powers of integers are exact in single precision but for rounding, as long as they are below 2^24.
  if (a.dtype !== "f32") return a.cast("f32").pow(b.cast("f32")).round().cast("i32");
  return a.pow(b.cast("f32"));
}

function clip(call: Call): Tensor {
  const x = call.number(0);
  const low = call.has(1) ? x.maximum(call.number(1)) : x;
  return call.has(2) ? low.minimum(call.number(2)) : low;
}

const SELU = { alpha: 1.6732632423543772, gamma: 1.0507009873554805 };

function castTo(x: Tensor, type: (typeof ELEMENT_TYPES)[number]): Tensor {
  return x.cast(dtypeOf(type));
}

export const elementwiseOperators: Operators = {
  Identity: (call) => call.tensor(0),
  Neg: unary((x) => x.neg()),
  Abs: unary((x) => x.abs()),
  Sign: unary((x) => x.sign()),
  Exp: unary((x) => x.exp()),
  Log: unary((x) => x.log()),
  Sqrt: unary((x) => x.sqrt()),
  Reciprocal: unary((x) => x.reciprocal()),
  Sin: unary((x) => x.sin()),
  Cos: unary((x) => x.cos()),
  Tan: unary((x) => x.sin().div(x.cos())),
  Sinh: unary((x) => x.exp().sub(x.neg().exp()).mul(0.5)),
  Cosh: unary((x) => x.exp().add(x.neg().exp()).mul(0.5)),
  Tanh: unary((x) => x.tanh()),
  Asinh: unary((x) => x.abs().add(x.square().add(1).sqrt()).log().mul(x.sign())),
  Acosh: unary((x) => x.add(x.square().sub(1).sqrt()).log()),
  Atanh: unary((x) => x.log1p().sub(x.neg().log1p()).mul(0.5)),
  Erf: unary((x) => x.erf()),
  Floor: unary((x) => x.floor()),
  Ceil: unary((x) => x.ceil()),
  Round: unary((x) => x.round()),
  Not: (call) => call.tensor(0).not(),
  IsNaN: unary((x) => x.notEqual(x)),
  IsInf: unary((x, call) => {
    const found = x.full(0, x.shape, "bool");
    const positive = call.flag("detect_positive", true) ? found.or(x.equal(Infinity)) : found;
    return call.flag("detect_negative", true) ? positive.or(x.equal(-Infinity)) : positive;
  }),
  Cast: (call) => castTo(call.tensor(0), ELEMENT_TYPES[call.attribute("to", 0)] ?? "undefined"),
  CastLike: (call) => castTo(call.tensor(0), call.typeOf(1)),

  Add: binary((a, b) => a.add(b)),
  Sub: binary((a, b) => a.sub(b)),
  Mul: binary((a, b) => a.mul(b)),
  Div: binary((a, b) => a.div(b)),
  Mod: binary((a, b, call) => (call.flag("fmod") ? a.rem(b) : modulo(a, b))),
  Pow: binary(power),
  And: (call) => call.tensor(0).and(call.tensor(1)),
  Or: (call) => call.tensor(0).or(call.tensor(1)),
  Xor: (call) => call.tensor(0).xor(call.tensor(1)),
  BitShift: binary((a, b, call) => (call.text("direction", "") === "LEFT" ? a.shiftLeft(b) : a.shiftRight(b))),
  Equal: (call) => call.tensor(0).equal(call.tensor(1)),
  Less: binary((a, b) => a.less(b)),
  LessOrEqual: binary((a, b) => a.lessEqual(b)),
  Greater: binary((a, b) => a.greater(b)),
  GreaterOrEqual: binary((a, b) => a.greaterEqual(b)),
  Where: (call) => call.tensor(0).select(call.tensor(1), call.tensor(2)),
  Max: fold((a, b) => a.maximum(b)),
  Min: fold((a, b) => a.minimum(b)),
  Sum: fold((a, b) => a.add(b)),
  Mean: (call) =>
    call
      .all()
      .reduce((a, b) => a.add(b))
      .mul(1 / call.count),
  Clip: clip,

  Relu: unary((x) => x.relu()),
  LeakyRelu: unary((x, call) => nn.leakyRelu(x, call.attribute("alpha", 0.01))),
  ThresholdedRelu: unary((x, call) => nn.threshold(x, call.attribute("alpha", 1), 0)),
  PRelu: binary((x, slope) => nn.prelu(x, slope)),
  Elu: unary((x, call) => nn.elu(x, call.attribute("alpha", 1))),
  Celu: unary((x, call) => nn.celu(x, call.attribute("alpha", 1))),
  Selu: unary((x, call) => {
    const { alpha, gamma } = call.node.attributes;
    return alpha || gamma ? nn.elu(x, alpha?.number ?? SELU.alpha).mul(gamma?.number ?? SELU.gamma) : nn.selu(x);
  }),
  Sigmoid: unary((x) => x.sigmoid()),
  HardSigmoid: unary((x, call) => x.mul(call.attribute("alpha", 0.2)).add(call.attribute("beta", 0.5)).clip(0, 1)),
  HardSwish: unary((x) => nn.hardSwish(x)),
  Softplus: unary((x) => nn.softplus(x)),
  Softsign: unary((x) => nn.softsign(x)),
  Shrink: unary((x, call) =>
    inSingles(x, (y) => {
      const [lambda, bias] = [call.attribute("lambd", 0.5), call.attribute("bias", 0)];
      return bias === lambda ? nn.softshrink(y, lambda) : nn.hardshrink(y, lambda);
    }),
  ),
};
