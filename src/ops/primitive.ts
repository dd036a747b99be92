import type { Aval } from "../core/dtype.ts";
import type { HostArray } from "../core/host-array.ts";
import type { Index, Loops, Scalar } from "../ir/loops.ts";
import type { Tensor } from "./tensor.ts";

/** An input of an element rule: its type, and its element at an index. */
export type Source = { readonly aval: Aval; at(index: readonly Index[]): Scalar };

export type Params = Readonly<Record<string, unknown>>;

/** One object, one place: shape rule, derivative, element rule, oracle. */
export interface Primitive<P = Params> {
  readonly name: string;
  /** Every output element depends on the same-index elements of the inputs alone. */
  readonly elementwise?: true;
  /** The only place that decides the output types. Throws ShapeError. */
  shape(params: P, ...inputs: readonly Aval[]): readonly Aval[];
  /**
   * Cotangents of the inputs in `Tensor` algebra (so they differentiate again), or "none": no gradient flows.
   * A cotangent of an output is null where nothing depends on that output; null or undefined for an input: no gradient.
   */
  readonly vjp: "none" | Vjp<P>;
  /** Element `index` of output `output`. Contractions, reductions and scatters are lowered by templates of the compiler instead. */
  lower?(loops: Loops, params: P, inputs: readonly Source[], index: readonly Index[], output: number): Scalar;
  /** Plain evaluation for the reference backend; arrays of dtype f32 may hold doubles, and results then do too. */
  evaluate(params: P, ...inputs: readonly HostArray[]): readonly HostArray[];
}

export type Vjp<P = Params> = {
  bivariant(
    cotangents: readonly (Tensor | null)[],
    params: P,
    outputs: readonly Tensor[],
    ...inputs: readonly Tensor[]
  ): readonly (Tensor | null | undefined)[];
}["bivariant"];
