/**
 * brain.js as a contender. It has no mini-batches, no softmax and no cross entropy, so this is not the same work: one pass over as
 * many samples, an Adam update after each, squared error.
 */
import { createRequire } from "node:module";
import { readInputs, readSpec, serve } from "./peer.mjs";

const { kind, size, inputs } = readSpec();
if (kind !== "mlp") throw new Error("brain.js has no convolutions");
const require = createRequire(import.meta.url);
/** @type {any} */
const { NeuralNetwork } = require("brain.js");
const { version } = require("brain.js/package.json");

const { x, y } = readInputs(inputs);
/** @type {any[]} */
const samples = Array.from({ length: size }, (_, i) => ({
  input: x.data.slice(i * 784, (i + 1) * 784),
  output: Float32Array.from({ length: 10 }, (_, label) => (label === y.data[i] ? 1 : 0)),
}));
const network = new NeuralNetwork({ hiddenLayers: [256, 128], activation: "relu" });
/** @type {any} */
const options = { iterations: 1, errorThresh: 1e-9, praxis: "adam", learningRate: 1e-3 };
await serve({ name: "brain.js", version, node: process.versions.node, sameWork: false }, async () => {
  const { error } = network.train(samples, options);
  return error;
});
