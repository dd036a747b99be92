import type { Buffer, SweepKernel, SweepSlot, View } from "../../compile/kernel.ts";
import { slotIndex } from "../../compile/sweeps.ts";
import { bytesOf } from "../../core/dtype.ts";
import type { Scalar } from "../../ir/loops.ts";
import type { FuncBuilder, ModuleBuilder } from "./asm/module.ts";
import { Expander } from "./expand.ts";
import { ExpressionEmitter } from "./expression.ts";
import {
  BLOCK,
  type Body,
  emitInner,
  type InnerStore,
  invariantCondition,
  type SetRange,
  storesOf,
  twoLoops,
  valuesOf,
} from "./inner-loop.ts";
import { HIGH, type KernelCode, kernelFunction, LOW, type Target } from "./kernel-code.ts";
import { usesOf } from "./nest.ts";

/** Stands for any size: vectors, and single elements behind them. */
const PIECE = [0, 2 ** 30 + 1] as const;
/** Elements whose sum is a job. */
const SUM_BLOCK = 2048;
const WORD = 4;
/** Words of an array's entry before its addresses: its first job, and its size. */
const HEAD = 2;

const blockOf = ({ kind }: SweepKernel): number => (kind === "sums" ? SUM_BLOCK : BLOCK);
const entryWords = (kernel: SweepKernel): number => HEAD + kernel.slots.length;
const tableWords = (kernel: SweepKernel): number => kernel.arrays.length * entryWords(kernel) + 1;

function jobsOf(kernel: SweepKernel): number {
  return kernel.arrays.reduce((n, { size }) => n + Math.ceil(size / blockOf(kernel)), 0);
}

/** Bytes of what a sweep keeps: an entry for each array, the number of jobs, and a sum for each job. */
export function tableBytes(kernel: SweepKernel): number {
  return Math.ceil(((tableWords(kernel) + (kernel.kind === "sums" ? jobsOf(kernel) : 0)) * WORD) / 64) * 64;
}

export function tableOf(kernel: SweepKernel, address: (buffer: Buffer) => number): Int32Array {
  let job = 0;
  const words = kernel.arrays.flatMap(({ size, operands }) => {
    const entry = [job, size, ...operands.map(({ buffer, base }) => address(buffer) + base * bytesOf(buffer.dtype))];
    job += Math.ceil(size / blockOf(kernel));
    return entry;
  });
  return Int32Array.from([...words, job]);
}

/** Locals of the array whose turn it is: its entry, its first job and the next array's. */
type Turn = { readonly entry: number; readonly first: number; readonly next: number };

/** Functions over a range of the jobs of all arrays, whose addresses they read from the table at `table`. */
export function emitSweep(module: ModuleBuilder, target: Target, kernel: SweepKernel, table: number): KernelCode[] {
  const { slots, loop, kind } = kernel;
  const f = kernelFunction(module, kernel.name);
  const expander = new Expander();
  const operands = slots.map(({ dtype }, i): View => {
    const layout = { strides: [1], offset: 0, size: 1, border: false };
    const buffer: Buffer = { id: i, name: `${i}`, dtype, shape: [1], layout, home: { kind: "arena" } };
    return { buffer, shape: [1], strides: [1], offset: 0 };
  });
  const stores = kernel.stores.map(({ slot, value }): InnerStore => {
    const view = operands[slot] as View;
    return { view, index: slotIndex(slots[slot] as SweepSlot, loop), value: expander.scalar(value) };
  });
  const turn: Turn = { entry: f.local("i32"), first: f.local("i32"), next: f.local("i32") };
  const bases = new Map(operands.map(({ buffer }) => [buffer, f.local("i32")]));
  const own: Target = { ...target, address: () => 0, scratch: new Set(), moving: new Map() };
  const emitter = (): ExpressionEmitter => new ExpressionEmitter(f, own, operands, new Set(), null, bases);
  const inner = (
    values: readonly Scalar[],
    chosen: readonly InnerStore[],
    range: SetRange,
    body: (e: ExpressionEmitter) => Body,
  ): void => {
    const e = emitter();
    e.countUses(values);
    emitInner(
      f,
      e,
      loop,
      true,
      { ...usesOf(values, operands, chosen), values },
      body(e),
      range,
      PIECE,
      kind === "sums" ? 1 : target.together,
    );
  };
  eachEntry(f, turn, table, entryWords(kernel) * WORD, () => {
    operands.forEach(({ buffer }, i) => {
      f.get(turn.entry)
        .op("i32.load", (HEAD + i) * WORD)
        .set(bases.get(buffer) as number);
    });
    const values = valuesOf(stores);
    if (kind === "sums") {
      sumJobs(f, turn, table + tableWords(kernel) * WORD, (range, body) => inner(values, [], range, body), values);
      return;
    }
    const range = jobRange(turn);
    const emit = (chosen: readonly InnerStore[]): void =>
      inner(valuesOf(chosen), chosen, range, (e) => storesOf(f, e, chosen));
    const condition = invariantCondition(values, [loop]);
    if (condition) {
      emitter().scalar(condition);
      twoLoops(f, condition, stores, emit);
    } else emit(stores);
  });
  const elements = kernel.arrays.reduce((n, { size }) => n + size, 0);
  const work = elements * Math.max(1, usesOf(valuesOf(stores), operands, stores).nodes / 4);
  const code = { func: f, jobs: jobsOf(kernel), work };
  return kind === "sums" ? [code, { func: addJobs(module, kernel, table), jobs: 1, work: jobsOf(kernel) }] : [code];
}

