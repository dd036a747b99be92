/** What remat costs a step, and what repeat saves in compilation: `node bench/blocks.mjs` after a build. One thread. */
import { pathToFileURL } from "node:url";

const dist = pathToFileURL(`${process.argv[2] ?? "dist"}/`);
const { array, compile, nn, valueAndGrad, zipTrees } = await import(new URL("index.js", dist).href);

const WIDTH = 128;
const x = array(
  Float32Array.from({ length: 512 * WIDTH }, (_, i) => Math.sin(i)),
  [512, WIDTH],
);

/** A plain gradient step, and how long it took to trace and compile. @param {any} layer */
async function make(layer) {
  const model = nn.model(layer);
  const { params } = model.init(1, x.aval);
  const start = performance.now();
  const step = await compile(
    (/** @type {any} */ state, /** @type {any} */ _batch, /** @type {any} */ _ctx, /** @type {any} */ data) => {
      const [loss, grads] = valueAndGrad((/** @type {any} */ p) => model.apply(p, {}, data.x)[0].square().mean())(
        state.params,
      );
      const moved = zipTrees(
        (/** @type {string} */ _path, /** @type {any} */ value, /** @type {any} */ g) => value.sub(g.mul(0.01)),
        state.params,
        grads,
      );
      return { state: { params: moved }, metrics: { loss } };
    },
    { state: { params }, batch: {}, data: { x } },
  );
  return { step, compileMs: performance.now() - start };
}

/** @param {readonly number[]} values */
const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

const block = nn.sequential(nn.linear(WIDTH), nn.gelu(), nn.linear(WIDTH), nn.gelu());
const stack = (/** @type {any} */ one) => nn.sequential(...Array.from({ length: 8 }, () => one));
const rivals = [
  { name: "plain", ...(await make(stack(block))), ms: /** @type {number[]} */ ([]) },
  { name: "remat", ...(await make(stack(nn.remat(block)))), ms: /** @type {number[]} */ ([]) },
];
for (const { step } of rivals) await step.run({}, 20);
for (let round = 0; round < 7; round++)
  for (const { step, ms } of rivals) {
    const start = performance.now();
    await step.run({}, 10);
    ms.push((performance.now() - start) / 10);
  }
for (const { name, ms } of rivals) console.log(`8 blocks, ${name}: ${median(ms).toFixed(1)} ms a step`);

const residual = nn.residual(nn.sequential(nn.layerNorm(), nn.linear(WIDTH), nn.gelu(), nn.linear(WIDTH)));
for (const [count, scan] of [
  [1, false],
  [24, true],
  [24, false],
]) {
  const times = [];
  for (let round = 0; round < 5; round++) times.push((await make(nn.repeat(residual, count, { scan }))).compileMs);
  console.log(`${count} residual blocks, ${scan ? "a loop" : "copies"}: compiled in ${median(times).toFixed(0)} ms`);
}
