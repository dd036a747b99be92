/** What each augmentation adds to a step: node bench/augment.mjs [pixels] [rounds]. */
import { augment, dataset, fit, HostArray, nn, optim } from "../dist/bundled/index.node.js";

const size = Number(process.argv[2] ?? 32);
const rounds = Number(process.argv[3] ?? 5);
const [BATCH, STEPS] = [64, 20];
const count = BATCH * STEPS;
const pixels = Uint8Array.from({ length: count * 3 * size * size }, (_, i) => (Math.imul(i, 2654435761) >>> 24) & 255);
const labels = Int32Array.from({ length: count }, (_, i) => i % 2);
const train = dataset(new HostArray("u8", [count, 3, size, size], pixels), new HostArray("i32", [count], labels));

const kinds = [
  ...["", "flip", "crop 4", "cutout 8", "erase 0.5", "brightness 0.2", "contrast 0.2", "saturation 0.2", "hue 0.1"],
  ...["grayscale 0.1", "noise 0.05", "rotate 15", "resizedCrop 0.35", "mixup 0.2", "cutmix 1", "trivialAugment"],
  ...["randAugment 9"],
];
/** @type {Map<string, number[]>} */
const times = new Map(kinds.map((kind) => [kind, []]));
for (let round = 0; round < rounds; round++)
  for (const kind of kinds) {
    const run = await fit(nn.sequential(nn.globalAvgPool2d(), nn.linear(2)), {
      ...{ train, epochs: 6, batchSize: BATCH, loss: nn.crossEntropy(), optimizer: optim.sgd(0.1) },
      augment: kind === "" ? [] : augment.parse(kind),
    });
    // The first epochs wait for the engine's compiler.
    const steps = run.history.slice(3).map((/** @type {{ timeMs: number }} */ { timeMs }) => timeMs / STEPS);
    times.get(kind)?.push(...steps);
    await run.close();
  }

const median = (/** @type {readonly number[]} */ list) => [...list].sort((a, b) => a - b)[list.length >> 1] ?? 0;
const without = median(times.get("") ?? []);
console.log(`${BATCH} pictures of ${size} x ${size} in colour: ${without.toFixed(2)} ms a step without\n`);
console.log("| augmentation | ms more | us a picture |\n|---|---|---|");
for (const kind of kinds.slice(1)) {
  const more = median(times.get(kind) ?? []) - without;
  console.log(`| \`${kind}\` | ${more.toFixed(2)} | ${((1000 * more) / BATCH).toFixed(0)} |`);
}
