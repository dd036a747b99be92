import type { ReduceKernel } from "../../compile/kernel.ts";
import type { Scalar } from "../../ir/loops.ts";
import type { FuncBuilder, ModuleBuilder } from "./asm/module.ts";
import { Expander } from "./expand.ts";
import { ExpressionEmitter } from "./expression.ts";
import { HIGH, type KernelCode, kernelFunction, LOW, type Target } from "./kernel-code.ts";
import { chooseVectorLoop, coefficient, mergeLoops, type SizedLoop, type Uses, usesOf } from "./nest.ts";
import { openLoops } from "./open-loops.ts";
import { emitByRows, goesByRows } from "./reduce-rows.ts";

const UNROLL = 4;
/** Terms after which running f32 sums are closed into a second level: rounding grows with this, not with the sum's length. */
const CLOSE_AFTER = 128;

/**
 * A reduction: lanes along a kept axis where that is contiguous, else along a reduced one; the order of additions is fixed by the shape.
 * `byChunk`: iterations of the outermost loop are the jobs.
 */
export function emitReduce(module: ModuleBuilder, target: Target, kernel: ReduceKernel, byChunk: boolean): KernelCode {
  const expander = new Expander();
  const value = expander.scalar(kernel.value);
  const integer = value.lane !== "f32";
  const storeOnly = [{ view: kernel.target, index: kernel.index }];
  const uses = usesOf([value], kernel.operands, []);
  const all = usesOf([value], kernel.operands, storeOnly);
  const f = kernelFunction(module, kernel.name);
  const argmax = kernel.op === "argmax";
  const chunk = byChunk ? kernel.loops[0] : undefined;
  const keptNest = mergeLoops(kernel.loops, all, chunk && new Set([chunk]));
  const reducedNest = mergeLoops(kernel.reduced, uses, argmax ? new Set(kernel.reduced) : undefined);
  const removed = new Set([...keptNest.removed, ...reducedNest.removed]);
  const whole = { loops: [...keptNest.loops, ...reducedNest.loops], removed };
  const e = new ExpressionEmitter(f, target, kernel.operands, removed, null);
  e.countUses([value]);
  const work = whole.loops.reduce((n, l) => n * l.size, Math.max(1, uses.nodes / 4));
  const lanes = (argmax ? keptNest : whole).loops.filter(({ loop }) => loop !== chunk);
  const vector = chooseVectorLoop(whole, uses, lanes);
  // Guards along a lane loop would cut it into pieces, each with sums of its own: such values are reduced element by element.
  const plain = vector && !uses.guards.some((g) => coefficient(g.index, vector.loop) !== 0) ? vector : null;
  const ops = accumulation(kernel.op, integer);

  if (plain && keptNest.loops.includes(plain)) {
    const outer = keptNest.loops.filter((l) => l !== plain);
    const rows = { outer, reduced: reducedNest.loops, columns: plain, removed };
    if (keepsOpen(kernel.op, integer, lengthOf(reducedNest.loops)) && goesByRows(kernel, rows)) {
      emitByRows(f, target, kernel, expander.loops, value, rows, ops.init);
      return { func: f, jobs: (outer[0] as SizedLoop).size, work };
    }
    const block = 4 * UNROLL;
    const jobs = outer.length === 0 ? Math.ceil(plain.size / block) : (outer[0] as SizedLoop).size;
    const inside = (): void => {
      reduceAcross(f, e, plain, outer.length === 0 ? block : 0, (mode, copies) => {
        accumulate(f, e, kernel, ops, value, reducedNest.loops, mode, copies, integer);
      });
    };
    if (outer.length === 0) inside();
    else openLoops(f, e, outer, true, inside);
    return { func: f, jobs, work };
  }
  const outer = keptNest.loops;
  const inside = (): void => {
    if (plain)
      reduceAlong(
        f,
        e,
        kernel,
        ops,
        value,
        reducedNest.loops.filter((l) => l !== plain),
        plain,
        uses,
        integer,
      );
    else accumulate(f, e, kernel, ops, value, reducedNest.loops, "scalar", 1, integer);
  };
  if (outer.length === 0) {
    inside();
    return { func: f, jobs: 1, work };
  }
  openLoops(f, e, outer, true, inside);
  return { func: f, jobs: (outer[0] as SizedLoop).size, work };
}

type Accumulation = { readonly init: number; readonly combine: (f: FuncBuilder, mode: "vector" | "scalar") => void };