/** Runs `body` for each array that has jobs from LOW to HIGH. */
function eachEntry(f: FuncBuilder, { entry, first, next }: Turn, table: number, step: number, body: () => void): void {
  f.i32(table).set(entry);
  f.loop((again) => {
    f.get(entry).op("i32.load", 0).set(first);
    f.get(entry).op("i32.load", step).set(next);
    f.get(next).get(LOW).op("i32.gt_s").if(body);
    f.get(entry).i32(step).op("i32.add").set(entry);
    f.get(next).get(HIGH).op("i32.lt_s").brIf(again);
  });
}

/** The array's elements that belong to jobs from LOW to HIGH. */
function jobRange({ entry, first }: Turn): SetRange {
  return (f, at, end) => {
    f.i32(0).get(LOW).get(first).op("i32.sub").get(LOW).get(first).op("i32.lt_s").op("select");
    f.i32(BLOCK).op("i32.mul").set(at);
    f.get(HIGH).get(first).op("i32.sub").i32(BLOCK).op("i32.mul").set(end);
    least(f, end, entry);
  };
}

/** end = min(end, the array's size) */
function least(f: FuncBuilder, end: number, entry: number): void {
  f.get(end).get(entry).op("i32.load", WORD).get(end).get(entry).op("i32.load", WORD).op("i32.lt_s");
  f.op("select").set(end);
}

/** The sum of each of the array's jobs from LOW to HIGH, kept at `parts`. */
function sumJobs(
  f: FuncBuilder,
  { entry, first, next }: Turn,
  parts: number,
  inner: (range: SetRange, body: (e: ExpressionEmitter) => Body) => void,
  [value]: readonly Scalar[],
): void {
  const sums = [f.local("v128"), f.local("v128"), f.local("v128"), f.local("v128")] as const;
  const [job, stop, rest] = [f.local("i32"), f.local("i32"), f.local("f32")];
  const range: SetRange = (_, at, end) => {
    f.get(job).get(first).op("i32.sub").i32(SUM_BLOCK).op("i32.mul").tee(at).i32(SUM_BLOCK).op("i32.add").set(end);
    least(f, end, entry);
  };
  f.get(LOW).get(first).get(LOW).get(first).op("i32.gt_s").op("select").set(job);
  f.get(HIGH).get(next).get(HIGH).get(next).op("i32.lt_s").op("select").set(stop);
  f.loop((again) => {
    for (const sum of sums) f.f32x4Splat(0).set(sum);
    f.f32(0).set(rest);
    inner(range, (e) => {
      // Copies of the unrolled loop take the four in turn; the single vectors behind them the first.
      let copy = 0;
      return (mode, offsets) => {
        for (const offset of offsets) {
          const sum = mode === "vector" ? (sums[copy++ % 4] as number) : rest;
          e.atOffset(offset, () => {
            f.get(sum);
            if (mode === "vector") e.vector(value as Scalar);
            else e.scalar(value as Scalar);
            f.op(mode === "vector" ? "f32x4.add" : "f32.add").set(sum);
          });
        }
      };
    });
    const [a, b, c, d] = sums;
    f.get(a).get(b).op("f32x4.add").get(c).get(d).op("f32x4.add").op("f32x4.add").set(a);
    f.get(job).i32(WORD).op("i32.mul");
    f.get(a).op("f32x4.extract_lane", 0).get(a).op("f32x4.extract_lane", 1).op("f32.add");
    f.get(a).op("f32x4.extract_lane", 2).get(a).op("f32x4.extract_lane", 3).op("f32.add").op("f32.add");
    f.get(rest).op("f32.add").op("f32.store", parts);
    f.get(job).i32(1).op("i32.add").tee(job).get(stop).op("i32.lt_s").brIf(again);
  });
}

/** Adds up the sums of each array's jobs in order, in double precision: thousands of them lose nothing. */
function addJobs(module: ModuleBuilder, kernel: SweepKernel, table: number): FuncBuilder {
  const f = kernelFunction(module, `${kernel.name} of parts`);
  const turn: Turn = { entry: f.local("i32"), first: f.local("i32"), next: f.local("i32") };
  const parts = table + tableWords(kernel) * WORD;
  const [{ slot }] = kernel.stores as [SweepKernel["stores"][number]];
  const [job, sum] = [f.local("i32"), f.local("f64")];
  // One job, which stands for all arrays.
  f.i32(-1).set(LOW).i32(jobsOf(kernel)).set(HIGH);
  eachEntry(f, turn, table, entryWords(kernel) * WORD, () => {
    f.op("f64.const", 0).set(sum).get(turn.first).set(job);
    f.loop((again) => {
      f.get(sum).get(job).i32(WORD).op("i32.mul").op("f32.load", parts).op("f64.promote_f32").op("f64.add").set(sum);
      f.get(job).i32(1).op("i32.add").tee(job).get(turn.next).op("i32.lt_s").brIf(again);
    });
    f.get(turn.entry).op("i32.load", (HEAD + slot) * WORD);
    f.get(sum).op("f32.demote_f64").op("f32.store", 0);
  });
  return f;
}
