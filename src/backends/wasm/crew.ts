import { TrainingError } from "../../core/errors.ts";
import type { Ticks } from "./kernel-clock.ts";

/** Moments (in milliseconds) at which the phases of an instrumented step began: [phase, time] pairs. */
export type Marks = readonly (readonly [phase: number, time: number])[];

/** Those who run programs: the calling thread, or workers. */
export interface Crew {
  readonly threads: number;
  load(id: number, module: WebAssembly.Module): void;
  unload(id: number): void;
  run(id: number, steps: number, timed: boolean): Promise<Marks>;
  /** As `run`, of a program that calls `tick` with numbers below `slots`; answers each thread's. */
  clock(id: number, steps: number, slots: number): Promise<readonly Ticks[]>;
  close(): Promise<void>;
}

type Run = (thread: number, threads: number, steps: number, timed: number) => void;

type Clock = { readonly tick: (slot: number) => void; reset(slots: number): Ticks };

/** Sent as text, so it may name nothing outside itself. */
export function makeClock(): Clock {
  let ms = new Float64Array(0);
  let ticks = new Float64Array(0);
  let last = 0;
  return {
    tick: (slot) => {
      const now = performance.now();
      ms[slot] = (ms[slot] as number) + now - last;
      ticks[slot] = (ticks[slot] as number) + 1;
      last = now;
    },
    reset: (slots) => {
      ms = new Float64Array(slots);
      ticks = new Float64Array(slots);
      last = performance.now();
      return { ms, ticks };
    },
  };
}

/** Runs on the calling thread. */
export class InlineCrew implements Crew {
  readonly threads = 1;
  private readonly memory: WebAssembly.Memory;
  private readonly programs = new Map<number, Run>();
  private marks: [number, number][] = [];
  private readonly times = makeClock();

  constructor(memory: WebAssembly.Memory) {
    this.memory = memory;
  }

  load(id: number, module: WebAssembly.Module): void {
    const mark = (phase: number): void => {
      this.marks.push([phase, performance.now()]);
    };
    const { tick } = this.times;
    const instance = new WebAssembly.Instance(module, { env: { memory: this.memory, mark, tick } });
    this.programs.set(id, instance.exports.run as unknown as Run);
  }

  unload(id: number): void {
    this.programs.delete(id);
  }

  async run(id: number, steps: number, timed: boolean): Promise<Marks> {
    this.marks = [];
    (this.programs.get(id) as Run)(0, 1, steps, timed ? 1 : 0);
    return this.marks;
  }

  async clock(id: number, steps: number, slots: number): Promise<readonly Ticks[]> {
    const found = this.times.reset(slots);
    (this.programs.get(id) as Run)(0, 1, steps, 0);
    return [found];
  }

  async close(): Promise<void> {
    this.programs.clear();
  }
}

/** A worker as both platforms offer it. `hold` and `letGo` say whether it keeps the process alive. */
export type WorkerHandle = {
  post(message: unknown): void;
  onMessage(listener: (message: unknown) => void): void;
  onError(listener: (error: Error) => void): void;
  hold(): void;
  letGo(): void;
  terminate(): Promise<void>;
};

/** Starts a worker whose code is `(${source})(port)`, where port has `post` and `onMessage`. */
export type Spawn = (source: string) => WorkerHandle;

type Order =
  | { readonly type: "start"; readonly memory: WebAssembly.Memory; readonly thread: number; readonly threads: number }
  | { readonly type: "load"; readonly id: number; readonly module: WebAssembly.Module }
  | { readonly type: "unload"; readonly id: number }
  | {
      readonly type: "run";
      readonly id: number;
      readonly steps: number;
      readonly timed: boolean;
      readonly slots: number;
    };

type Reply = { readonly marks: Marks; readonly ticks?: Ticks; readonly error?: string };

/**
 * What a worker does. Sent as text, so it may name nothing outside itself.
 */
