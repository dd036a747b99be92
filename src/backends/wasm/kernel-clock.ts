import type { KernelTimes } from "../../compile/backend.ts";
import type { Kernel, Node } from "../../compile/kernel.ts";
import { placedKernels } from "../../compile/placed-kernels.ts";
import type { FuncBuilder } from "./asm/module.ts";

/** What a thread's clock has added up, by slot: milliseconds since the tick before, and ticks. */
export type Ticks = { readonly ms: Float64Array; readonly ticks: Float64Array };

/** Slots of what is no kernel: the order of calls itself, waiting for other threads, and the clock. */
const OTHER = 0;
const WAIT = 1;
const CLOCK = 2;
/** Rounds of ticks that follow each other, a slot for each: the fastest was not interrupted. */
const CLOCK_ROUNDS = 8;
const CLOCK_TICKS = 32;
const FIRST = CLOCK + CLOCK_ROUNDS;

/**
 * Writes calls of an imported clock between the kernels of an instrumented program. A tick says what has run since the tick before,
 * so each piece of time counts once; it also holds what one tick itself takes, which is measured by ticks that follow each other.
 */
export class KernelClock {
  private readonly f: FuncBuilder;
  private readonly tick: number;
  private readonly slots: ReadonlyMap<Kernel, number>;

  constructor(f: FuncBuilder, tick: number, nodes: readonly Node[]) {
    this.f = f;
    this.tick = tick;
    this.slots = new Map(placedKernels(nodes).map(({ kernel }, i) => [kernel, FIRST + 2 * i]));
  }

  private call(slot: number): void {
    this.f.i32(slot).op("call", this.tick);
  }

  /** Starts the clock: what came before the first tick is no thread's time. */
  start(): void {
    const { f } = this;
    const left = f.local("i32");
    this.call(OTHER);
    for (let round = 0; round < CLOCK_ROUNDS; round++) {
      f.i32(CLOCK_TICKS).set(left);
      f.loop((again) => {
        this.call(CLOCK + round);
        f.get(left).i32(1).op("i32.sub").tee(left).brIf(again);
      });
    }
    f.release(left);
  }

  /** Before a kernel, or the first kernel of a stage. */
  enter(kernel: Kernel): void {
    this.call((this.slots.get(kernel) as number) + 1);
  }
  leave(kernel: Kernel): void {
    this.call(this.slots.get(kernel) as number);
  }
  waited(): void {
    this.call(WAIT);
  }
  other(): void {
    this.call(OTHER);
  }
}

export function slotCount(nodes: readonly Node[]): number {
  return FIRST + 2 * placedKernels(nodes).length;
}

/** Adds the clocks of a later call, thread by thread. */
export function addTicks(sums: readonly Ticks[], more: readonly Ticks[]): readonly Ticks[] {
  return more.map(({ ms, ticks }, thread) => ({
    ms: ms.map((value, slot) => value + (sums[thread]?.ms[slot] ?? 0)),
    ticks: ticks.map((value, slot) => value + (sums[thread]?.ticks[slot] ?? 0)),
  }));
}

/** Reads the threads' clocks, with what the ticks themselves took left out. */
export function readTicks(nodes: readonly Node[], threads: readonly Ticks[]): KernelTimes {
  const placed = placedKernels(nodes);
  const at = new Map(placed.map(({ kernel }, i) => [kernel, FIRST + 2 * i]));
  const ticksOf = (thread: Ticks, slot: number): number => thread.ticks[slot] as number;
  const rounds = Array.from({ length: CLOCK_ROUNDS }, (_, round) => CLOCK + round);
  const cost = (thread: Ticks): number =>
    Math.min(...rounds.map((slot) => (thread.ms[slot] as number) / ticksOf(thread, slot)));
  const time = (slot: number): number =>
    threads.reduce(
      (sum, thread) => sum + Math.max(0, (thread.ms[slot] as number) - ticksOf(thread, slot) * cost(thread)),
      0,
    );
  const [first] = threads as readonly [Ticks, ...Ticks[]];
  const enters = placed.map(({ kernel }) => (at.get(kernel) as number) + 1);
  return {
    threads: threads.length,
    kernels: placed.map((place) => {
      const slot = at.get(place.kernel) as number;
      const entered = place.stage === null ? slot : (at.get(place.stage[0] as Kernel) as number);
      return {
        ...place,
        calls: threads.reduce((sum, thread) => sum + ticksOf(thread, slot), 0),
        runs: ticksOf(first, entered + 1),
        ms: time(slot),
      };
    }),
    waitMs: time(WAIT),
    otherMs: time(OTHER) + enters.reduce((sum, slot) => sum + time(slot), 0),
    tickMs: threads.reduce((sum, thread) => sum + cost(thread), 0) / threads.length,
  };
}
