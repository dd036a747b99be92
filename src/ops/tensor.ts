import {
  type Aval,
  broadcastShapes,
  type DType,
  formatAval,
  normalizeAxes,
  normalizeAxis,
  type Shape,
  sameShape,
  sizeOf,
} from "../core/dtype.ts";
import { ShapeError, TraceError } from "../core/errors.ts";
import type { HostArray } from "../core/host-array.ts";
import type { Program, Var } from "../ir/program.ts";
import {
  type ConvOptions,
  type ConvParams,
  type ConvTransposeOptions,
  convParams,
  convTransposeParams,
  type PoolOptions,
  type PoolParams,
  pair,
  poolParams,
} from "./geometry.ts";

/** What records equations. Implemented by `trace/`; a tensor carries its trace, so there is no ambient engine. */
export interface Trace {
  bind(
    primitive: string,
    params: Readonly<Record<string, unknown>>,
    inputs: readonly Tensor[],
    programs?: readonly Program[],
  ): readonly Tensor[];
  /** Hands the value out under a label: printed, or given to `onInspect`, after each step. */
  inspect(label: string, value: Tensor): void;
}

export type TensorLike = Tensor | number;

export type { ConvOptions, ConvParams, ConvTransposeOptions, PoolOptions, PoolParams };
export { pair };

/**
 * A value inside a trace: never a box of memory, so never disposed. Methods record equations and return new tensors.
 * Binary methods broadcast by NumPy's rule and never mix dtypes silently: use `cast`.
 */
export class Tensor {
  readonly aval: Aval;
  readonly trace: Trace;
  /** The program's variable that stands for this value. */
  readonly variable: Var;

  constructor(trace: Trace, variable: Var) {
    this.trace = trace;
    this.variable = variable;
    this.aval = variable.aval;
  }

  get shape(): Shape {
    return this.aval.shape;
  }
  get dtype(): DType {
    return this.aval.dtype;
  }
  get rank(): number {
    return this.aval.shape.length;
  }

  [Symbol.toPrimitive](hint: string): string {
    if (hint === "string") return `Tensor ${formatAval(this.aval)}`;
    throw new TraceError(
      `A traced ${formatAval(this.aval)} has no number yet: the function runs once to record the step. ` +
        "Use select(condition, a, b), cond(...) or x.greater(0) instead of if, ?: and <; use x.print(label) to see values.",
    );
  }

  private bind1(primitive: string, params: Readonly<Record<string, unknown>>, ...inputs: Tensor[]): Tensor {
    return this.trace.bind(primitive, params, [this, ...inputs])[0] as Tensor;
  }

  /** A constant of this tensor's trace, in this tensor's dtype unless given. */
  full(value: number, shape: Shape = [], dtype: DType = this.dtype): Tensor {
    return this.trace.bind("full", { value, shape, dtype }, [])[0] as Tensor;
  }
  /** Zeros of this shape and dtype. */
  zerosLike(): Tensor {
    return this.full(0, this.shape);
  }
  onesLike(): Tensor {
    return this.full(1, this.shape);
  }
  /** 0, 1, 2, ... along `axis` of `shape`. */
  iota(shape: Shape, axis: number, dtype: DType = "i32"): Tensor {
    return this.trace.bind("iota", { shape, axis, dtype }, [])[0] as Tensor;
  }
  /** A host array as a constant of this trace. */
  constant(value: HostArray): Tensor {
    return this.trace.bind("array", { value }, [])[0] as Tensor;
  }

  private binary(primitive: string, other: TensorLike, swap = false): Tensor {
    const right = typeof other === "number" ? this.full(other) : other;
    if (!(right instanceof Tensor))
      throw new TraceError(
        `${primitive}: got ${typeof right} beside ${formatAval(this.aval)}; expected a tensor or a number. Wrap an array with x.constant(array(...)).`,
      );
    if (right.dtype !== this.dtype)
      throw new ShapeError(
        `${primitive}: got ${formatAval(this.aval)} and ${formatAval(right.aval)}; expected one dtype. Use .cast("${this.dtype}").`,
      );
    const shape = broadcastShapes(primitive, this.shape, right.shape);
    const a = this.broadcastTo(shape);
    const b = right.broadcastTo(shape);
    return swap ? b.bind1(primitive, {}, a) : a.bind1(primitive, {}, b);
  }

