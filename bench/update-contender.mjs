/** One update rule as a contender: says what it is once it has run a step, then times steps on request. */
import { createInterface } from "node:readline";
import { loadProduct, openBackend } from "./product.mjs";
import { bytesOf, passesOf, prepare, ruleOf, shapesOf } from "./update-rules.mjs";

/** @typedef {{ dist: string, rule: string, size: number, threads: number, mode: import("./modes.mjs").Mode, layouts: readonly ("one" | "many")[] }} Spec */

/** @param {unknown} message */
const answer = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);

const spec = JSON.parse(process.argv[2] ?? "");
const lib = await loadProduct(spec.dist);

if (spec.rule === undefined) {
  // Which rules there are, and how many loops the update of three small tensors is.
  /** @type {{ name: string, passes?: number, error?: string }[]} */
  const rules = [];
  for (const { name, role } of lib.downhill.optim.table) {
    if (role !== "rule") continue;
    try {
      const { step } = await prepare(lib, lib.downhill.wasmBackend(), ruleOf(lib, name), [[300], [77], [1030]]);
      rules.push({ name, passes: passesOf(step) });
    } catch (error) {
      rules.push({ name, error: String(error).split("\n", 1)[0] ?? "" });
    }
  }
  answer({ rules });
} else {
  const { rule: name, size, threads, mode, layouts } = /** @type {Spec} */ (spec);
  const backend = await openBackend(lib, { threads, mode });
  /** @type {Record<string, any>} */
  const steps = {};
  /** @type {Record<string, number>} */
  const compileMs = {};
  let bytes = 0;
  let streamBytes = 0;
  let moved = 0;
  for (const layout of layouts) {
    const {
      step,
      stream,
      before,
      compileMs: took,
    } = await prepare(lib, backend, ruleOf(lib, name), shapesOf(size, layout === "many"));
    steps[layout] = step;
    compileMs[layout] = took;
    await step.run({}, 1);
    if (layout !== layouts[0]) continue;
    bytes = bytesOf(lib, step.program);
    const after = (await step.read()).x.p0.data;
    for (let i = 0; i < after.length; i++) moved += Math.abs(after[i] - before.p0.data[i]) / after.length;
    steps.stream = await stream();
    streamBytes = bytesOf(lib, steps.stream.program);
  }
  const { rate } = ruleOf(lib, name).config;
  answer({ bytes, streamBytes, compileMs, moved, rate: typeof rate === "number" ? rate : null });
  for await (const line of createInterface({ input: process.stdin })) {
    const { what, steps: count } = JSON.parse(line);
    const cpu = process.cpuUsage();
    const start = performance.now();
    await steps[what].run({}, count);
    const ms = performance.now() - start;
    const { user, system } = process.cpuUsage(cpu);
    answer({ ms, cpuMs: (user + system) / 1000 });
  }
  await backend.close();
}
process.exit();
