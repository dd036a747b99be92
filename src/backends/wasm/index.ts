import type {
  Backend,
  Executable,
  Feeds,
  RunOptions,
  RunReport,
  Store as StoreInterface,
} from "../../compile/backend.ts";
import { joinReductions } from "../../compile/joined-reductions.ts";
import type { Buffer, Node, SweepKernel } from "../../compile/kernel.ts";
import { lowerProgram } from "../../compile/lower.ts";
import { Arena, Lowering, type Target, viewOf } from "../../compile/lowering.ts";
import type { GemmRule } from "../../compile/native-products.ts";
import { printKernels } from "../../compile/print-kernels.ts";
import { simplify } from "../../compile/simplify.ts";
import { formStages } from "../../compile/stages.ts";
import { formSweeps } from "../../compile/sweeps.ts";
import { type Aval, bytesOf, formatAval, type HostData, sizeOf } from "../../core/dtype.ts";
import { MemoryError, OptionError, ShapeError } from "../../core/errors.ts";
import { newData } from "../../core/host-array.ts";
import { Turns } from "../../core/turns.ts";
import { type Input, PHASES, type Phase, type Program } from "../../ir/program.ts";
import { ModuleBuilder } from "./asm/module.ts";
import { type Crew, InlineCrew, type Marks, type Spawn, WorkerCrew } from "./crew.ts";
import { buildModule } from "./driver.ts";
import { addTicks, readTicks, slotCount, type Ticks } from "./kernel-clock.ts";
import { MAX_PAGES, Memory, megabytes, type Region } from "./memory.ts";
import { bytesOfBuffer, planMemory } from "./memory-plan.ts";
import { CLAIM_BYTES, claimBytesOf } from "./sequence.ts";
import { WasmStore } from "./store.ts";
import { tableBytes, tableOf } from "./sweep.ts";

export type WasmOptions = {
  /** Worker threads; they need `spawn`. Default 1: without `spawn`, the calling thread itself. Results do not depend on it. */
  readonly threads?: number;
  /** How to start a worker; the Node and browser entries bring theirs. */
  readonly spawn?: Spawn;
  /**
   * `reproducible` (default): the same bits on every engine. `fast`: fused multiply-add (relaxed SIMD) where the engine has it, and
   * convolutions by larger tiles; the bits then depend on the engine.
   */
  readonly mode?: "reproducible" | "fast";
  /**
   * Kernels in the form that V8 joins into vectors of twice the width when its flag `--experimental-wasm-revectorize` is on (Node 24
   * and later; downhill/node sets it where `wide` is asked for). The bits are the same. Without the flag they are slower. Default false.
   */
  readonly wide?: boolean;
  /** A BLAS that the workers of `spawn` offer as import `gemm`. Not with `mode: "reproducible"`. */
  readonly gemm?: GemmRule & { readonly name: string };
};

/** True where the engine compiles `f32x4.relaxed_madd`. */
export function hasRelaxedSimd(): boolean {
  const module = new ModuleBuilder();
  const f = module.func("f", [], ["v128"]);
  f.f32x4Splat(1).f32x4Splat(1).f32x4Splat(1).op("f32x4.relaxed_madd");
  return WebAssembly.validate(module.encode());
}

/** Steps whose feeds and results are held in memory at once. */
const RING_BYTES = 4 * 2 ** 20;
const MAX_RING_STEPS = 1024;

/**
 * Compiles programs to WebAssembly SIMD, run by the calling thread or by workers over one shared memory.
 *
 * Errors: OptionError for a thread count below 1, or above 1 without `spawn`.
 */
export function wasmBackend(options: WasmOptions = {}): Backend {
  const threads = options.threads ?? 1;
  if (!Number.isInteger(threads) || threads < 1)
    throw new OptionError(`threads: got ${threads}; expected an integer of 1 or more.`, "threads");
  if (threads > 1 && !options.spawn)
    throw new OptionError(
      `threads: got ${threads} without a way to start workers; expected 1. Use the backend of "downhill/node", or pass spawn.`,
      "threads",
    );
  if (options.gemm && options.mode !== "fast")
    throw new OptionError(
      `native: got ${options.gemm.name} in reproducible mode; expected mode "fast". A BLAS gives other bits on other machines.`,
      "native",
    );
  if (options.gemm && !options.spawn)
    throw new OptionError(`native: got ${options.gemm.name} without workers that offer it; expected spawn.`, "native");
  return new WasmBackend(options, threads);
}

/** `wasm`, and what it uses beside the plain instructions. */
function nameOf({ mode, wide, gemm }: WasmOptions): string {
  const parts = ["wasm", mode === "fast" ? "fast" : "", wide ? "wide" : "", gemm ? `native ${gemm.name}` : ""];
  return parts.filter((part) => part !== "").join(" ");
}