  add(other: TensorLike): Tensor {
    return this.binary("add", other);
  }
  sub(other: TensorLike): Tensor {
    return this.binary("sub", other);
  }
  /** other - this */
  rsub(other: TensorLike): Tensor {
    return this.binary("sub", other, true);
  }
  mul(other: TensorLike): Tensor {
    return this.binary("mul", other);
  }
  /** Division; i32 truncates towards zero, and x / 0 is 0 for i32. */
  div(other: TensorLike): Tensor {
    return this.binary("div", other);
  }
  /** other / this */
  rdiv(other: TensorLike): Tensor {
    return this.binary("div", other, true);
  }
  /** Remainder with the dividend's sign (C's fmod, JavaScript's %). */
  rem(other: TensorLike): Tensor {
    return this.binary("rem", other);
  }
  pow(other: TensorLike): Tensor {
    return this.binary("pow", other);
  }
  /** Elementwise maximum; ties give half the gradient to each, as PyTorch's `torch.maximum`. NaN wins. */
  maximum(other: TensorLike): Tensor {
    return this.binary("max", other);
  }
  minimum(other: TensorLike): Tensor {
    return this.binary("min", other);
  }
  equal(other: TensorLike): Tensor {
    return this.binary("eq", other);
  }
  notEqual(other: TensorLike): Tensor {
    return this.binary("ne", other);
  }
  less(other: TensorLike): Tensor {
    return this.binary("lt", other);
  }
  lessEqual(other: TensorLike): Tensor {
    return this.binary("le", other);
  }
  greater(other: TensorLike): Tensor {
    return this.binary("gt", other);
  }
  greaterEqual(other: TensorLike): Tensor {
    return this.binary("ge", other);
  }
  /** Bitwise on i32, logical on bool. */
  and(other: TensorLike): Tensor {
    return this.binary("and", other);
  }
  or(other: TensorLike): Tensor {
    return this.binary("or", other);
  }
  xor(other: TensorLike): Tensor {
    return this.binary("xor", other);
  }
  shiftLeft(other: TensorLike): Tensor {
    return this.binary("shl", other);
  }
  /** Logical: zeros come in. */
  shiftRight(other: TensorLike): Tensor {
    return this.binary("shr", other);
  }
  not(): Tensor {
    return this.bind1("not", {});
  }

  neg(): Tensor {
    return this.bind1("neg", {});
  }
  abs(): Tensor {
    return this.bind1("abs", {});
  }
  sign(): Tensor {
    return this.bind1("sign", {});
  }
  exp(): Tensor {
    return this.bind1("exp", {});
  }
  expm1(): Tensor {
    return this.bind1("expm1", {});
  }
  log(): Tensor {
    return this.bind1("log", {});
  }
  log1p(): Tensor {
    return this.bind1("log1p", {});
  }
  sqrt(): Tensor {
    return this.bind1("sqrt", {});
  }
  rsqrt(): Tensor {
    return this.sqrt().rdiv(1);
  }
  square(): Tensor {
    return this.mul(this);
  }
  reciprocal(): Tensor {
    return this.rdiv(1);
  }
  sin(): Tensor {
    return this.bind1("sin", {});
  }
  cos(): Tensor {
    return this.bind1("cos", {});
  }
  tanh(): Tensor {
    return this.bind1("tanh", {});
  }
  sigmoid(): Tensor {
    return this.bind1("sigmoid", {});
  }
  erf(): Tensor {
    return this.bind1("erf", {});
  }
  floor(): Tensor {
    return this.bind1("floor", {});
  }
  ceil(): Tensor {
    return this.bind1("ceil", {});
  }
  /** To the nearest integer, ties to even. */
  round(): Tensor {
    return this.bind1("round", {});
  }
  relu(): Tensor {
    return this.bind1("relu", {});
  }
  cast(dtype: DType): Tensor {
    return dtype === this.dtype ? this : this.bind1("cast", { dtype });
  }
  /** The value, through which no gradient flows. */
  stopGradient(): Tensor {
    return this.bind1("stopGradient", {});
  }
  /** this ? a : b, for a bool tensor. */
  select(a: TensorLike, b: TensorLike): Tensor {
    if (this.dtype !== "bool") throw new ShapeError(`select: got a condition ${formatAval(this.aval)}; expected bool.`);
    const first = typeof a === "number" ? (typeof b === "number" ? this.full(a, [], "f32") : b.full(a)) : a;
    const second = typeof b === "number" ? first.full(b) : b;
    if (first.dtype !== second.dtype)
      throw new ShapeError(`select: got ${formatAval(first.aval)} and ${formatAval(second.aval)}; expected one dtype.`);
    const shape = broadcastShapes("select", broadcastShapes("select", this.shape, first.shape), second.shape);
    return this.broadcastTo(shape).bind1("select", {}, first.broadcastTo(shape), second.broadcastTo(shape));
  }
  /** Between `low` and `high`; the gradient passes from end to end, both included, as PyTorch's `clamp`. */
  clip(low: number, high: number): Tensor {
    const inside = this.greaterEqual(low).and(this.lessEqual(high));
    return inside.select(this, this.maximum(low).minimum(high).stopGradient());
  }

