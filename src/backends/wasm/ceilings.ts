import { ModuleBuilder } from "./asm/module.ts";
import { InlineCrew, type Spawn, WorkerCrew } from "./crew.ts";

/** What the machine's loops reach on this engine, to judge kernels by. Rates in 1e9 a second, of all threads together. */
export type Ceilings = {
  readonly threads: number;
  /** Operations of a register-tiled product, operands in the innermost cache: multiply and add apart, and as the mode has them. */
  readonly separate: number;
  readonly products: number;
  /** Bytes of x += g, counting x twice: through memory, and in the second-level cache. */
  readonly memory: number;
  readonly cache: number;
};

export type TileRates = { readonly separate: number; readonly fused: number | null };

const DEPTH = 256;
const UNROLL = 4;
const PANEL_REPEATS = 150;
/** Rows and vectors of tiles, the largest of which needs 25 registers; the last ones are for vectors that the engine joins in pairs. */
const TILES = [
  [6, 2],
  [4, 3],
  [6, 4],
] as const;

/** C[rows, 4 vectors] = A[DEPTH, rows] B[DEPTH, 4 vectors], `count` times over the same panels; null without the instruction. */
function tileLoop(rows: number, vectors: number, fused: boolean): ((count: number) => void) | null {
  const module = new ModuleBuilder();
  module.importMemory("env", "memory", 1, 1, false);
  const f = module.func("tile", ["i32", "i32"], []);
  const [end, count] = [0, 1];
  const [a, b] = [f.local("i32"), f.local("i32")];
  const row = f.local("v128");
  const panel = Array.from({ length: vectors }, () => f.local("v128"));
  const sums = Array.from({ length: rows * vectors }, () => f.local("v128"));
  const aStep = rows * 4;
  const bStep = vectors * 16;
  const aStart = 16;
  const bStart = aStart + DEPTH * aStep;
  f.loop((again) => {
    f.i32(aStart).set(a).i32(bStart).set(b);
    f.loop((next) => {
      for (let k = 0; k < UNROLL; k++) {
        for (const [v, local] of panel.entries())
          f.get(b)
            .op("v128.load", k * bStep + v * 16)
            .set(local);
        for (let r = 0; r < rows; r++) {
          f.get(a)
            .op("v128.load32_splat", k * aStep + r * 4)
            .set(row);
          for (const [v, local] of panel.entries()) {
            const sum = sums[r * vectors + v] as number;
            if (fused) f.get(row).get(local).get(sum).op("f32x4.relaxed_madd").set(sum);
            else f.get(sum).get(row).get(local).op("f32x4.mul").op("f32x4.add").set(sum);
          }
        }
      }
      f.get(b)
        .i32(UNROLL * bStep)
        .op("i32.add")
        .set(b);
      f.get(a)
        .i32(UNROLL * aStep)
        .op("i32.add")
        .tee(a)
        .get(end)
        .op("i32.lt_u")
        .brIf(next);
    });
    f.get(count).i32(1).op("i32.sub").tee(count).brIf(again);
  });
  for (const [i, sum] of sums.entries())
    f.i32(bStart + DEPTH * bStep)
      .get(sum)
      .op("v128.store", i * 16);
  module.export("tile", f);
  const bytes = module.encode();
  if (!WebAssembly.validate(bytes)) return null;
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1 });
  new Float32Array(memory.buffer).forEach((_, i, all) => {
    all[i] = ((i * 37) % 101) / 101 - 0.5;
  });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory } });
  return (times) => (exports.tile as (end: number, count: number) => void)(aStart + DEPTH * aStep, times);
}

/**
 * The most that a register-tiled loop reaches on this engine and machine, in GFLOP/s of the calling thread, and null where the engine
 * has no fused multiply-add. A ceiling is what was reached once: the best of `rounds` calls of about half a millisecond.
 */
export function tileRates(rounds = 60): TileRates {
  const best = (fused: boolean): number | null => {
    let most: number | null = null;
    for (const [rows, vectors] of TILES) {
      const run = tileLoop(rows, vectors, fused);
      if (!run) return null;
      const operations = 2 * rows * vectors * 4 * DEPTH * PANEL_REPEATS;
      for (let i = 0; i < rounds; i++) {
        const start = performance.now();
        run(PANEL_REPEATS);
        most = Math.max(most ?? 0, operations / (performance.now() - start) / 1e6);
      }
    }
    return most;
  };
  return { separate: best(false) ?? 0, fused: best(true) };
}

const PAGE = 65_536;
/** Past the first words, which a crew may use. */
const START = 1024;
/** Elements of each array: as the step's memory, which a last-level cache may hold, and well within a second-level one. */
const LONGEST = 8_000_000;
const SHORTEST = 500_000;
const SHORT = 16_384;
const LONG_MS = 150;
const SHORT_REPEATS = 64;
const SHORT_MS = 30;
const LEAST_ROUNDS = 6;
/** From x to g: not a multiple of a page, so that they do not share sets of a cache. */
const apart = (length: number): number => 4 * length + 4416;