class WasmBackend implements Backend {
  readonly name: string;
  readonly notes: readonly string[];
  readonly memory: Memory;
  readonly crew: Crew;
  readonly fast: boolean;
  readonly fused: boolean;
  readonly wide: boolean;
  readonly gemm: GemmRule | null;
  nextProgram = 0;
  /** Several trainings may share a backend: their calls take turns. */
  readonly turns: Turns = new Turns();

  constructor(options: WasmOptions, threads: number) {
    this.memory = new Memory(options.spawn !== undefined);
    this.crew = options.spawn
      ? new WorkerCrew(options.spawn, this.memory.memory, threads)
      : new InlineCrew(this.memory.memory);
    this.fast = options.mode === "fast";
    this.fused = this.fast && hasRelaxedSimd();
    this.wide = options.wide === true;
    this.gemm = options.gemm ?? null;
    this.notes =
      options.mode === "fast" && !this.fused ? ["no fused multiply-add: this engine has no relaxed SIMD"] : [];
    this.name = nameOf(options);
  }

  createStore(): WasmStore {
    return new WasmStore(this.memory);
  }

  async compile(program: Program, store: StoreInterface): Promise<Executable> {
    if (!(store instanceof WasmStore) || store.memory !== this.memory)
      throw new OptionError("compile: got a store of another backend; expected one of this backend's.", "store");
    try {
      return new WasmExecutable(this, program, store);
    } catch (error) {
      if (!(error instanceof MemoryError)) throw error;
      // What was dropped comes back when it is collected, which takes a turn of the event loop.
      await new Promise<void>((resume) => {
        setTimeout(resume, 0);
      });
      return new WasmExecutable(this, program, store);
    }
  }

  async close(): Promise<void> {
    await this.crew.close();
  }
}

type Slot = { readonly path: string; readonly offset: number; readonly length: number; readonly aval: Aval };

/** Values that enter or leave with each step, packed one after another. */
function pack(values: readonly { readonly path: string; readonly aval: Aval }[]): {
  readonly slots: readonly Slot[];
  readonly bytes: number;
} {
  let offset = 0;
  const slots = values.map(({ path, aval }) => {
    const length = sizeOf(aval.shape);
    const slot = { path, offset, length, aval };
    offset += Math.ceil((length * bytesOf(aval.dtype)) / 16) * 16;
    return slot;
  });
  // Vectors may read up to 12 bytes past a row.
  return { slots, bytes: values.length === 0 ? 0 : offset + 16 };
}

class WasmExecutable implements Executable {
  readonly program: Program;
  readonly peakBytes: number;
  private readonly backend: WasmBackend;
  private readonly nodes: readonly Node[];
  private readonly module: ModuleBuilder;
  private readonly ids: number[];
  private readonly buildModule: (clocked: boolean) => ModuleBuilder;
  private readonly feeds: ReturnType<typeof pack>;
  private readonly results: ReturnType<typeof pack>;
  private readonly feedRing: number;
  private readonly resultRing: number;
  private readonly ringSteps: number;
  /** Kept: its regions live as long as this. */
  readonly store: WasmStore;