  private reduce(primitive: string, axes: number | readonly number[] | undefined, keepDims: boolean): Tensor {
    const list = normalizeAxes(primitive, axes, this.rank);
    const out = list.length === 0 ? this : this.bind1(primitive, { axes: list });
    return keepDims ? out.reshape(this.shape.map((n, i) => (list.includes(i) ? 1 : n))) : out;
  }
  /** Sum over `axes` (all by default). */
  sum(axes?: number | readonly number[], options: { readonly keepDims?: boolean } = {}): Tensor {
    return this.reduce("sum", axes, options.keepDims ?? false);
  }
  mean(axes?: number | readonly number[], options: { readonly keepDims?: boolean } = {}): Tensor {
    const list = normalizeAxes("mean", axes, this.rank);
    const count = list.reduce((n, axis) => n * (this.shape[axis] as number), 1);
    return this.sum(list, options).mul(1 / count);
  }
  /** Largest value over `axes`; ties share the gradient equally, as PyTorch's `amax`. */
  max(axes?: number | readonly number[], options: { readonly keepDims?: boolean } = {}): Tensor {
    return this.reduce("reduceMax", axes, options.keepDims ?? false);
  }
  min(axes?: number | readonly number[], options: { readonly keepDims?: boolean } = {}): Tensor {
    return this.reduce("reduceMin", axes, options.keepDims ?? false);
  }
  /** i32 index of the first largest value. */
  argmax(axis: number): Tensor {
    return this.bind1("argmax", { axis: normalizeAxis("argmax", axis, this.rank) });
  }
  argmin(axis: number): Tensor {
    return this.neg().argmax(axis);
  }
  /** Biased variance by default (`ddof` 0), as layer and batch norm use it; torch.var's default is 1. */
  variance(
    axes?: number | readonly number[],
    options: { readonly keepDims?: boolean; readonly ddof?: number } = {},
  ): Tensor {
    const list = normalizeAxes("variance", axes, this.rank);
    const count = list.reduce((n, axis) => n * (this.shape[axis] as number), 1);
    const centred = this.sub(this.mean(list, { keepDims: true }));
    return centred
      .square()
      .sum(list, { keepDims: options.keepDims ?? false })
      .mul(1 / (count - (options.ddof ?? 0)));
  }

  /** [..., M, K] x [..., K, N] -> [..., M, N]; leading axes broadcast; a vector counts as one row (left) or column (right). */
  matmul(other: Tensor): Tensor {
    if (this.rank === 0 || other.rank === 0 || this.dtype !== "f32" || other.dtype !== "f32")
      throw new ShapeError(
        `matmul: got ${formatAval(this.aval)} and ${formatAval(other.aval)}; expected f32 of rank 1 or more.`,
      );
    if (this.rank === 1)
      return this.reshape([1, ...this.shape])
        .matmul(other)
        .squeeze(other.rank === 1 ? 0 : -2);
    if (other.rank === 1) return this.matmul(other.reshape([...other.shape, 1])).squeeze(-1);
    if (this.shape.at(-1) !== other.shape.at(-2))
      throw new ShapeError(
        `matmul: got ${formatAval(this.aval)} and ${formatAval(other.aval)}; expected the last axis of the first to equal the last but one of the second.`,
      );
    if (other.rank === 2 && this.rank > 2) {
      const rows = sizeOf(this.shape.slice(0, -1));
      return this.reshape([rows, this.shape.at(-1) as number])
        .matmul(other)
        .reshape([...this.shape.slice(0, -1), other.shape[1] as number]);
    }
    const batch = broadcastShapes("matmul", this.shape.slice(0, -2), other.shape.slice(0, -2));
    const a = this.broadcastTo([...batch, ...this.shape.slice(-2)]);
    return a.bind1("dot", {}, other.broadcastTo([...batch, ...other.shape.slice(-2)]));
  }

