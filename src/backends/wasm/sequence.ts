import type { Buffer, Kernel, Node, Slice, Stage, SweepKernel } from "../../compile/kernel.ts";
import { ownerOf, touches } from "../../compile/touches.ts";
import { bytesOf } from "../../core/dtype.ts";
import { PHASES, type Phase } from "../../ir/program.ts";
import type { FuncBuilder } from "./asm/module.ts";
import type { KernelClock } from "./kernel-clock.ts";
import type { KernelCode } from "./kernel-code.ts";
import { bytesOfBuffer } from "./memory-plan.ts";

/** Below this many elements of work a kernel is done by the first thread alone: a barrier and a cold cache cost more. */
const PARALLEL_WORK = 12_000;
/** Pieces that a thread's own part is cut into. */
const PIECES = 8;
/** Counters lie on cache lines of their own. */
export const CLAIM_BYTES = 64;

export type Places = {
  /** Counters of work taken: a word that says which of the two sets is next, then the sets, of claimBytes each. */
  readonly claims: number;
  readonly claimBytes: number;
  /** Where a sweep's table lies. */
  readonly table: (kernel: SweepKernel) => number;
  /** Byte address of a buffer; of one of `scratch`, the offset in a thread's scratch. */
  readonly address: (buffer: Buffer) => number;
  readonly scratch: ReadonlySet<Buffer>;
  /** Where the first thread's scratch begins, and how far apart two are. */
  readonly scratchStart: number;
  readonly scratchBytes: number;
  readonly feeds: { readonly slot: number; readonly ring: number; readonly bytes: number };
  readonly results: { readonly slot: number; readonly ring: number; readonly bytes: number };
};

/** Bytes of a set of counters that surely suffices for these nodes. */
export function claimBytesOf(nodes: readonly Node[], threads: number): number {
  let regions = 0;
  for (const node of nodes) {
    if (node.kind === "stage") regions++;
    else if (node.kind === "kernel") regions += node.kernel.kind === "contract" ? node.kernel.parts.length : 1;
  }
  return regions * threads * CLAIM_BYTES;
}

const THREAD = 0;
const THREADS = 1;
const STEPS = 2;
const TIMED = 3;

type Touch = {
  readonly start: number;
  readonly end: number;
  readonly write: boolean;
  readonly serial: boolean;
  readonly slice: Buffer | null;
};

const serialTouch = (start: number, bytes: number, write: boolean): Touch => ({
  start,
  end: start + bytes,
  write,
  serial: true,
  slice: null,
});

/** Slices that move together and never overlap in one iteration: what a state was and what it becomes. */
function apart(a: Buffer, b: Buffer): boolean {
  const [x, y] = [a.home as Slice, b.home as Slice];
  if (x.of !== y.of || x.step !== y.step || (x.alternates === null) !== (y.alternates === null)) return false;
  if (x.alternates !== null) return x.alternates !== y.alternates;
  const size = (buffer: Buffer): number => buffer.layout.size * bytesOf(buffer.dtype);
  return x.base >= y.base + size(b) || y.base >= x.base + size(a);
}

/** Writes the order of calls; a barrier goes only where a kernel meets what another thread may still touch. */
export class Sequence {
  private readonly f: FuncBuilder;
  private readonly code: ReadonlyMap<Kernel, readonly KernelCode[]>;
  private readonly places: Places;
  private readonly moving: ReadonlyMap<Buffer, number>;
  private readonly barrier: number | null;
  private readonly threads: number;
  /** Open loops and branches. */
  private depth = 0;
  /** Shared regions so far: each has a counter for each thread. */
  private regions = 0;
  /** Local: where this step's set of counters begins. */
  private readonly claimSet: number;
  private readonly mark: number;
  private readonly clock: KernelClock | null;
  private pending: Touch[] = [];
  private phase: Phase | null = null;