export function workerLoop(
  port: {
    /** Further imports of programs: what the platform's workers offer, such as a BLAS. */
    imports?(memory: WebAssembly.Memory): WebAssembly.Imports[string];
    post(message: unknown): void;
    onMessage(listener: (message: Order) => void): void;
  },
  { tick, reset }: Clock,
): void {
  let memory: WebAssembly.Memory;
  let imports: WebAssembly.Imports[string] = {};
  let thread = 0;
  let threads = 1;
  let marks: [number, number][] = [];
  const programs = new Map<number, Run>();
  port.onMessage((order) => {
    if (order.type === "unload") programs.delete(order.id);
    else {
      try {
        if (order.type === "start") {
          ({ memory, thread, threads } = order);
          imports = port.imports?.(memory) ?? {};
        } else if (order.type === "load") {
          const mark = (phase: number): void => {
            marks.push([phase, performance.now()]);
          };
          const instance = new WebAssembly.Instance(order.module, { env: { ...imports, memory, mark, tick } });
          programs.set(order.id, instance.exports.run as unknown as Run);
        } else {
          marks = [];
          const ticks = order.slots > 0 ? reset(order.slots) : undefined;
          (programs.get(order.id) as Run)(thread, threads, order.steps, order.timed ? 1 : 0);
          port.post(ticks ? { marks, ticks } : { marks });
        }
      } catch (error) {
        port.post({ marks: [], error: String(error) });
      }
    }
  });
}

/** Runs on workers, which meet at barriers inside the program; the calling thread only waits for their replies. */
export class WorkerCrew implements Crew {
  readonly threads: number;
  private readonly workers: readonly WorkerHandle[];
  private settle: { readonly resolve: (replies: Reply[]) => void; readonly reject: (error: Error) => void } | null =
    null;
  private waiting = 0;
  private replies: Reply[] = [];
  /** Why there is nobody to run anything. A text: an error would keep alive whatever stood on the stack. */
  private lost: string | null = null;

  constructor(spawn: Spawn, memory: WebAssembly.Memory, threads: number) {
    this.threads = threads;
    this.workers = Array.from({ length: threads }, () => spawn(`(port) => (${workerLoop})(port, (${makeClock})())`));
    this.workers.forEach((worker, thread) => {
      worker.onMessage((message) => this.reply(thread, message as Reply));
      worker.onError((error) => this.fail(error));
      worker.post({ type: "start", memory, thread, threads } satisfies Order);
      worker.letGo();
    });
  }

  private fail(error: Error): void {
    this.lost = `worker: ${error.message}`;
    this.finish()?.reject(new TrainingError(this.lost));
  }

  private finish(): typeof this.settle {
    const { settle } = this;
    this.settle = null;
    for (const worker of this.workers) worker.letGo();
    return settle;
  }

  private reply(thread: number, reply: Reply): void {
    if (reply.error !== undefined) {
      this.fail(new Error(reply.error));
      return;
    }
    this.replies[thread] = reply;
    if (--this.waiting === 0) this.finish()?.resolve(this.replies);
  }

  load(id: number, module: WebAssembly.Module): void {
    for (const worker of this.workers) worker.post({ type: "load", id, module } satisfies Order);
  }

  unload(id: number): void {
    for (const worker of this.workers) worker.post({ type: "unload", id } satisfies Order);
  }

  async run(id: number, steps: number, timed: boolean): Promise<Marks> {
    const [first] = await this.order({ type: "run", id, steps, timed, slots: 0 });
    return first?.marks ?? [];
  }

  async clock(id: number, steps: number, slots: number): Promise<readonly Ticks[]> {
    const replies = await this.order({ type: "run", id, steps, timed: false, slots });
    return replies.flatMap(({ ticks }) => ticks ?? []);
  }

  private order(order: Order): Promise<readonly Reply[]> {
    if (this.lost !== null) return Promise.reject(new TrainingError(this.lost));
    if (this.settle)
      return Promise.reject(new TrainingError("run: a call is still under way; await it before the next one."));
    this.waiting = this.threads;
    this.replies = [];
    return new Promise((resolve, reject) => {
      this.settle = { resolve, reject };
      for (const worker of this.workers) {
        worker.hold();
        worker.post(order);
      }
    });
  }

  async close(): Promise<void> {
    this.lost ??= "run: the backend is closed.";
    this.finish()?.reject(new TrainingError(this.lost));
    await Promise.all(this.workers.map((worker) => worker.terminate()));
  }
}