  /**
   * Cross-correlation, as in PyTorch: x [N, C, H, W], weight [O, C / groups, kh, kw] -> [N, O, OH, OW],
   * OH = floor((H + top + bottom - dilation (kh - 1) - 1) / stride) + 1.
   */
  conv2d(weight: Tensor, options: ConvOptions = {}): Tensor {
    return this.bind1("conv2d", convParams(options, weight.shape), weight);
  }

  /**
   * The gradient of a convolution by its input, as in PyTorch: x [N, C, H, W], weight [C, O / groups, kh, kw] -> [N, O, OH, OW],
   * OH = (H - 1) stride - 2 padding + dilation (kh - 1) + outputPadding + 1.
   */
  convTranspose2d(weight: Tensor, options: ConvTransposeOptions = {}): Tensor {
    const [params, zeros] = convTransposeParams(this.aval, weight.aval, options);
    return this.bind1("convInputGrad", params, weight).pad([0, 0, 0, 0], [0, 0, ...zeros]);
  }

  /** Largest value of each window of [N, C, H, W]; the first index wins a tie, as in PyTorch. */
  maxPool2d(window: number | readonly [number, number], options: PoolOptions = {}): Tensor {
    return this.bind1("maxPool", poolParams(window, options));
  }
  avgPool2d(window: number | readonly [number, number], options: PoolOptions = {}): Tensor {
    const [height, width] = pair(window);
    return this.sumPool2d(window, options).mul(1 / (height * width));
  }
  /** Sum of each window of [N, C, H, W]. */
  sumPool2d(window: number | readonly [number, number], options: PoolOptions = {}): Tensor {
    return this.bind1("sumPool", poolParams(window, options));
  }