  constructor(
    f: FuncBuilder,
    code: ReadonlyMap<Kernel, readonly KernelCode[]>,
    places: Places,
    moving: ReadonlyMap<Buffer, number>,
    barrier: number | null,
    mark: number,
    threads: number,
    clock: KernelClock | null,
  ) {
    this.f = f;
    this.code = code;
    this.places = places;
    this.moving = moving;
    this.barrier = barrier;
    this.threads = threads;
    this.claimSet = f.local("i32");
    this.mark = mark;
    this.clock = clock;
  }

  run(nodes: readonly Node[]): void {
    const { f } = this;
    const { feeds, results } = this.places;
    const step = f.local("i32");
    const { claims, claimBytes } = this.places;
    // The sum of both sets' addresses, modulo 2^32: without the one in use it is the other.
    const bothSets = (2 * claims + 2 * CLAIM_BYTES + claimBytes) | 0;
    // Two sets of counters in turn: while one is in use, the first thread zeroes the other.
    f.i32(0).op("i32.load", claims).set(this.claimSet);
    this.clock?.start();
    f.loop((again) => {
      if (this.threads > 1)
        this.serial(() => f.i32(bothSets).get(this.claimSet).op("i32.sub").i32(0).i32(claimBytes).op("memory.fill"));
      if (feeds.bytes > 0) {
        this.serial(() =>
          f
            .i32(feeds.slot)
            .get(step)
            .i32(feeds.bytes)
            .op("i32.mul")
            .i32(feeds.ring)
            .op("i32.add")
            .i32(feeds.bytes)
            .op("memory.copy"),
        );
        this.pending.push(serialTouch(feeds.slot, feeds.bytes, true));
      }
      this.list(nodes);
      if (results.bytes > 0) {
        this.meet([serialTouch(results.slot, results.bytes, false)]);
        this.serial(() =>
          f
            .get(step)
            .i32(results.bytes)
            .op("i32.mul")
            .i32(results.ring)
            .op("i32.add")
            .i32(results.slot)
            .i32(results.bytes)
            .op("memory.copy"),
        );
      }
      if (this.threads > 1) f.i32(bothSets).get(this.claimSet).op("i32.sub").set(this.claimSet);
      this.clock?.other();
      this.wait();
      this.markPhase(null);
      f.i32(0).set(TIMED);
      f.get(step).i32(1).op("i32.add").tee(step).get(STEPS).op("i32.lt_s").brIf(again);
    });
    if (this.threads > 1) this.serial(() => f.i32(0).get(this.claimSet).op("i32.store", claims));
  }

  private serial(body: () => void): void {
    this.f.get(THREAD).op("i32.eqz").if(body);
  }

  private wait(): void {
    if (this.barrier !== null) {
      this.f.get(THREADS).op("call", this.barrier);
      this.clock?.waited();
    }
    this.pending = [];
  }

  private meet(touches: readonly Touch[]): void {
    const conflict = touches.some((t) =>
      this.pending.some(
        (p) =>
          (t.write || p.write) &&
          !(t.serial && p.serial) &&
          t.start < p.end &&
          p.start < t.end &&
          !(t.slice && p.slice && apart(t.slice, p.slice)),
      ),
    );
    if (conflict) this.wait();
    this.pending.push(...touches);
  }

  private markPhase(phase: Phase | null): void {
    if (phase === this.phase) return;
    this.phase = phase;
    const { f } = this;
    f.get(TIMED)
      .get(THREAD)
      .op("i32.eqz")
      .op("i32.and")
      .if(() => f.i32(phase === null ? PHASES.length : PHASES.indexOf(phase)).op("call", this.mark));
  }

  private list(nodes: readonly Node[]): void {
    for (const node of nodes) this.node(node);
  }

