// Trains in a process of its own what the command line has no flags for, and goes on with the run if there is one:
//   node runner.mjs <recipe> <folder of runs>
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { array, augment, dataset, earlyStopping, nn, optim, schedule } from "../../dist/bundled/index.js";
import { fit } from "../../dist/bundled/index.node.js";

const [recipe = "", out = ""] = process.argv.slice(2);

const count = 600;
const side = 10;
const pixels = Float32Array.from({ length: count * side * side }, (_, i) => ((i * 2654435761) % 1000) / 1000);
const labels = Int32Array.from({ length: count }, (_, i) => i % 3);
for (let n = 0; n < count; n++)
  for (let i = 0; i < side; i++)
    pixels[(n * side + (labels[n] === 0 ? i : n % side)) * side + (labels[n] === 1 ? i : n % side)] = 2;
const train = dataset(array(pixels, [count, 1, side, side]), array(labels, [count], "i32"));

const cnn = () =>
  nn.sequential(
    nn.conv2d(8, 3, { padding: 1 }),
    nn.batchNorm(),
    nn.relu(),
    nn.maxPool2d(2),
    nn.dropout(0.3),
    nn.flatten(),
    nn.linear(3),
  );

const recipes = {
  "cnn-plateau": {
    augment: [augment.flip(), augment.crop(2), augment.cutout(3)],
    optimizer: optim.momentum(schedule.reduceOnPlateau(0.05, { factor: 0.5, patience: 1 })),
    metrics: [nn.accuracy()],
  },
  "cnn-ema-stopping": {
    optimizer: optim.ema(optim.adamw(0.003), { decay: 0.9 }),
    metrics: [nn.accuracy(), nn.metrics.f1()],
    callbacks: [earlyStopping({ patience: 3 })],
  },
};

const found = existsSync(out) ? readdirSync(out).find((name) => !name.startsWith(".")) : undefined;
await fit(cnn(), {
  train,
  validation: 60,
  epochs: 5,
  batchSize: 12,
  seed: 7,
  loss: nn.crossEntropy(),
  checkpoint: { everySteps: 6, everyEpochs: 1 },
  threads: 2,
  ...recipes[/** @type {keyof typeof recipes} */ (recipe)],
  ...(found === undefined ? { out } : { resume: join(out, found) }),
});
