import { interpret } from "../backends/reference/interpret.ts";
import type { Feeds } from "../compile/backend.ts";
import { type DType, type HostData, type Shape, sameShape, sizeOf } from "../core/dtype.ts";
import { HostArray } from "../core/host-array.ts";
import type { InputRole, Program } from "../ir/program.ts";
import { type PrimitiveName, primitiveNames } from "../ops/table.ts";
import type { Tensor } from "../ops/tensor.ts";
import { call, cond, scan, whileLoop } from "../trace/control.ts";
import { valueAndGrad } from "../trace/grad.ts";
import { type OutputSpec, type Tracer, traceProgram } from "../trace/trace.ts";
import { Random } from "./random.ts";
import { drawInput, f32, type InputSpec } from "./samples/sample.ts";
import { samplePrimitives } from "./samples/table.ts";

export type RandomProgram = {
  readonly seed: number;
  readonly program: Program;
  readonly steps: number;
  /** What the store holds before the first step. */
  readonly stored: Readonly<Record<string, HostArray>>;
  readonly feeds: Feeds;
};

export type RandomProgramOptions = {
  /** Number of primitives chosen; what fits their inputs together comes on top. Default 3 to 14 by the seed. */
  readonly size?: number;
  /** Allows `scan`, `while`, `cond` and `call`. Default true. */
  readonly control?: boolean;
  /** Wraps about a third of the programs in a gradient. Default true. */
  readonly gradients?: boolean;
  /** Larger arrays, enough to be split over threads. Default false. */
  readonly large?: boolean;
  /** Primitives to choose from. Default all. */
  readonly primitives?: readonly PrimitiveName[];
};

/**
 * A random valid program with values for its inputs: the same one for the same seed and options. Each primitive is applied to
 * values of earlier ones, cut, repeated and squashed to fit the shapes and the domain of its row in `samplePrimitives`.
 *
 * @example
 * const { program } = randomProgram(7);
 * printProgram(program)
 */
export function randomProgram(seed: number, options: RandomProgramOptions = {}): RandomProgram {
  const random = new Random(seed, { large: options.large ?? false });
  let builder: Builder | undefined;
  const steps = random.chance(0.25) ? 2 : 1;
  const program = traceProgram([], (_, tracer) => {
    builder = new Builder(tracer, random, options);
    return builder.build();
  });
  const { leaves } = builder as unknown as Builder;
  const stored: Record<string, HostArray> = {};
  const feeds: Record<string, HostData> = {};
  for (const { path, role, spec, value } of leaves) {
    if (role !== "feed") stored[path] = value;
    else feeds[path] = joined(Array.from({ length: steps }, (_, i) => (i === 0 ? value : drawInput(random, spec))));
  }
  return { seed, program, steps, stored, feeds };
}

function joined(values: readonly HostArray[]): HostData {
  const [first] = values as [HostArray];
  const data = first.data.slice(0, 0).constructor as new (length: number) => HostData;
  const out = new data(first.data.length * values.length);
  for (const [i, value] of values.entries()) out.set(value.data, i * value.data.length);
  return out;
}

type Leaf = { readonly path: string; readonly role: InputRole; readonly spec: InputSpec; readonly value: HostArray };

/** Traces a program while it evaluates it in doubles, so that each value's range is known. */
class Builder {
  readonly leaves: Leaf[] = [];
  private readonly tracer: Tracer;
  private readonly random: Random;
  private readonly options: RandomProgramOptions;
  private readonly values = new Map<number, HostArray>();
  private readonly used = new Set<number>();
  private evaluated = 0;
  private pool: Tensor[] = [];

  constructor(tracer: Tracer, random: Random, options: RandomProgramOptions) {
    this.tracer = tracer;
    this.random = random;
    this.options = options;
  }