function accumulation(op: ReduceKernel["op"], integer: boolean): Accumulation {
  const kind = op === "argmax" ? "max" : op === "sum" ? "add" : op;
  const init = op === "sum" ? 0 : op === "min" ? (integer ? 0x7fffffff : Infinity) : integer ? -0x80000000 : -Infinity;
  return {
    init,
    combine: (f, mode) => {
      if (mode === "vector")
        f.op(
          integer ? (kind === "add" ? "i32x4.add" : kind === "max" ? "i32x4.max_s" : "i32x4.min_s") : `f32x4.${kind}`,
        );
      else if (!integer) f.op(`f32.${kind}`);
      else if (kind === "add") f.op("i32.add");
      else {
        const [x, y] = [f.local("i32"), f.local("i32")];
        f.set(y)
          .tee(x)
          .get(y)
          .get(x)
          .get(y)
          .op(kind === "max" ? "i32.gt_s" : "i32.lt_s")
          .op("select");
        f.release(x);
        f.release(y);
      }
    },
  };
}

type Accumulator = { readonly local: number; readonly type: "v128" | "f32" | "i32" };

/** Two-level sums: `step` after each round of terms, `finish` once at the end leaves the totals in the accumulators. */
type Closing = { readonly step: () => void; readonly finish: () => void };

const keepsOpen = (op: ReduceKernel["op"], integer: boolean, rounds: number): boolean =>
  op !== "sum" || integer || rounds <= 2 * CLOSE_AFTER;

const KEPT_OPEN: Closing = { step: () => {}, finish: () => {} };

function closing(
  f: FuncBuilder,
  op: ReduceKernel["op"],
  integer: boolean,
  rounds: number,
  accumulators: readonly Accumulator[],
): Closing {
  if (keepsOpen(op, integer, rounds)) return KEPT_OPEN;
  const left = f.local("i32");
  f.i32(CLOSE_AFTER).set(left);
  const pairs = accumulators.map(({ local, type }) => ({ local, type, closed: f.local(type) }));
  const zero = (type: Accumulator["type"]): FuncBuilder => (type === "v128" ? f.f32x4Splat(0) : f.f32(0));
  for (const { closed, type } of pairs) zero(type).set(closed);
  const close = ({ local, type, closed }: (typeof pairs)[number], into: number): void => {
    f.get(closed)
      .get(local)
      .op(type === "v128" ? "f32x4.add" : "f32.add")
      .set(into);
  };
  return {
    step: () => {
      f.get(left).i32(1).op("i32.sub").tee(left).op("i32.eqz");
      f.if(() => {
        for (const pair of pairs) {
          close(pair, pair.closed);
          zero(pair.type).set(pair.local);
        }
        f.i32(CLOSE_AFTER).set(left);
      });
    },
    finish: () => {
      for (const pair of pairs) close(pair, pair.local);
      for (const local of [left, ...pairs.map(({ closed }) => closed)]) f.release(local);
    },
  };
}

const lengthOf = (loops: readonly SizedLoop[]): number => loops.reduce((n, loop) => n * loop.size, 1);

/** Lanes along a kept loop: blocks of vectors, then vectors, then elements, each with its own accumulators. */
function reduceAcross(
  f: FuncBuilder,
  e: ExpressionEmitter,
  loop: SizedLoop,
  block: number,
  body: (mode: "vector" | "scalar", copies: number) => void,
): void {
  const at = f.local("i32");
  const end = f.local("i32");
  if (block > 0) {
    f.get(LOW).i32(block).op("i32.mul").set(at);
    f.get(HIGH).i32(block).op("i32.mul").set(end);
    f.get(end).i32(loop.size).get(end).i32(loop.size).op("i32.lt_s").op("select").set(end);
  } else {
    f.i32(0).set(at);
    f.i32(loop.size).set(end);
  }
  e.loopLocals.set(loop.loop, at);
  const run = (width: number, copies: number): void => {
    const step = width * copies;
    f.block((done) => {
      f.loop((again) => {
        f.get(at).i32(step).op("i32.add").get(end).op("i32.gt_s").brIf(done);
        e.lanesAlong(width === 4 ? loop.loop : null);
        body(width === 4 ? "vector" : "scalar", copies);
        e.lanesAlong(null);
        f.get(at).i32(step).op("i32.add").set(at);
        f.br(again);
      });
    });
  };
  if (loop.size >= 4 * UNROLL) run(4, UNROLL);
  if (loop.size >= 4) run(4, 1);
  if (loop.size % 4 !== 0) run(1, 1);
  e.loopLocals.delete(loop.loop);
  f.release(at);
  f.release(end);
}

