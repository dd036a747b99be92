// Measures this process's memory while it trains:  node --expose-gc memory.mjs steps|fits|unclosed|workers
// Prints one JSON line: samples of { heap, outside, rss } in bytes, and the threads that are left.
import { readdirSync } from "node:fs";
import * as inMemory from "../../dist/bundled/index.js";
import { array, dataset, nn, optim } from "../../dist/bundled/index.js";
import * as onThreads from "../../dist/bundled/index.node.js";

const [mode] = process.argv.slice(2);
const count = 400;
const inputs = array(
  Array.from({ length: count * 20 }, (_, i) => Math.sin(i)),
  [count, 20],
);
const train = dataset(
  inputs,
  array(
    Int32Array.from({ length: count }, (_, i) => i % 4),
    [count],
  ),
);
const options = (epochs, callbacks = []) => ({
  train,
  validation: 40,
  epochs,
  batchSize: 36,
  loss: nn.crossEntropy(),
  metrics: [nn.accuracy()],
  optimizer: optim.adam(0.001),
  callbacks,
});
const model = () => nn.sequential(nn.linear(32), nn.relu(), nn.dropout(0.1), nn.linear(4));

const samples = [];
async function sample() {
  // What a fit leaves is freed by finalizers, which run after the collection that finds it.
  for (let i = 0; i < 3; i++) {
    globalThis.gc();
    await new Promise((done) => setTimeout(done, 1));
  }
  const { heapUsed, external, rss } = process.memoryUsage();
  samples.push({ heap: heapUsed, outside: external, rss });
}

if (mode === "steps") {
  const every = {
    name: "memory",
    on: (event) => (event.type === "epoch" && event.epoch % 50 === 0 ? sample() : undefined),
  };
  const run = await onThreads.fit(model(), { ...options(1000, [every]), threads: 2 });
  if (run.history.at(-1).step !== 10_000) throw new Error(`got ${run.history.at(-1).step} steps; expected 10000`);
  await run.close();
} else
  for (let i = 0; i < 100; i++) {
    const { fit } = mode === "workers" ? onThreads : inMemory;
    const run = await fit(model(), { ...options(2), ...(mode === "workers" ? { threads: 2 } : {}) });
    if (mode !== "unclosed") await run.close();
    if (i % 5 === 4) await sample();
  }

await new Promise((done) => setTimeout(done, 100));
const threads = process.platform === "linux" ? readdirSync("/proc/self/task").length : undefined;
console.log(JSON.stringify({ samples, threads }));