  build(): OutputSpec[] {
    const { random } = this;
    const size = this.options.size ?? random.integer(3, 14);
    const results: Tensor[] = [];
    if ((this.options.gradients ?? true) && random.chance(0.35)) {
      const params = Array.from({ length: random.integer(1, 3) }, () => this.leaf(f32(random.shape())));
      const [loss, grads] = valueAndGrad((own: readonly Tensor[]) => {
        this.settle();
        // Gradients flow to the renamed parameters only.
        this.pool = this.pool.filter((t) => !params.includes(t)).concat(own);
        this.grow(size, true);
        return this.loss();
      })(params);
      results.push(loss, ...grads);
      this.settle();
    } else {
      this.grow(size, false);
    }
    return this.outputs(results);
  }

  /** Evaluates what was traced since the last call. */
  private settle(): void {
    for (; this.evaluated < this.tracer.equations.length; this.evaluated++) {
      const equation = this.tracer.equations[this.evaluated] as Program["equations"][number];
      const program: Program = {
        inputs: equation.inputs.map((value, i) => ({ path: `${i}`, value, role: "argument" })),
        equations: [equation],
        outputs: equation.outputs.map((value, i) => ({ path: `${i}`, value, role: "result" })),
      };
      const inputs = equation.inputs.map((v) => this.values.get(v.id) as HostArray);
      const outputs = interpret(program, inputs, "f64");
      for (const [i, v] of equation.outputs.entries()) this.values.set(v.id, outputs[i] as HostArray);
    }
  }

  private leaf(spec: InputSpec): Tensor {
    const role = this.random.pick(["feed", "feed", "state", "data"] as const);
    const path = `${role}.${this.leaves.length}`;
    const value = drawInput(this.random, spec);
    const tensor = this.tracer.input(path, value.aval, role);
    this.leaves.push({ path, role, spec, value });
    this.values.set(
      tensor.variable.id,
      value.dtype === "f32" ? new HostArray("f32", value.shape, Float64Array.from(value.data)) : value,
    );
    this.pool.push(tensor);
    return tensor;
  }

  private add(tensors: readonly Tensor[]): void {
    this.settle();
    for (const t of tensors) if (!this.pool.some((known) => known.variable.id === t.variable.id)) this.pool.push(t);
  }

  private grow(size: number, differentiable: boolean): void {
    const { random } = this;
    const names = this.options.primitives ?? primitiveNames;
    for (let i = 0; i < size; i++) {
      if ((this.options.control ?? true) && random.chance(0.12)) {
        this.add([this.control(differentiable)]);
        continue;
      }
      const name = random.pick(names);
      const row = samplePrimitives[name];
      const { params, inputs } = row.draw(
        random,
        differentiable && row.dtypes.includes("f32") ? "f32" : random.pick(row.dtypes),
      );
      const first = inputs.map((spec) => this.fitting(spec));
      this.add(this.tracer.bind(name, params, first));
    }
  }

  /** A value of the pool, or a new leaf, as a spec wants it. */
  private fitting(spec: InputSpec): Tensor {
    const { random } = this;
    const candidates = this.pool.filter((t) => t.dtype === spec.dtype && sizeOf(t.shape) > 0);
    if (candidates.length === 0 || random.chance(0.3)) return this.leaf(spec);
    // Late values are likelier, so that programs grow deep.
    const from = candidates.slice(-random.integer(1, candidates.length));
    const chosen = random.pick(from);
    this.used.add(chosen.variable.id);
    return this.inRange(this.shaped(chosen, spec.shape), spec);
  }

  private shaped(tensor: Tensor, shape: Shape): Tensor {
    const { random } = this;
    if (sameShape(tensor.shape, shape)) return tensor;
    const [from, to] = [sizeOf(tensor.shape), sizeOf(shape)];
    const flat = tensor.reshape([from]);
    let resized = flat;
    if (from > to) {
      const stride = Math.max(1, Math.min(random.integer(1, 3), Math.floor((from - 1) / Math.max(1, to - 1))));
      const start = random.integer(0, from - 1 - (to - 1) * stride);
      resized = flat.slice([start], [start + (to - 1) * stride + 1], [stride]);
    } else if (from < to) {
      const way = random.integer(0, 2);
      const times = Math.ceil(to / from);
      if (way === 0)
        resized = flat
          .broadcastTo([times, from], [1])
          .reshape([times * from])
          .narrow(0, 0, to);
      else if (way === 1) resized = flat.gather(flat.iota([to], 0).rem(from));
      else resized = flat.pad([random.integer(0, 1)], [to], tensor.dtype === "f32" ? 0.5 : 1).narrow(0, 0, to);
    }
    return resized.reshape(shape);
  }

