import type { Buffer, SweepKernel, View } from "../../compile/kernel.ts";
import { slotIndex } from "../../compile/sweeps.ts";
import { bytesOf } from "../../core/dtype.ts";
import type { FuncBuilder, ModuleBuilder } from "./asm/module.ts";
import { Expander } from "./expand.ts";
import { ExpressionEmitter } from "./expression.ts";
import {
  BLOCK,
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
const WORD = 4;
/** Words of an array's entry before its addresses: its first job, and its size. */
const HEAD = 2;

const jobsOf = (size: number): number => Math.ceil(size / BLOCK);
const entryWords = (kernel: SweepKernel): number => HEAD + kernel.slots.length;

/** Bytes of the table that a sweep reads: an entry for each array, and the number of jobs. */
export function tableBytes(kernel: SweepKernel): number {
  return Math.ceil(((kernel.arrays.length * entryWords(kernel) + 1) * WORD) / 64) * 64;
}

export function tableOf(kernel: SweepKernel, address: (buffer: Buffer) => number): Int32Array {
  let job = 0;
  const words = kernel.arrays.flatMap(({ size, operands }) => {
    const entry = [job, size, ...operands.map(({ buffer, base }) => address(buffer) + base * bytesOf(buffer.dtype))];
    job += jobsOf(size);
    return entry;
  });
  return Int32Array.from([...words, job]);
}

/** A function over a range of the jobs of all arrays, whose addresses it reads from the table at `table`. */
export function emitSweep(module: ModuleBuilder, target: Target, kernel: SweepKernel, table: number): KernelCode {
  const { slots, loop, arrays } = kernel;
  const f = kernelFunction(module, kernel.name);
  const expander = new Expander();
  const operands = slots.map(({ dtype }, i): View => {
    const layout = { strides: [1], offset: 0, size: 1, border: false };
    const buffer: Buffer = { id: i, name: `${i}`, dtype, shape: [1], layout, home: { kind: "arena" } };
    return { buffer, shape: [1], strides: [1], offset: 0 };
  });
  const stores = kernel.stores.map(({ slot, value }): InnerStore => {
    const view = operands[slot] as View;
    return { view, index: slotIndex(slots[slot] as SweepKernel["slots"][number], loop), value: expander.scalar(value) };
  });
  const [entry, first, next] = [f.local("i32"), f.local("i32"), f.local("i32")];
  const bases = new Map(operands.map(({ buffer }) => [buffer, f.local("i32")]));
  const own: Target = { ...target, address: () => 0, scratch: new Set() };
  const emitter = (): ExpressionEmitter => new ExpressionEmitter(f, own, operands, new Set(), null, bases);
  // The array's elements that belong to jobs from LOW to HIGH.
  const range: SetRange = (_, at, end) => {
    f.i32(0).get(LOW).get(first).op("i32.sub").get(LOW).get(first).op("i32.lt_s").op("select");
    f.i32(BLOCK).op("i32.mul").set(at);
    f.get(HIGH).get(first).op("i32.sub").i32(BLOCK).op("i32.mul").set(end);
    f.get(end).get(entry).op("i32.load", WORD).get(end).get(entry).op("i32.load", WORD).op("i32.lt_s");
    f.op("select").set(end);
  };
  const emit = (chosen: readonly InnerStore[]): void => {
    const values = valuesOf(chosen);
    const e = emitter();
    e.countUses(values);
    emitInner(f, e, loop, true, { ...usesOf(values, operands, chosen), values }, storesOf(f, e, chosen), range, PIECE);
  };
  const turn = (): void => {
    operands.forEach(({ buffer }, i) => {
      f.get(entry)
        .op("i32.load", (HEAD + i) * WORD)
        .set(bases.get(buffer) as number);
    });
    const condition = invariantCondition(valuesOf(stores), [loop]);
    if (condition) {
      emitter().scalar(condition);
      twoLoops(f, condition, stores, emit);
    } else emit(stores);
  };
  eachEntry(f, { entry, first, next }, table, entryWords(kernel) * WORD, turn);
  const elements = arrays.reduce((n, { size }) => n + size, 0);
  return {
    func: f,
    jobs: arrays.reduce((n, { size }) => n + jobsOf(size), 0),
    work: elements * Math.max(1, usesOf(valuesOf(stores), operands, stores).nodes / 4),
  };
}

/** Runs `turn` for each array that has jobs from LOW to HIGH. */
function eachEntry(
  f: FuncBuilder,
  { entry, first, next }: { readonly entry: number; readonly first: number; readonly next: number },
  table: number,
  step: number,
  turn: () => void,
): void {
  f.i32(table).set(entry);
  f.loop((again) => {
    f.get(entry).op("i32.load", 0).set(first);
    f.get(entry).op("i32.load", step).set(next);
    f.get(next).get(LOW).op("i32.gt_s").if(turn);
    f.get(entry).i32(step).op("i32.add").set(entry);
    f.get(next).get(HIGH).op("i32.lt_s").brIf(again);
  });
}
