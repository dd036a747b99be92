/** Time of an epoch on a stream beside data in memory, in turn: node bench/streams.mjs [rounds]. */
import {
  augment,
  fit,
  mnist,
  nn,
  optim,
  shards,
  streamDataset,
  streamOf,
  takeRows,
} from "../dist/bundled/index.node.js";

const rounds = Number(process.argv[2] ?? 5);
const { train } = await mnist();
const { inputs, targets, classes = [], preprocessing } = train;
const SHARDS = 20;
const perShard = (inputs.shape[0] ?? 0) / SHARDS;
const indices = (/** @type {number} */ shard) => Array.from({ length: perShard }, (_, i) => shard * perShard + i);
const parts = Array.from({ length: SHARDS }, (_, shard) => ({
  inputs: takeRows(inputs, indices(shard)),
  targets: takeRows(targets, indices(shard)),
}));
const samples = shards(parts, (/** @type {any} */ part) => streamOf(part), { count: () => perShard }).shuffle(
  4 * perShard,
);
const streamed = await streamDataset(samples, { classes, preprocessing });

const MODELS = {
  mlp: () => nn.sequential(nn.flatten(), nn.linear(128), nn.relu(), nn.linear(10)),
  cnn: () => nn.cnn({ classes: 10, inChannels: 1 }),
};
const median = (/** @type {number[]} */ list) => list.sort((a, b) => a - b)[list.length >> 1] ?? 0;
for (const [name, model] of Object.entries(MODELS)) {
  /** @type {{ resident: number[], streamed: number[] }} */
  const times = { resident: [], streamed: [] };
  const epoch = async (/** @type {"resident" | "streamed"} */ kind) => {
    const run = await fit(model(), {
      ...{ train: kind === "resident" ? train : streamed, epochs: 3, batchSize: 64, seed: 1 },
      ...{ loss: nn.crossEntropy(), optimizer: optim.adam(0.001), augment: name === "cnn" ? [augment.crop(2)] : [] },
    });
    // The first epoch waits for the engine's compiler.
    times[kind].push(...run.history.slice(1).map((/** @type {{ timeMs: number }} */ { timeMs }) => timeMs));
    await run.close();
  };
  for (let round = 0; round < rounds; round++)
    for (const kind of /** @type {const} */ (["resident", "streamed"])) await epoch(kind);
  const [resident, fed] = [median(times.resident), median(times.streamed)];
  console.log(
    `${name}: ${resident.toFixed(0)} ms an epoch in memory, ${fed.toFixed(0)} ms streamed, ratio ${(fed / resident).toFixed(3)}`,
  );
}