  /** A value that leaves its range is squashed into it: f32 by tanh, integers by a remainder. */
  private inRange(tensor: Tensor, { dtype, low, high }: InputSpec): Tensor {
    this.settle();
    const { data } = this.values.get(tensor.variable.id) as HostArray;
    let inside = true;
    for (const x of data) if (!(x >= low && x <= high)) inside = false;
    if (inside || dtype === "bool") return tensor;
    if (dtype === "f32") {
      const half = (high - low) / 2;
      return tensor
        .tanh()
        .mul(half * 0.98)
        .add(low + half);
    }
    if (dtype === "u8")
      return tensor
        .cast("i32")
        .rem(high - low + 1)
        .add(low)
        .cast("u8");
    const half = Math.floor((high - low) / 2);
    return tensor.rem(half + 1).add(Math.ceil((low + high) / 2));
  }

  private vector(length: number): Tensor {
    return this.fitting(f32([length]));
  }

  /** One of the four kinds of control flow with a small body. */
  private control(differentiable: boolean): Tensor {
    const { random } = this;
    const n = random.pick([1, 3, 5, 8]);
    const weight = this.vector(n);
    const start = this.vector(n);
    switch (random.pick(["scan", "while", "cond", "call"] as const)) {
      case "scan": {
        const length = random.integer(1, 4);
        const xs = this.fitting(f32([length, n]));
        const [end, ys] = scan(
          (c: Tensor, x: Tensor) => [c.mul(weight).add(x).tanh(), c.sub(x).square().sum()],
          start,
          xs,
          {
            reverse: random.chance(0.5),
          },
        );
        return end.mul(ys.sum());
      }
      case "while": {
        const times = random.integer(0, 4);
        const [from, by] = differentiable ? [start.stopGradient(), weight.stopGradient()] : [start, weight];
        const loop = whileLoop(
          (c: { readonly v: Tensor; readonly i: Tensor }) => c.i.less(times),
          (c) => ({ v: c.v.mul(by).add(0.25), i: c.i.add(1) }),
          { v: from, i: from.full(0, [], "i32") },
        );
        return loop.v;
      }
      case "cond": {
        const predicate = random.chance(0.5) ? start.sum().greater(0.1) : start.full(random.integer(0, 1), [], "bool");
        return cond(
          predicate,
          (x: Tensor) => x.mul(weight).sin(),
          (x) => x.sub(weight).square(),
          start,
        );
      }
      case "call":
        return call("block", (x: Tensor) => x.mul(weight).sigmoid().add(x), start);
    }
  }

  /** A scalar that depends on every f32 value that nothing else used. */
  private loss(): Tensor {
    const ends = this.pool.filter((t) => t.dtype === "f32" && !this.used.has(t.variable.id));
    const terms = ends.map((t) => {
      const bounded = this.inRange(t, f32([], -20, 20));
      return bounded.mul(bounded).mean();
    });
    for (const t of ends) this.used.add(t.variable.id);
    return terms.reduce((a, b) => a.add(b), (this.pool[0] as Tensor).full(0, [], "f32"));
  }

  private outputs(results: readonly Tensor[]): OutputSpec[] {
    const { random } = this;
    this.settle();
    const written: OutputSpec[] = [];
    for (const { path, role, spec } of this.leaves) {
      if (role !== "state" || random.chance(0.4)) continue;
      written.push({ path, value: this.inRange(this.shapedLike(spec), spec), role: "state" });
    }
    const ends = this.pool.filter((t) => !this.used.has(t.variable.id) || random.chance(0.1));
    const handed = [...results, ...ends].map((value, i): OutputSpec => ({ path: `y${i}`, value, role: "result" }));
    return [...handed, ...written];
  }

  private shapedLike({ dtype, shape }: { readonly dtype: DType; readonly shape: Shape }): Tensor {
    const candidates = this.pool.filter((t) => t.dtype === dtype);
    return this.shaped(this.random.pick(candidates), shape);
  }
}