  constructor(backend: WasmBackend, program: Program, store: WasmStore) {
    this.backend = backend;
    this.program = program;
    this.store = store;
    const { memory } = backend;
    const simple = simplify(program);
    const arena = new Arena(simple, {
      panel: backend.wide ? 16 : 8,
      gemm: backend.gemm,
      largeTiles: backend.fast,
    });
    const lowering = new Lowering(arena, simple, new Map(), (path) => store.orderOf(path));
    const fixed = new Map<Buffer, number>();
    const stateBuffers = new Map<string, Buffer>();
    const isFeed = (input: Input): boolean => input.role === "feed";
    this.feeds = pack(simple.inputs.filter(isFeed).map(({ path, value }) => ({ path, aval: value.aval })));
    const feedBuffers = new Map<Buffer, number>();
    for (const input of simple.inputs) {
      if (isFeed(input)) {
        const buffer = arena.buffer(input.path, input.value.aval, { kind: "feed", path: input.path });
        feedBuffers.set(buffer, (this.feeds.slots.find((s) => s.path === input.path) as Slot).offset);
        lowering.views.set(input.value.id, viewOf(buffer));
        continue;
      }
      const { buffer, region } = store.place(input.path, lowering.analysis.order(input.value));
      // One buffer object for each input, so that kernels tell them apart.
      const own: Buffer = { ...buffer, id: arena.buffers.length };
      arena.buffers.push(own);
      fixed.set(own, region.offset);
      stateBuffers.set(input.path, own);
      lowering.views.set(input.value.id, viewOf(own));
    }
    const resultList = simple.outputs.filter((o) => o.role === "result");
    this.results = pack(resultList.map(({ path, value }) => ({ path, aval: value.aval })));
    const resultBuffers = new Map<Buffer, number>();
    const targets = simple.outputs.map((output): Target => {
      if (output.role === "state") {
        const buffer = stateBuffers.get(output.path);
        if (!buffer)
          throw new ShapeError(`compile: the program sets ${output.path}, which is not among its inputs.`, output.path);
        return { value: output.value, view: viewOf(buffer), name: output.path, state: buffer };
      }
      const buffer = arena.buffer(output.path, output.value.aval, { kind: "result", path: output.path });
      resultBuffers.set(buffer, (this.results.slots[resultList.indexOf(output)] as Slot).offset);
      return { value: output.value, view: viewOf(buffer), name: output.path };
    });
    this.nodes = formSweeps(joinReductions(formStages(lowerProgram(lowering, targets))));

    const plan = planMemory(this.nodes);
    const constants = arena.buffers.filter((b) => b.home.kind === "constant");
    const constantBytes = constants.reduce((n, b) => n + bytesOfBuffer(b), 0);
    const sweeps = this.nodes.flatMap((node) =>
      node.kind === "kernel" && (node.kernel.kind === "sweep" || node.kernel.kind === "sums") ? [node.kernel] : [],
    );
    const sweepBytes = sweeps.reduce((n, kernel) => n + tableBytes(kernel), 0);
    const stepBytes = this.feeds.bytes + this.results.bytes;
    this.ringSteps = Math.max(1, Math.min(MAX_RING_STEPS, Math.floor(RING_BYTES / Math.max(1, stepBytes))));
    const scratchBytes = plan.scratchBytes * backend.crew.threads;
    const claimBytes = claimBytesOf(this.nodes, backend.crew.threads);
    const total =
      CLAIM_BYTES +
      2 * claimBytes +
      plan.bytes +
      scratchBytes +
      constantBytes +
      sweepBytes +
      stepBytes * (this.ringSteps + 1) +
      256;
    this.peakBytes = total;
    let region: Region;
    try {
      region = memory.allocate(total, "the compiled step");
    } catch (error) {
      throw error instanceof MemoryError ? new MemoryError(`${error.message} ${this.advice(total)}`) : error;
    }
    this.ids = [backend.nextProgram++];
    executableRegions.register(this, { backend, region, ids: this.ids });
    if (!region.fresh) memory.bytes(region.offset, region.bytes).fill(0);
    const claims = region.offset + plan.bytes;
    memory.view("i32", claims, 1)[0] = claims + CLAIM_BYTES;
    const scratchStart = claims + CLAIM_BYTES + 2 * claimBytes;
    let next = scratchStart + scratchBytes;
    for (const buffer of constants) {
      fixed.set(buffer, next);
      if (buffer.home.kind === "constant")
        memory.writeArray(next, buffer.layout, buffer.dtype, buffer.shape, buffer.home.value.data);
      next += bytesOfBuffer(buffer);
    }
    const take = (bytes: number): number => {
      const at = next;
      next = Math.ceil((next + bytes) / 16) * 16;
      return at;
    };
    const feedSlot = take(this.feeds.bytes);
    const resultSlot = take(this.results.bytes);
    this.feedRing = take(this.feeds.bytes * this.ringSteps);
    this.resultRing = take(this.results.bytes * this.ringSteps);
    const address = (buffer: Buffer): number => {
      const own = fixed.get(buffer);
      if (own !== undefined) return own;
      if (buffer.home.kind === "slice") return address(buffer.home.of) + buffer.home.base;
      const feed = feedBuffers.get(buffer);
      if (feed !== undefined) return feedSlot + feed;
      const result = resultBuffers.get(buffer);
      if (result !== undefined) return resultSlot + result;
      const offset = plan.offsets.get(buffer);
      if (offset === undefined) throw new Error(`wasm: ${buffer.name} has no place`);
      return plan.scratch.has(buffer) ? offset : region.offset + offset;
    };
    const tables = new Map<SweepKernel, number>();
    for (const kernel of sweeps) {
      const at = take(tableBytes(kernel));
      tables.set(kernel, at);
      const words = tableOf(kernel, address);
      memory.view("i32", at, words.length).set(words);
    }
    const places = {
      address,
      table: (kernel: SweepKernel) => tables.get(kernel) as number,
      claims,
      claimBytes,
      scratch: plan.scratch,
      scratchStart,
      scratchBytes: plan.scratchBytes,
      feeds: { slot: feedSlot, ring: this.feedRing, bytes: this.feeds.bytes },
      results: { slot: resultSlot, ring: this.resultRing, bytes: this.results.bytes },
    };
    const options = {
      shared: memory.shared,
      threads: backend.crew.threads,
      maxPages: MAX_PAGES,
      fused: backend.fused,
      wide: backend.wide,
      gemm: backend.gemm,
    };
    this.buildModule = (clocked) => buildModule(this.nodes, places, { ...options, clocked });
    this.module = this.buildModule(false);
    backend.crew.load(this.ids[0] as number, new WebAssembly.Module(this.module.encode()));
  }

