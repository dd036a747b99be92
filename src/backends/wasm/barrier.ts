import type { FuncBuilder, ModuleBuilder } from "./asm/module.ts";

/** Words of the memory that all programs share: the barrier's. */
export const BARRIER_COUNT = 64;
export const BARRIER_ROUND = 128;
export const FIRST_FREE = 1024;

/** Spins before a waiting thread sleeps: about 13 microseconds. */
const SPINS = 20_000;

/** Waits until all threads have arrived: spinning for a while, then asleep. */
export function emitBarrier(module: ModuleBuilder): FuncBuilder {
  const f = module.func("barrier", ["i32"], []);
  const round = f.local("i32");
  const spins = f.local("i32");
  f.get(0)
    .i32(2)
    .op("i32.lt_s")
    .if(() => f.op("return"));
  f.i32(0).op("i32.atomic.load", BARRIER_ROUND).set(round);
  f.i32(0).i32(1).op("i32.atomic.rmw.add", BARRIER_COUNT).i32(1).op("i32.add").get(0).op("i32.eq");
  f.if(() => {
    f.i32(0).i32(0).op("i32.atomic.store", BARRIER_COUNT);
    f.i32(0).get(round).i32(1).op("i32.add").op("i32.atomic.store", BARRIER_ROUND);
    f.i32(0).i32(-1).op("memory.atomic.notify", BARRIER_ROUND).op("drop");
    f.op("return");
  });
  f.i32(SPINS).set(spins);
  f.loop((again) => {
    f.i32(0)
      .op("i32.atomic.load", BARRIER_ROUND)
      .get(round)
      .op("i32.ne")
      .if(() => f.op("return"));
    f.get(spins).i32(1).op("i32.sub").tee(spins).brIf(again);
  });
  f.loop((again) => {
    f.i32(0).get(round).op("i64.const", -1).op("memory.atomic.wait32", BARRIER_ROUND).op("drop");
    f.i32(0).op("i32.atomic.load", BARRIER_ROUND).get(round).op("i32.eq").brIf(again);
  });
  return f;
}
