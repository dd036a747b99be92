/** jax-js as a contender, on its WebAssembly device: the whole step under its `jit`. */
import { readFileSync } from "node:fs";
import { layersOf, readInputs, readSpec, serve } from "./peer.mjs";

const { kind, size, inputs } = readSpec();
/** @type {any} */
const jax = await import(/** @type {string} */ ("@jax-js/jax"));
await jax.init("wasm");
jax.defaultDevice("wasm");
const { numpy: np, lax, nn } = jax;

const { x, y, weights } = readInputs(inputs);
/** @param {{ data: Float32Array | Int32Array, shape: readonly number[] }} array */
const put = ({ data, shape }) => np.array(data).reshape(shape);
const params = layersOf(weights).flatMap(({ weight, bias }) => [
  put(weight),
  put({ data: bias.data, shape: weight.shape.length === 4 ? [1, bias.shape[0] ?? 0, 1, 1] : bias.shape }),
]);
const isConvolution = layersOf(weights).map(({ weight }) => weight.shape.length === 4);
const hot = new Float32Array(size * 10);
for (const [i, label] of y.data.entries()) hot[i * 10 + label] = 1;
const batch = put(x);
const labels = put({ data: hot, shape: [size, 10] });

// Every use of an array but the last takes a reference: the callee owns what it is given.
/** @param {any[]} values @param {any} input @param {any} target */
function lossOf(values, input, target) {
  let value = kind === "cnn" ? input : input.reshape([size, 784]);
  let flat = kind !== "cnn";
  for (const [i, convolution] of isConvolution.entries()) {
    const [weight, bias] = [values[2 * i], values[2 * i + 1]];
    if (convolution) {
      const made = nn.relu(lax.conv(value, weight, [1, 1], "SAME").add(bias));
      const [n, c, h, w] = made.shape;
      value = np.max(np.max(made.reshape([n, c, h / 2, 2, w / 2, 2]), 5), 3);
      continue;
    }
    if (!flat) value = value.reshape([size, -1]);
    flat = true;
    value = np.dot(value, np.transpose(weight)).add(bias);
    if (i < isConvolution.length - 1) value = nn.relu(value);
  }
  return nn
    .logSoftmax(value, -1)
    .mul(target)
    .sum()
    .mul(-1 / size);
}

const BETA1 = 0.9;
const BETA2 = 0.999;
const step = jax.jit(
  (
    /** @type {any[]} */ values,
    /** @type {any[]} */ ms,
    /** @type {any[]} */ vs,
    /** @type {any} */ rates,
    /** @type {any} */ input,
    /** @type {any} */ target,
  ) => {
    const [loss, grads] = jax.valueAndGrad(lossOf)(
      values.map((value) => value.ref),
      input,
      target,
    );
    /** @type {[any[], any[], any[]]} */
    const next = [[], [], []];
    for (const [i, g] of grads.entries()) {
      const m = ms[i].mul(BETA1).add(g.ref.mul(1 - BETA1));
      const v = vs[i].mul(BETA2).add(np.square(g).mul(1 - BETA2));
      const [rate, scale] = [rates.ref.slice(0), rates.ref.slice(1)];
      const denominator = np.sqrt(v.ref.mul(scale)).add(1e-8);
      next[0].push(values[i].sub(m.ref.div(denominator).mul(rate)));
      next[1].push(m);
      next[2].push(v);
    }
    rates.dispose();
    return [loss, ...next];
  },
);

/** @type {any[][]} */
let state = [params, params.map((value) => np.zeros(value.shape)), params.map((value) => np.zeros(value.shape))];
let count = 0;
const { version } = JSON.parse(
  readFileSync(new URL("../node_modules/@jax-js/jax/package.json", import.meta.url), "utf8"),
);
await serve({ name: "@jax-js/jax", version, node: process.versions.node }, async () => {
  count++;
  const rates = np.array(Float32Array.of(1e-3 / (1 - BETA1 ** count), 1 / (1 - BETA2 ** count)));
  const [loss, ...next] = step(...state, rates, batch.ref, labels.ref);
  state = next;
  await jax.blockUntilReady(state.flat().map((value) => value.ref)).then((/** @type {any[]} */ all) => {
    for (const value of all) value.dispose();
  });
  return (await loss.data())[0];
});