  /** A batch that would fit, going by the largest feed's first axis. */
  private advice(bytes: number): string {
    const batch = Math.max(0, ...this.feeds.slots.map((s) => s.aval.shape[0] ?? 0));
    if (batch < 2) return `The step needs ${megabytes(bytes)}.`;
    const fits = Math.max(1, 2 ** Math.floor(Math.log2((batch * 3 * 2 ** 30) / bytes)));
    return `The step needs ${megabytes(bytes)} for a batch of ${batch}; try a batch of ${Math.min(fits, Math.floor(batch / 2))}.`;
  }

  run(steps: number, feeds: Feeds, options: RunOptions = {}): Promise<RunReport> {
    return this.backend.turns.take(() => this.runNow(steps, feeds, options));
  }

  private async runNow(steps: number, feeds: Feeds, options: RunOptions): Promise<RunReport> {
    const results: Record<string, HostData> = {};
    for (const { path, length, aval } of this.results.slots) results[path] = newData(aval.dtype, length * steps);
    let marks: Marks = [];
    let ticks: readonly Ticks[] = [];
    const [plain, clocked] = options.kernels ? [null, this.clockedId()] : [this.ids[0] as number, null];
    for (let done = 0; done < steps; ) {
      const count = Math.min(this.ringSteps, steps - done);
      this.writeFeeds(feeds, done, count, steps);
      const timed = options.timed === true && done === 0;
      if (plain === null) ticks = addTicks(ticks, await this.backend.crew.clock(clocked, count, slotCount(this.nodes)));
      else {
        const found = await this.backend.crew.run(plain, count, timed);
        if (timed) marks = found;
      }
      this.readResults(results, done, count);
      done += count;
    }
    return {
      results,
      ...(options.timed ? { timeByPhase: timesOf(marks) } : {}),
      ...(options.kernels ? { kernelTimes: readTicks(this.nodes, ticks) } : {}),
    };
  }

  /** The program that times its kernels, built when it is first asked for. */
  private clockedId(): number {
    const { backend, ids } = this;
    if (ids[1] === undefined) {
      ids[1] = backend.nextProgram++;
      backend.crew.load(ids[1], new WebAssembly.Module(this.buildModule(true).encode()));
    }
    return ids[1];
  }

  private writeFeeds(feeds: Feeds, done: number, count: number, steps: number): void {
    const { memory } = this.backend;
    for (const { path, offset, length, aval } of this.feeds.slots) {
      const data = feeds[path];
      if (!data || data.length !== length * steps)
        throw new ShapeError(
          `run: got ${data ? `${data.length} values` : "nothing"} for ${path}; expected ${steps} x ${formatAval(aval)}.`,
          path,
        );
      for (let i = 0; i < count; i++)
        memory
          .view(aval.dtype, this.feedRing + i * this.feeds.bytes + offset, length)
          .set(data.subarray((done + i) * length, (done + i + 1) * length));
    }
  }

  private readResults(results: Record<string, HostData>, done: number, count: number): void {
    const { memory } = this.backend;
    for (const { path, offset, length, aval } of this.results.slots) {
      const to = results[path] as HostData;
      for (let i = 0; i < count; i++)
        to.set(memory.view(aval.dtype, this.resultRing + i * this.results.bytes + offset, length), (done + i) * length);
    }
  }

  print(level: "kernels" | "target"): string {
    return level === "kernels" ? printKernels(this.nodes) : this.module.toText();
  }
}

const executableRegions = new FinalizationRegistry<{
  readonly backend: WasmBackend;
  readonly region: Region;
  readonly ids: readonly number[];
}>(({ backend, region, ids }) => {
  for (const id of ids) backend.crew.unload(id);
  backend.memory.release(region);
});

function timesOf(marks: Marks): Record<Phase, number> {
  const times: Record<Phase, number> = { sample: 0, forward: 0, backward: 0, update: 0 };
  for (let i = 0; i + 1 < marks.length; i++) {
    const [[phase, start], [, end]] = [marks[i], marks[i + 1]] as [Marks[number], Marks[number]];
    const name = PHASES[phase];
    if (name) times[name] += end - start;
  }
  return times;
}
