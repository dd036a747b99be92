/** Trains with `fit` until an accuracy on the test set is reached; answers once, when it has been. */
import { readFileSync } from "node:fs";
import { peakMemory } from "./peak-memory.mjs";
import { engineOf, loadProduct, openBackend } from "./product.mjs";

/**
 * @typedef {{ dist: string, mode: import("./modes.mjs").Mode, threads: number, inputs: string, batch: number, epochs: number, seed: number,
 *   target: number, rate: any, preprocessing: any }} AccuracySpec
 */

/** @type {AccuracySpec} */
const spec = JSON.parse(process.argv[2] ?? "");
const product = await loadProduct(spec.dist);
const { downhill } = product;
const { nn, optim, schedule } = downhill;

const { tensors } = downhill.decodeSafetensors(readFileSync(spec.inputs));
const { x, y, testX, testY, order: _order, rates: _rates, preparation: _preparation, ...weights } = tensors;
const { preprocessing } = spec;
const backend = await openBackend(product, spec);

/** @type {{ loss: number, accuracy: number, ms: number }[]} */
const epochs = [];
let reached = false;
let last = performance.now();
const training = downhill.fit(nn.cnn({ classes: 10 }), {
  train: { inputs: x, targets: y, preprocessing },
  validation: { inputs: testX, targets: testY, preprocessing },
  epochs: spec.epochs,
  batchSize: spec.batch,
  seed: spec.seed,
  weights,
  loss: nn.crossEntropy(),
  metrics: [nn.accuracy()],
  optimizer: optim.adam(schedule.fromJSON(spec.rate)),
  backend,
});
for await (const { train, validation } of training) {
  const now = performance.now();
  epochs.push({ loss: train.loss, accuracy: validation.accuracy, ms: now - last });
  last = now;
  reached = validation.accuracy >= spec.target;
  if (reached) break;
}
const engine = engineOf();
const { user, system } = process.cpuUsage();
const cpuMs = (user + system) / 1000;
process.stdout.write(`${JSON.stringify({ reached, epochs, engine, cpuMs, peakMemory: peakMemory() })}\n`);
process.exit();
