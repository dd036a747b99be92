/** TensorFlow.js as a contender, on its WebAssembly or its plain backend. */
import nodeModule, { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { layersOf, readInputs, readSpec, serve } from "./peer.mjs";

const { kind, inputs, backend = "wasm" } = readSpec();
const require = createRequire(import.meta.url);
/** @type {any} */
const tf = require("@tensorflow/tfjs-core");
/** @type {any} */
const own = require(`@tensorflow/tfjs-backend-${backend}`);
if (backend === "wasm") own.setWasmPaths(`${join(dirname(require.resolve("@tensorflow/tfjs-backend-wasm")))}/`);
// Derivatives stand in modules beside the package's bundle, written for bundlers: their imports lack extensions.
const { registerHooks } = /** @type {any} */ (nodeModule);
if (!registerHooks) throw new Error("tfjs-core's derivatives load on Node 22.15 and later only");
registerHooks({
  /** @param {string} name @param {{ parentURL?: string }} context @param {(name: string, context: object) => object} next */
  resolve(name, context, next) {
    const own = name.startsWith(".") && !name.endsWith(".js") && context.parentURL?.includes("/tfjs-core/dist/");
    return next(own ? `${name}.js` : name, context);
  },
});
await import(new URL("register_all_gradients.js", pathToFileURL(require.resolve("@tensorflow/tfjs-core"))).href);
await tf.setBackend(backend);
await tf.ready();

const { x, y, weights } = readInputs(inputs);
const layers = layersOf(weights).map(({ weight, bias }) => {
  const value = tf.tensor(weight.data, weight.shape, "float32");
  // Its layouts: linear [in, out], convolution [height, width, in, out].
  const own = weight.shape.length === 2 ? tf.transpose(value) : tf.transpose(value, [2, 3, 1, 0]);
  return { weight: tf.variable(own), bias: tf.variable(tf.tensor(bias.data, bias.shape, "float32")) };
});
const images = tf.tensor(x.data, x.shape, "float32");
const batch = kind === "cnn" ? tf.transpose(images, [0, 2, 3, 1]) : images;
const labels = tf.oneHot(tf.tensor1d(y.data, "int32"), 10).cast("float32");

/** @param {any} input */
function forward(input) {
  let value = input;
  for (const [i, { weight, bias }] of layers.entries()) {
    if (weight.rank === 4) {
      const made = tf.add(tf.conv2d(value, weight, 1, "same"), bias);
      value = tf.maxPool(tf.relu(made), 2, 2, "valid");
      continue;
    }
    // PyTorch flattens channels first.
    if (value.rank === 4) value = tf.reshape(tf.transpose(value, [0, 3, 1, 2]), [value.shape[0], -1]);
    value = tf.add(tf.matMul(value, weight), bias);
    if (i < layers.length - 1) value = tf.relu(value);
  }
  return value;
}

const optimizer = tf.train.adam(1e-3, 0.9, 0.999, 1e-8);
await serve({ name: "@tensorflow/tfjs", version: tf.version_core, backend, node: process.versions.node }, async () => {
  const loss = optimizer.minimize(
    () => tf.mean(tf.neg(tf.sum(tf.mul(tf.logSoftmax(forward(batch)), labels), -1))),
    true,
  );
  const [value] = await loss.data();
  loss.dispose();
  return value;
});
