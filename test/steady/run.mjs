// A training in a process of its own that never closes its backend:  node run.mjs done|failed|aborted|waiting
import { array, dataset, nn, optim } from "../../dist/bundled/index.js";
import { fit } from "../../dist/bundled/index.node.js";

const [how] = process.argv.slice(2);
const inputs = array(
  Array.from({ length: 4000 }, (_, i) => Math.sin(i)),
  [200, 20],
);
const stopping = new AbortController();
const training = fit(nn.sequential(nn.linear(32), nn.relu(), nn.linear(4)), {
  train: dataset(
    inputs,
    array(
      Int32Array.from({ length: 200 }, (_, i) => i % 4),
      [200],
    ),
  ),
  epochs: how === "waiting" ? 1_000_000 : 3,
  batchSize: 20,
  loss: nn.crossEntropy(),
  optimizer: optim.adam(),
  threads: 3,
  signal: stopping.signal,
  callbacks: [
    {
      name: "meddler",
      on: ({ type }) => {
        if (type === "start") console.log("started");
        if (type === "epoch" && how === "failed") throw new Error("no more");
        if (type === "epoch" && how === "aborted") stopping.abort();
      },
    },
  ],
});
const outcome = await training.then(
  ({ reason }) => reason,
  (error) => `${error.name}: ${error.message}`,
);
console.log(outcome);
