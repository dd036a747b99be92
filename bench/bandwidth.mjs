/**
 * What a plain loop reaches on this machine: x += g, for one to three arrays x beside each other, in WebAssembly written for the
 * purpose. Prints one line of JSON: GB/s by threads, then by arrays, the best of many runs.
 */
import { pathToFileURL } from "node:url";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";

const COUNT = 10_000_000;
const ARRAYS = [1, 2, 3];
const UNROLL = [1, 4];
/** From one array to the next: not a multiple of a page, so that they do not share sets of a cache. */
const APART = 4 * COUNT + 4416;
const START = 1024;
const PAGES = Math.ceil((START + APART * (ARRAYS.length + 1)) / 65_536);

/** sweep(at, end): bytes of g, which lies first. @param {any} ModuleBuilder @param {number} arrays @param {number} unroll */
function sweep(ModuleBuilder, arrays, unroll) {
  const module = new ModuleBuilder();
  module.importMemory("env", "memory", 1, PAGES, true);
  const f = module.func("sweep", ["i32", "i32"], []);
  const [at, end] = [0, 1];
  const g = f.local("v128");
  f.loop((/** @type {unknown} */ again) => {
    for (let u = 0; u < unroll; u++) {
      f.get(at)
        .op("v128.load", u * 16)
        .set(g);
      for (let i = 1; i <= arrays; i++)
        f.get(at)
          .get(at)
          .op("v128.load", i * APART + u * 16)
          .get(g)
          .op("f32x4.add")
          .op("v128.store", i * APART + u * 16);
    }
    f.get(at)
      .i32(16 * unroll)
      .op("i32.add")
      .tee(at)
      .get(end)
      .op("i32.lt_u")
      .brIf(again);
  });
  module.export("sweep", f);
  return new WebAssembly.Module(module.encode());
}

if (isMainThread) {
  const [dist = "", counts = "1", rounds = "15"] = process.argv.slice(2);
  const { ModuleBuilder } = await import(new URL("backends/wasm/asm/module.js", pathToFileURL(`${dist}/`)).href);
  const memory = new WebAssembly.Memory({ initial: PAGES, maximum: PAGES, shared: true });
  new Float32Array(memory.buffer).fill(1e-3);
  const meeting = new Int32Array(new SharedArrayBuffer(8));
  const modules = ARRAYS.flatMap((arrays) =>
    UNROLL.map((unroll) => ({ arrays, module: sweep(ModuleBuilder, arrays, unroll) })),
  );
  /** @type {Worker[]} */
  const workers = [];
  const next = (/** @type {Worker} */ worker) => new Promise((resolve) => worker.once("message", resolve));
  /** @type {Record<string, Record<string, number>>} */
  const best = {};
  for (const threads of counts.split(",").map(Number)) {
    while (workers.length < threads) {
      const worker = new Worker(new URL(import.meta.url), { workerData: { memory, meeting, index: workers.length } });
      await next(worker);
      workers.push(worker);
    }
    /** @type {Record<string, number>} */
    const rates = {};
    best[threads] = rates;
    for (let round = 0; round < Number(rounds); round++)
      for (const { arrays, module } of modules) {
        meeting.fill(0);
        const done = workers.slice(0, threads).map(next);
        for (const worker of workers.slice(0, threads)) worker.postMessage({ module, threads });
        const ms = Math.max(.../** @type {number[]} */ (await Promise.all(done)));
        rates[arrays] = Math.max(rates[arrays] ?? 0, (4 * COUNT * (1 + 2 * arrays)) / ms / 1e6);
      }
  }
  process.stdout.write(`${JSON.stringify({ best })}\n`);
  process.exit();
} else {
  const { memory, meeting, index } = workerData;
  parentPort?.on("message", ({ module, threads }) => {
    const { exports } = new WebAssembly.Instance(module, { env: { memory } });
    const run = /** @type {(at: number, end: number) => void} */ (exports.sweep);
    const edge = (/** @type {number} */ part) => START + Math.floor((COUNT / 16) * (part / threads)) * 64;
    run(edge(index), edge(index) + 6400);
    Atomics.add(meeting, 0, 1);
    while (Atomics.load(meeting, 0) < threads);
    const start = performance.now();
    run(edge(index), edge(index + 1));
    Atomics.add(meeting, 1, 1);
    while (Atomics.load(meeting, 1) < threads);
    parentPort?.postMessage(performance.now() - start);
  });
  parentPort?.postMessage("ready");
}
