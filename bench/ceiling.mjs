/**
 * The most that a register-tiled loop reaches on this engine and machine, one thread: operands packed and in the
 * innermost cache, nothing but loads, multiplies and adds. Prints one line of JSON, in GFLOP/s.
 */
import { pathToFileURL } from "node:url";

const [dist = "", quick] = process.argv.slice(2);
const { ModuleBuilder } = await import(new URL("backends/wasm/asm/module.js", pathToFileURL(`${dist}/`)).href);

const DEPTH = 256;
const UNROLL = 4;

/**
 * C[rows, 4 vectors] = A[DEPTH, rows] B[DEPTH, 4 vectors], `count` times over the same panels.
 * @param {number} rows @param {number} vectors @param {boolean} fused
 */
function tile(rows, vectors, fused) {
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
  f.loop((/** @type {unknown} */ again) => {
    f.i32(aStart).set(a).i32(bStart).set(b);
    f.loop((/** @type {unknown} */ next) => {
      for (let k = 0; k < UNROLL; k++) {
        for (const [v, local] of panel.entries())
          f.get(b)
            .op("v128.load", k * bStep + v * 16)
            .set(local);
        for (let r = 0; r < rows; r++) {
          f.get(a)
            .op("v128.load32_splat", k * aStep + r * 4)
            .set(row);
          panel.forEach((local, v) => {
            const sum = sums[r * vectors + v];
            if (fused) f.get(row).get(local).get(sum).op("f32x4.relaxed_madd").set(sum);
            else f.get(sum).get(row).get(local).op("f32x4.mul").op("f32x4.add").set(sum);
          });
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
  const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory } });
  const call = /** @type {(end: number, count: number) => void} */ (instance.exports.tile);
  return (/** @type {number} */ count) => call(aStart + DEPTH * aStep, count);
}

/** Best of many calls of about a millisecond: a ceiling is what was reached once. @param {boolean} fused */
function best(fused) {
  /** @type {number | null} */
  let most = null;
  for (const [rows, vectors] of /** @type {const} */ ([
    [6, 2],
    [4, 3],
    [6, 4],
  ])) {
    const run = tile(rows, vectors, fused);
    if (!run) return null;
    const count = 300;
    const flops = 2 * rows * vectors * 4 * DEPTH * count;
    for (let i = 0; i < (quick ? 60 : 200); i++) {
      const start = performance.now();
      run(count);
      const rate = flops / (performance.now() - start) / 1e6;
      if (most === null || rate > most) most = rate;
    }
  }
  return most;
}

const [separate, fused] = [best(false), best(true)];
process.stdout.write(
  `${JSON.stringify({ reproducible: separate, fast: fused ?? separate, relaxedSimd: fused !== null })}\n`,
);