  private node(node: Node): void {
    const { f } = this;
    switch (node.kind) {
      case "kernel":
        this.kernel(node.kernel);
        return;
      case "stage":
        this.stage(node);
        return;
      case "loop": {
        this.wait();
        this.depth++;
        const count = f.local("i32");
        const at = f.local("i32");
        f.i32(0).set(count);
        f.loop((again) => {
          if (node.reverse)
            f.i32(node.length - 1)
              .get(count)
              .op("i32.sub")
              .set(at);
          else f.get(count).set(at);
          this.move(node.slices, at);
          this.list(node.body);
          this.wait();
          f.get(count).i32(1).op("i32.add").tee(count).i32(node.length).op("i32.lt_s").brIf(again);
        });
        f.release(count);
        f.release(at);
        this.depth--;
        return;
      }
      case "while": {
        this.wait();
        this.depth++;
        const count = f.local("i32");
        f.i32(0).set(count);
        f.block((done) => {
          f.loop((again) => {
            this.move(node.slices, count);
            this.list(node.test);
            this.wait();
            f.i32(0).op("i32.load8_u", this.places.address(node.condition)).op("i32.eqz").brIf(done);
            // No thread may change the condition before all have read it.
            this.wait();
            this.list(node.body);
            this.wait();
            f.get(count).i32(1).op("i32.add").set(count).br(again);
          });
        });
        this.wait();
        f.release(count);
        this.depth--;
        return;
      }
      case "cond": {
        this.wait();
        this.depth++;
        const holds = f.local("i32");
        f.i32(0).op("i32.load8_u", this.places.address(node.condition)).set(holds);
        // No thread may write over the condition's memory before all have read it.
        this.wait();
        f.get(holds).if(
          () => {
            this.list(node.whenTrue);
            this.wait();
          },
          () => {
            this.list(node.whenFalse);
            this.wait();
          },
        );
        f.release(holds);
        this.depth--;
        return;
      }
    }
  }

  /** Says where slices are in iteration `at`. */
  private move(slices: readonly Buffer[], at: number): void {
    const { f } = this;
    const known = new Set<number>();
    for (const buffer of slices) {
      const global = this.moving.get(buffer);
      if (global === undefined || known.has(global)) continue;
      known.add(global);
      const { of, step, alternates } = buffer.home as Slice;
      f.get(at);
      if (alternates === 1) f.i32(1).op("i32.add");
      if (alternates !== null) f.i32(1).op("i32.and");
      f.i32(step).op("i32.mul");
      const outer = this.moving.get(of);
      if (outer !== undefined) f.op("global.get", outer).op("i32.add");
      f.op("global.set", global);
    }
  }

  /** What kernels touch of the memory that threads share. */
  private touched(kernels: readonly Kernel[], serial: boolean): Touch[] {
    const range = (buffer: Buffer, write: boolean): Touch[] => {
      if (this.places.scratch.has(buffer)) return [];
      const owner = ownerOf(buffer);
      const start = this.places.address(owner);
      const slice = buffer.home.kind === "slice" ? buffer : null;
      return [{ start, end: start + bytesOfBuffer(owner), write, serial, slice }];
    };
    return kernels
      .map(touches)
      .flatMap(({ reads, writes }) => [
        ...reads.flatMap((b) => range(b, false)),
        ...writes.flatMap((b) => range(b, true)),
      ]);
  }

