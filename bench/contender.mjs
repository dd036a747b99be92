/**
 * Downhill as a contender: one process for one workload. It says what it is once the first step is done, then answers
 * requests, a line of JSON each, until its input ends. Times are taken here, so the lines' travel is in none of them.
 */
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { NETWORKS, networkOf } from "./networks.mjs";
import { peakMemory } from "./peak-memory.mjs";
import { engineOf, hashed, loadProduct, openBackend } from "./product.mjs";

/** @typedef {{ kind: import("./workloads.mjs").Kind, size: number, threads: number, mode: import("./modes.mjs").Mode, dist: string, inputs: string }} Spec */

/** @type {Spec} */
const spec = JSON.parse(process.argv[2] ?? "");
const { kind, size, threads, mode } = spec;

const importing = performance.now();
const product = await loadProduct(spec.dist);
const imported = performance.now();

const { downhill } = product;
const { mapTree, zeros, nn, optim } = downhill;

/** @param {any} tree */
const zerosLike = (tree) => mapTree(tree, (/** @type {any} */ leaf) => zeros(leaf.shape, leaf.dtype));

/** @param {Float32Array} values */
const meanSize = (values) => values.reduce((sum, x) => sum + Math.abs(x), 0) / values.length;

/** A training step on a batch that stays where the parameters are, as PyTorch's does. */
function network() {
  const { model: modelOf, loss } = NETWORKS[/** @type {import("./networks.mjs").NetworkKind} */ (kind)];
  const { tensors } = downhill.decodeSafetensors(readFileSync(spec.inputs));
  const { x, y } = tensors;
  const model = nn.model(modelOf(nn));
  const { params, buffers } = model.init(1, x.aval);
  // First values are drawn when they are read: here, not while the step compiles.
  mapTree(params, (/** @type {any} */ leaf) => leaf.data);
  const optimizer = optim.adam(1e-3);
  return {
    /** @param {any} state @param {any} _batch @param {any} ctx @param {any} data */
    step(state, _batch, ctx, data) {
      const [value, grads, after] = downhill.valueAndGrad(
        (/** @type {any} */ p) => {
          const [output, moved] = model.apply(p, state.buffers, data.x, { training: true, key: ctx.key });
          return [loss(nn, output, data.y), moved];
        },
        { aux: true },
      )(state.params);
      const [updates, opt] = optimizer.update(grads, state.opt, ctx.forUpdate(state.params, value));
      const next = { params: optim.applyUpdates(state.params, updates), buffers: after, opt };
      return { state: next, metrics: { loss: value } };
    },
    state: { params, buffers, opt: { m: zerosLike(params), v: zerosLike(params) } },
    data: { x, y },
  };
}

function adam() {
  const optimizer = optim.adam(1e-3);
  const x = hashed(product, [size], 1);
  return {
    /** @param {any} state @param {any} _batch @param {any} ctx @param {any} data */
    step(state, _batch, ctx, data) {
      const [updates, opt] = optimizer.update(data.g, state.opt, ctx.forUpdate(state.x, ctx.step.cast("f32")));
      return { state: { x: optim.applyUpdates(state.x, updates), opt } };
    },
    state: { x, opt: { m: zerosLike(x), v: zerosLike(x) } },
    data: { g: hashed(product, [size], 7) },
    /** How far a parameter went, in thousandths. @param {any} state */
    result: (state) =>
      state.x.data.map((/** @type {number} */ value, /** @type {number} */ i) => 1e3 * (value - x.data[i])),
  };
}

/** In place, as an update rule works: no line is fetched only to be overwritten. */
function stream() {
  return {
    /** @param {any} state @param {any} _batch @param {any} ctx @param {any} data */
    step: (state, _batch, ctx, data) => ({ state: { x: state.x.add(data.y.mul(ctx.hyper("a", 0.75))) } }),
    state: { x: hashed(product, [size], 1) },
    data: { y: hashed(product, [size], 7) },
    /** @param {any} state */
    result: (state) => state.x.data,
  };
}

function matmul() {
  return {
    /** @param {any} _state @param {any} _batch @param {any} _ctx @param {any} data */
    step: (_state, _batch, _ctx, data) => ({ state: { c: data.a.matmul(data.b) } }),
    state: { c: zeros([size, size]) },
    data: { a: hashed(product, [size, size], 1), b: hashed(product, [size, size], 7) },
    /** @param {any} state */
    result: (state) => state.c.data,
  };
}

/** @type {{ step: Function, state: any, data: any, result?: (state: any) => any }} */
const work = kind === "adam" ? adam() : kind === "stream" ? stream() : kind === "matmul" ? matmul() : network();
const made = performance.now();
const backend = await openBackend(product, { threads, mode });
const step = await downhill.compile(work.step, { backend, state: work.state, batch: {}, data: work.data });
const compiled = performance.now();
/** @param {number} steps */
const run = async (steps) => (await step.run({}, steps)).results.loss?.at(-1);
const firstLoss = await run(1);
const stepped = performance.now();
const value = firstLoss ?? (work.result ? meanSize(work.result(await step.read())) : Number.NaN);

/** @param {unknown} message */
const answer = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);
answer({
  value,
  engine: engineOf(),
  times: {
    import: imported - importing,
    init: made - imported,
    compile: compiled - made,
    step: stepped - compiled,
    fromStart: stepped,
  },
  plannedBytes: step.executable.peakBytes,
});

for await (const line of createInterface({ input: process.stdin })) {
  const { op, steps } = JSON.parse(line);
  if (op === "reset") {
    // All state of a network is small; the other workloads' numbers do not drift anywhere slow.
    if (networkOf(kind)) {
      step.load(work.state);
      step.store.write("completed", zeros([], "i32"));
      step.attempted = 0;
    }
    answer({});
  } else if (op === "run") {
    const cpu = process.cpuUsage();
    const start = performance.now();
    const value = await run(steps);
    const ms = performance.now() - start;
    const { user, system } = process.cpuUsage(cpu);
    answer({ ms, cpuMs: (user + system) / 1000, value: value ?? null });
  } else {
    const { timeByPhase } = await step.run({}, 1, { timed: true });
    answer({ peakMemory: peakMemory(), phases: timeByPhase });
  }
}
await backend.close();
process.exit();
