import type { Tensor } from "../../../src/ops/tensor.ts";
import type { Call, Outputs } from "../call.ts";

export type Operators = { readonly [name: string]: (call: Call) => Outputs };

/** A function of one floating input. */
export function unary(f: (x: Tensor, call: Call) => Tensor): (call: Call) => Tensor {
  return (call) => f(call.number(0), call);
}

export function binary(f: (a: Tensor, b: Tensor, call: Call) => Tensor): (call: Call) => Tensor {
  return (call) => f(call.number(0), call.number(1), call);
}

/** x as singles for what is defined on them alone, and back to what it was. */
export function inSingles(x: Tensor, f: (x: Tensor) => Tensor): Tensor {
  return x.dtype === "f32" ? f(x) : f(x.cast("f32")).cast(x.dtype);
}