/** `run(thread, threads)`: x += g on a thread's part, or `repeats` times on arrays of its own; ticks before and after. */
function streamModule(
  length: number,
  repeats: number,
  own: boolean,
  pages: number,
  shared: boolean,
): WebAssembly.Module {
  const module = new ModuleBuilder();
  module.importMemory("env", "memory", 1, pages, shared);
  const tick = module.importFunc("env", "tick", ["i32"], []);
  const f = module.func("run", ["i32", "i32", "i32", "i32"], []);
  const [thread, threads] = [0, 1];
  const [at, begin, end, left] = [f.local("i32"), f.local("i32"), f.local("i32"), f.local("i32")];
  const unroll = 4;
  const blocks = length / (4 * unroll);
  const edge = (): void => {
    f.i32(blocks)
      .op("i32.mul")
      .get(threads)
      .op("i32.div_u")
      .i32(16 * unroll)
      .op("i32.mul")
      .i32(START)
      .op("i32.add");
  };
  if (own) {
    f.get(thread)
      .i32(2 * apart(length))
      .op("i32.mul")
      .i32(START)
      .op("i32.add")
      .tee(begin);
    f.i32(4 * length)
      .op("i32.add")
      .set(end);
  } else {
    f.get(thread);
    edge();
    f.set(begin).get(thread).i32(1).op("i32.add");
    edge();
    f.set(end);
  }
  f.i32(0).op("call", tick).i32(repeats).set(left);
  f.loop((again) => {
    f.get(begin).set(at);
    f.loop((next) => {
      for (let u = 0; u < unroll; u++)
        f.get(at)
          .get(at)
          .op("v128.load", u * 16)
          .get(at)
          .op("v128.load", apart(length) + u * 16)
          .op("f32x4.add")
          .op("v128.store", u * 16);
      f.get(at)
        .i32(16 * unroll)
        .op("i32.add")
        .tee(at)
        .get(end)
        .op("i32.lt_u")
        .brIf(next);
    });
    f.get(left).i32(1).op("i32.sub").tee(left).brIf(again);
  });
  f.i32(1).op("call", tick);
  module.export("run", f);
  return new WebAssembly.Module(module.encode());
}

/** Bytes a second of x += g through memory and in the cache, in 1e9, of `threads` threads together. */
async function streamRates(
  threads: number,
  footprint: number,
  spawn: Spawn | undefined,
): Promise<{ memory: number; cache: number }> {
  const long = 16 * Math.ceil(Math.min(LONGEST, Math.max(SHORTEST, footprint / 8)) / 16);
  const pages = Math.ceil((START + 2 * Math.max(apart(long), threads * apart(SHORT))) / PAGE);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: spawn !== undefined });
  // Pages that nobody has written to are one page, which stays in the cache.
  new Float32Array(memory.buffer).fill(1e-3);
  const crew = spawn ? new WorkerCrew(spawn, memory, threads) : new InlineCrew(memory);
  try {
    const best = async (id: number, bytes: number, forMs: number): Promise<number> => {
      let most = 0;
      const started = performance.now();
      for (let i = 0; i < LEAST_ROUNDS || performance.now() - started < forMs; i++) {
        const found = await crew.clock(id, 1, 2);
        // All begin within some microseconds of each other; the last to end counts.
        most = Math.max(most, bytes / Math.max(...found.map(({ ms }) => ms[1] as number)) / 1e6);
      }
      return most;
    };
    crew.load(0, streamModule(long, 1, false, pages, spawn !== undefined));
    crew.load(1, streamModule(SHORT, SHORT_REPEATS, true, pages, spawn !== undefined));
    return {
      cache: await best(1, 12 * SHORT * SHORT_REPEATS * threads, SHORT_MS),
      memory: await best(0, 12 * long, LONG_MS),
    };
  } finally {
    await crew.close();
  }
}

/** Measures the ceilings for so many threads, in about half a second. */
export async function measureCeilings(options: {
  readonly threads: number;
  readonly fused: boolean;
  /** Bytes that a step goes through: memory is judged by streams of as many, up to 64 MB. */
  readonly footprint?: number | undefined;
  readonly spawn?: Spawn | undefined;
}): Promise<Ceilings> {
  const { threads, fused, footprint = Number.POSITIVE_INFINITY, spawn } = options;
  const tiles = tileRates();
  const streams = await streamRates(threads, footprint, spawn);
  const products = fused ? (tiles.fused ?? tiles.separate) : tiles.separate;
  return { threads, separate: tiles.separate * threads, products: products * threads, ...streams };
}