  /**
   * Calls `body` with locals that hold ranges of `jobs`, in whole pieces of `grain`. Each thread works through a part of its own, so
   * that what it touched before is in its cache, and then takes pieces that slower threads have not begun. Inside loops the parts
   * are fixed: a counter can be used once a step.
   */
  private share(jobs: number, grain: number, body: (low: number, high: number) => void): void {
    const { f, threads } = this;
    const groups = jobs / grain;
    const [low, high, part, end] = [f.local("i32"), f.local("i32"), f.local("i32"), f.local("i32")];
    const bound = (): void => {
      f.i32(groups).op("i32.mul").i32(threads).op("i32.div_u");
    };
    const run = (): void => {
      if (grain > 1) {
        f.get(low).i32(grain).op("i32.mul").set(low);
        f.get(high).i32(grain).op("i32.mul").set(high);
      }
      body(low, high);
    };
    if (this.depth > 0) {
      f.get(THREAD);
      bound();
      f.set(low).get(THREAD).i32(1).op("i32.add");
      bound();
      f.set(high).get(low).get(high).op("i32.lt_u").if(run);
    } else {
      const piece = Math.max(1, Math.floor(groups / (threads * PIECES)));
      const counter = this.regions++ * threads * CLAIM_BYTES;
      const ahead = f.local("i32");
      f.i32(0).set(ahead);
      f.loop((again) => {
        f.get(THREAD).get(ahead).op("i32.add").i32(threads).op("i32.rem_u").tee(part);
        bound();
        f.set(low).get(part).i32(1).op("i32.add");
        bound();
        f.set(end);
        const start = f.local("i32");
        f.get(low).set(start);
        f.block((done) => {
          f.loop((more) => {
            f.get(part).i32(CLAIM_BYTES).op("i32.mul").get(this.claimSet).op("i32.add").i32(1);
            f.op("i32.atomic.rmw.add", counter).i32(piece).op("i32.mul").get(start).op("i32.add").tee(low);
            f.get(end).op("i32.ge_u").brIf(done);
            f.get(low).i32(piece).op("i32.add").set(high);
            f.get(high).get(end).get(high).get(end).op("i32.lt_u").op("select").set(high);
            run();
            f.br(more);
          });
        });
        f.release(start);
        f.get(ahead).i32(1).op("i32.add").tee(ahead).i32(threads).op("i32.lt_u").brIf(again);
      });
      f.release(ahead);
    }
    for (const local of [low, high, part, end]) f.release(local);
  }

  /** All jobs on the one thread. */
  private whole(jobs: number, body: (low: number, high: number) => void): void {
    const { f } = this;
    const [low, high] = [f.local("i32"), f.local("i32")];
    f.i32(0).set(low).i32(jobs).set(high);
    body(low, high);
    f.release(low);
    f.release(high);
  }

  private stage({ images, grain, kernels }: Stage): void {
    const { f } = this;
    this.markPhase((kernels[0] as Kernel).phase);
    this.meet(this.touched(kernels, false));
    const scratch = f.local("i32");
    f.get(THREAD).i32(this.places.scratchBytes).op("i32.mul").i32(this.places.scratchStart).op("i32.add").set(scratch);
    const image = f.local("i32");
    this.clock?.enter(kernels[0] as Kernel);
    const all = (body: (low: number, high: number) => void): void => {
      if (this.threads > 1) this.share(images, grain, body);
      else this.whole(images, body);
    };
    all((low, high) => {
      f.get(low).set(image);
      f.loop((again) => {
        for (const kernel of kernels)
          for (const { func } of this.code.get(kernel) as readonly KernelCode[]) {
            f.get(image).get(image).i32(1).op("i32.add").get(scratch).op("call", func.index);
            this.clock?.leave(kernel);
          }
        f.get(image).i32(1).op("i32.add").tee(image).get(high).op("i32.lt_s").brIf(again);
      });
    });
    f.release(image);
    f.release(scratch);
  }

  private kernel(kernel: Kernel): void {
    const { f } = this;
    this.markPhase(kernel.phase);
    const touched = (serial: boolean): Touch[] => this.touched([kernel], serial);
    this.clock?.enter(kernel);
    if (kernel.kind === "fill") {
      this.meet(touched(true));
      const { target } = kernel;
      this.serial(() => {
        f.i32(this.places.address(target));
        const moving = this.moving.get(target);
        if (moving !== undefined) f.op("global.get", moving).op("i32.add");
        f.i32(0)
          .i32(target.layout.size * bytesOf(target.dtype))
          .op("memory.fill");
        this.clock?.leave(kernel);
      });
      return;
    }
    const grain = kernel.kind === "contract" ? Math.max(1, kernel.images?.chunk ?? 1) : 1;
    for (const { func, jobs, work } of this.code.get(kernel) as readonly KernelCode[]) {
      const parallel = this.threads > 1 && jobs > 1 && work >= PARALLEL_WORK;
      this.meet(touched(!parallel));
      const call = (range: () => void): void => {
        range();
        f.i32(0).op("call", func.index);
        this.clock?.leave(kernel);
      };
      if (parallel) this.share(jobs, grain, (low, high) => call(() => f.get(low).get(high)));
      else this.serial(() => call(() => f.i32(0).i32(jobs)));
    }
  }
}