/** Runs the reduced loops with accumulators in locals and stores the results. */
function accumulate(
  f: FuncBuilder,
  e: ExpressionEmitter,
  kernel: ReduceKernel,
  ops: Accumulation,
  value: Scalar,
  reduced: readonly SizedLoop[],
  mode: "vector" | "scalar",
  copies: number,
  integer: boolean,
): void {
  const vector = mode === "vector";
  const type = vector ? "v128" : integer ? "i32" : "f32";
  const constant = (): FuncBuilder =>
    vector ? (integer ? f.i32x4Splat(ops.init) : f.f32x4Splat(ops.init)) : integer ? f.i32(ops.init) : f.f32(ops.init);
  const sums = Array.from({ length: copies }, () => f.local(type));
  const places = kernel.op === "argmax" ? sums.map(() => f.local(vector ? "v128" : "i32")) : [];
  for (const local of sums) constant().set(local);
  for (const local of places) (vector ? f.i32x4Splat(0) : f.i32(0)).set(local);
  const levels = closing(
    f,
    kernel.op,
    integer,
    lengthOf(reduced),
    sums.map((local) => ({ local, type })),
  );
  openLoops(f, e, reduced, false, () => {
    sums.forEach((sum, u) => {
      e.atOffset(4 * u, () => {
        if (kernel.op === "argmax") {
          better(f, e, value, reduced, sum, places[u] as number, vector, integer);
          return;
        }
        f.get(sum);
        if (vector) e.vector(value);
        else e.scalar(value);
        ops.combine(f, mode);
        f.set(sum);
      });
    });
    levels.step();
  });
  levels.finish();
  sums.forEach((sum, u) => {
    e.atOffset(4 * u, () =>
      e.store(kernel.target.buffer, kernel.index, mode, () =>
        f.get(kernel.op === "argmax" ? (places[u] as number) : sum),
      ),
    );
  });
  for (const local of [...sums, ...places]) f.release(local);
}

/** Replaces the best where the value is greater, or the first NaN. */
function better(
  f: FuncBuilder,
  e: ExpressionEmitter,
  value: Scalar,
  reduced: readonly SizedLoop[],
  best: number,
  place: number,
  vector: boolean,
  integer: boolean,
): void {
  const loop = reduced[0];
  const position = (): void => {
    if (loop) f.get(e.loopLocals.get(loop.loop) as number);
    else f.i32(0);
  };
  const x = f.local(vector ? "v128" : integer ? "i32" : "f32");
  const wins = f.local(vector ? "v128" : "i32");
  if (vector) {
    e.vector(value);
    f.set(x);
    if (integer) f.get(x).get(best).op("i32x4.gt_s");
    else f.get(x).get(best).op("f32x4.le").op("v128.not").get(best).get(best).op("f32x4.eq").op("v128.and");
    f.set(wins);
    f.get(x).get(best).get(wins).op("v128.bitselect").set(best);
    position();
    f.op("i32x4.splat").get(place).get(wins).op("v128.bitselect").set(place);
  } else {
    e.scalar(value);
    f.set(x);
    if (integer) f.get(x).get(best).op("i32.gt_s");
    else f.get(x).get(best).op("f32.le").op("i32.eqz").get(best).get(best).op("f32.eq").op("i32.and");
    f.set(wins);
    f.get(x).get(best).get(wins).op("select").set(best);
    position();
    f.get(place).get(wins).op("select").set(place);
  }
  f.release(x);
  f.release(wins);
}