  /** Same elements in row-major order under another shape; one size may be -1. */
  reshape(shape: Shape): Tensor {
    const known = shape.reduce((n, size) => (size === -1 ? n : n * size), 1);
    const resolved = shape.map((size) => (size === -1 ? sizeOf(this.shape) / known : size));
    if (sizeOf(resolved) !== sizeOf(this.shape) || resolved.some((size) => !Number.isInteger(size) || size < 0))
      throw new ShapeError(
        `reshape: got ${formatAval(this.aval)} to [${shape}]; expected ${sizeOf(this.shape)} elements.`,
      );
    return sameShape(resolved, this.shape) ? this : this.bind1("reshape", { shape: resolved });
  }
  /** Merges the axes from `start` on. */
  flatten(start = 0): Tensor {
    const from = normalizeAxis("flatten", start, this.rank);
    return this.reshape([...this.shape.slice(0, from), sizeOf(this.shape.slice(from))]);
  }
  squeeze(axis: number): Tensor {
    const at = normalizeAxis("squeeze", axis, this.rank);
    if (this.shape[at] !== 1)
      throw new ShapeError(`squeeze: got ${formatAval(this.aval)}, axis ${axis}; expected size 1 there.`);
    return this.reshape(this.shape.filter((_, i) => i !== at));
  }
  unsqueeze(axis: number): Tensor {
    const at = normalizeAxis("unsqueeze", axis, this.rank + 1);
    return this.reshape([...this.shape.slice(0, at), 1, ...this.shape.slice(at)]);
  }
  /** Axes in the order given (reversed by default): output axis i is input axis `order[i]`. */
  transpose(order?: readonly number[]): Tensor {
    const axes = (order ?? this.shape.map((_, i) => this.rank - 1 - i)).map((axis) =>
      normalizeAxis("transpose", axis, this.rank),
    );
    if (axes.length !== this.rank || new Set(axes).size !== this.rank)
      throw new ShapeError(
        `transpose: got axes [${axes}] for ${formatAval(this.aval)}; expected each of its ${this.rank} axes once.`,
      );
    return axes.every((axis, i) => axis === i) ? this : this.bind1("transpose", { order: axes });
  }
  swapAxes(a: number, b: number): Tensor {
    const order = this.shape.map((_, i) => i);
    const i = normalizeAxis("swapAxes", a, this.rank);
    const j = normalizeAxis("swapAxes", b, this.rank);
    order[i] = j;
    order[j] = i;
    return this.transpose(order);
  }
  /** Repeats axes of size 1. With `axes`, input axis i becomes output axis `axes[i]`; else axes align at the last. */
  broadcastTo(shape: Shape, axes?: readonly number[]): Tensor {
    if (axes === undefined && sameShape(shape, this.shape)) return this;
    const placed = axes ?? this.shape.map((_, i) => shape.length - this.rank + i);
    const fits =
      placed.length === this.rank && placed.every((axis, i) => shape[axis] === this.shape[i] || this.shape[i] === 1);
    if (!fits || placed.some((axis, i) => axis < 0 || (i > 0 && axis <= (placed[i - 1] as number))))
      throw new ShapeError(
        `broadcastTo: got ${formatAval(this.aval)} to [${shape}]; expected equal sizes or 1 on each axis, counted from the last.`,
      );
    return this.bind1("broadcast", { shape, axes: placed });
  }
  /** Elements start, start + stride, ... before stop on each axis. */
  slice(start: readonly number[], stop: readonly number[], stride: readonly number[] = start.map(() => 1)): Tensor {
    return this.bind1("slice", { start, stop, stride });
  }
  /** One axis of `slice`. */
  narrow(axis: number, start: number, length: number): Tensor {
    const at = normalizeAxis("narrow", axis, this.rank);
    return this.slice(
      this.shape.map((_, i) => (i === at ? start : 0)),
      this.shape.map((n, i) => (i === at ? start + length : n)),
    );
  }
  /** `value` before and after each axis. */
  pad(low: readonly number[], high: readonly number[], value = 0): Tensor {
    return low.every((n) => n === 0) && high.every((n) => n === 0) ? this : this.bind1("pad", { low, high, value });
  }
  flip(axes: number | readonly number[]): Tensor {
    return this.bind1("flip", { axes: normalizeAxes("flip", axes, this.rank) });
  }
  concat(others: readonly Tensor[], axis: number): Tensor {
    return this.bind1("concatenate", { axis: normalizeAxis("concat", axis, this.rank) }, ...others);
  }
  /** Slices of `axis` chosen by an i32 tensor of any shape, which takes the axis's place. Indices are clamped into range. */
  gather(indices: Tensor, axis = 0): Tensor {
    return this.bind1("gather", { axis: normalizeAxis("gather", axis, this.rank) }, indices);
  }
  /** The transpose of `gather`: sums slices of this tensor into zeros of size `size` along `axis`, at `indices`. */
  scatterAdd(indices: Tensor, axis: number, size: number): Tensor {
    return this.bind1("scatterAdd", { axis, size }, indices);
  }
  /** One-hot of an i32 tensor: [...] -> [..., classes]. */
  oneHot(classes: number, dtype: DType = "f32"): Tensor {
    const shape = [...this.shape, classes];
    return this.unsqueeze(-1)
      .broadcastTo(shape)
      .equal(this.iota(shape, shape.length - 1))
      .cast(dtype);
  }

  /** x - max - ln sum exp(x - max) along `axis`. */
  logSoftmax(axis = -1): Tensor {
    const shifted = this.sub(this.max(axis, { keepDims: true }).stopGradient());
    return shifted.sub(shifted.exp().sum(axis, { keepDims: true }).log());
  }
  softmax(axis = -1): Tensor {
    const e = this.sub(this.max(axis, { keepDims: true }).stopGradient()).exp();
    return e.div(e.sum(axis, { keepDims: true }));
  }
  logSumExp(axis = -1): Tensor {
    const max = this.max(axis, { keepDims: true }).stopGradient();
    const at = normalizeAxis("logSumExp", axis, this.rank);
    return this.sub(max).exp().sum(at).log().add(max.squeeze(at));
  }

  /** Hands this value out after each step under `label`, and returns the tensor itself. */
  print(label: string): Tensor {
    this.trace.inspect(label, this);
    return this;
  }
}