/** Lanes along a reduced loop: four accumulators, joined in a fixed order, then the tail's elements. */
function reduceAlong(
  f: FuncBuilder,
  e: ExpressionEmitter,
  kernel: ReduceKernel,
  ops: Accumulation,
  value: Scalar,
  others: readonly SizedLoop[],
  inner: SizedLoop,
  uses: Uses,
  integer: boolean,
): void {
  const vectors = Array.from({ length: UNROLL }, () => f.local("v128"));
  const tail = f.local(integer ? "i32" : "f32");
  for (const local of vectors) (integer ? f.i32x4Splat(ops.init) : f.f32x4Splat(ops.init)).set(local);
  (integer ? f.i32(ops.init) : f.f32(ops.init)).set(tail);
  const rowRounds = Math.floor(inner.size / (4 * UNROLL)) + (Math.floor(inner.size / 4) % UNROLL) + (inner.size % 4);
  const levels = closing(f, kernel.op, integer, lengthOf(others) * rowRounds, [
    ...vectors.map((local): Accumulator => ({ local, type: "v128" })),
    { local: tail, type: integer ? "i32" : "f32" },
  ]);
  const extreme = !integer && (kernel.op === "max" || kernel.op === "min") ? new ExtremeOfLanes(f, kernel.op) : null;
  openLoops(f, e, others, false, () => {
    const at = f.local("i32");
    f.i32(0).set(at);
    e.loopLocals.set(inner.loop, at);
    e.enter(inner.loop, true, [0, inner.size], uses.accesses, [value]);
    const run = (width: number, copies: number): void => {
      const step = width * copies;
      f.block((done) => {
        f.loop((again) => {
          f.get(at).i32(step).op("i32.add").i32(inner.size).op("i32.gt_s").brIf(done);
          for (let u = 0; u < copies; u++)
            e.atOffset(u * width, () => {
              const sum = width === 4 ? (vectors[u] as number) : tail;
              if (width === 4 && extreme) {
                e.vector(value);
                extreme.take(sum);
                return;
              }
              f.get(sum);
              if (width === 4) e.vector(value);
              else e.scalar(value);
              ops.combine(f, width === 4 ? "vector" : "scalar");
              f.set(sum);
            });
          levels.step();
          e.advance(step);
          f.get(at).i32(step).op("i32.add").set(at);
          f.br(again);
        });
      });
    };
    if (inner.size >= 4 * UNROLL) run(4, UNROLL);
    run(4, 1);
    if (inner.size % 4 !== 0) run(1, 1);
    e.leave();
    e.loopLocals.delete(inner.loop);
    f.release(at);
  });
  levels.finish();
  // ((0 1) (2 3)) of vectors, then of lanes, then the tail.
  const [a, b, c, d] = vectors as [number, number, number, number];
  f.get(a).get(b);
  ops.combine(f, "vector");
  f.get(c).get(d);
  ops.combine(f, "vector");
  ops.combine(f, "vector");
  f.set(a);
  extreme?.correct(a);
  const lane = (i: number): void => {
    f.get(a).op(integer ? "i32x4.extract_lane" : "f32x4.extract_lane", i);
  };
  lane(0);
  lane(1);
  ops.combine(f, "scalar");
  lane(2);
  lane(3);
  ops.combine(f, "scalar");
  ops.combine(f, "scalar");
  f.get(tail);
  ops.combine(f, "scalar");
  f.set(tail);
  e.scoped(() => e.store(kernel.target.buffer, kernel.index, "scalar", () => f.get(tail)));
  for (const local of [...vectors, tail]) f.release(local);
}

const SIGN = -(2 ** 31);

/**
 * The engine takes eight instructions, each waiting for the one before, for an `f32x4.max` that heeds NaN and the order of zeros. Here a
 * plain comparison decides, and what it cannot know is kept beside it for all accumulators: where there was a NaN, and whether all signs
 * (of a maximum; of a minimum any) were negative, which is the sign of a result 0.
 */
class ExtremeOfLanes {
  private readonly f: FuncBuilder;
  private readonly op: "max" | "min";
  private readonly nan: number;
  private readonly sign: number;
  private readonly x: number;

  constructor(f: FuncBuilder, op: "max" | "min") {
    [this.f, this.op] = [f, op];
    [this.nan, this.sign, this.x] = [f.local("v128"), f.local("v128"), f.local("v128")];
    f.i32x4Splat(0).set(this.nan);
    f.i32x4Splat(op === "max" ? -1 : 0).set(this.sign);
  }

  /** Takes the vector on the stack into an accumulator. */
  take(best: number): void {
    const { f, x, nan, sign } = this;
    f.set(x);
    f.get(best).get(x).op(`f32x4.p${this.op}`).set(best);
    f.get(nan).get(x).get(x).op("f32x4.ne").op("v128.or").set(nan);
    f.get(sign)
      .get(x)
      .op(this.op === "max" ? "v128.and" : "v128.or")
      .set(sign);
  }

  correct(best: number): void {
    const { f, x, nan, sign } = this;
    f.get(sign).i32x4Splat(SIGN).op("v128.and").get(best).get(best).f32x4Splat(0).op("f32x4.eq").op("v128.bitselect");
    f.get(nan).op("v128.or").set(best);
    for (const local of [nan, sign, x]) f.release(local);
  }
}
