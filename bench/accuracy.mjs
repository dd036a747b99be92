/** The section `accuracy`: seconds from the start of a process until its CNN classifies the test set well enough. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Child } from "./child.mjs";
import { chosen, downhillContenders, preferred } from "./contenders.mjs";
import { pythonEnvironment } from "./engines.mjs";
import { busyTime, IDLE } from "./machine.mjs";
import { attempt, loadOf } from "./measure.mjs";
import { loadProduct } from "./product.mjs";
import { table } from "./report.mjs";

/**
 * @typedef {{ loss: number, accuracy: number, ms: number }} Epoch
 * @typedef {{ name: string, family: "downhill" | "pytorch" | "peer", mode?: string, node?: string, seconds?: number, reached?: boolean, epochs?: Epoch[],
 *   peakMemory?: number | null, vsTorch?: number, load?: number, error?: string }} AccuracyRow
 * @typedef {{ data: keyof typeof TASKS, threads: number, target: number, differ: boolean, load: ReturnType<typeof loadOf>, rows: AccuracyRow[] }} AccuracyResult
 */

/** Rates fall by half a cosine to 0 at the end of the last epoch, where the target is passed with something to spare. */
export const TASKS = {
  mnist: { title: "MNIST", target: 0.99, epochs: 3, rate: 2e-3 },
  "fashion-mnist": { title: "Fashion-MNIST", target: 0.91, epochs: 4, rate: 2e-3 },
};
const BATCH = 128;
const SEED = 1;
const LIMIT_MS = 600_000;
/** Losses of the first epoch: 469 updates after the same start. */
const AGREEMENT = 0.02;

/** To see that it works. */
const QUICK = { target: 0.5, epochs: 1, images: 6000 };

/**
 * What both sides read: images, labels, first weights, the order of every epoch, the rate of every step.
 * @param {string} dist @param {string} folder @param {keyof typeof TASKS} data @param {{ epochs: number, images: number }} options
 */
async function writeTask(dist, folder, data, { epochs, images }) {
  const { downhill } = await loadProduct(dist);
  const { HostArray, nn, schedule, encodeSafetensors, epochOrder } = downhill;
  const known = await (data === "mnist" ? downhill.mnist() : downhill.fashionMnist());
  const first = (/** @type {any} */ { dtype, shape: [count, ...rest], data: all }) => {
    const kept = Math.min(count, images);
    return new HostArray(dtype, [kept, ...rest], all.subarray(0, kept * (all.length / count)));
  };
  const part = (/** @type {any} */ { inputs, targets, preprocessing }) => ({
    inputs: first(inputs),
    targets: first(targets),
    preprocessing,
  });
  const train = part(known.train);
  const test = part(known.test);
  const { rate } = TASKS[data];
  const count = train.inputs.shape[0];
  const stepsPerEpoch = Math.ceil(count / BATCH);
  const totalSteps = epochs * stepsPerEpoch;
  const falling = schedule.cosine(rate);
  const model = nn.model(nn.cnn({ classes: 10 }));
  const { params, buffers } = model.init(SEED, { dtype: "f32", shape: [BATCH, ...train.inputs.shape.slice(1)] });
  const all = Int32Array.from({ length: count }, (_, i) => i);
  const order = new Int32Array(epochs * count);
  for (let epoch = 0; epoch < epochs; epoch++) order.set(epochOrder(SEED, epoch, all), epoch * count);
  const rates = Float32Array.from({ length: totalSteps }, (_, step) => falling.at(step, { stepsPerEpoch, totalSteps }));
  const { scale, mean, std } = train.preprocessing;
  const path = join(folder, `accuracy-${data}.safetensors`);
  writeFileSync(
    path,
    encodeSafetensors({
      ...model.stateDict(params, buffers),
      x: train.inputs,
      y: train.targets,
      testX: test.inputs,
      testY: test.targets,
      order: new HostArray("i32", [epochs, count], order),
      rates: new HostArray("f32", [totalSteps], rates),
      preparation: new HostArray("f32", [2], Float32Array.of(scale / std[0], mean[0] / std[0])),
    }),
  );
  return { path, preprocessing: train.preprocessing, rate: falling.toJSON() };
}

/**
 * @param {{ data: keyof typeof TASKS, threads: number, dist: string, folder: string, quick: boolean }} what @param {import("./contenders.mjs").Field} field
 * @param {import("./machine.mjs").IdleWatch} idle @param {(text: string) => void} progress @returns {Promise<AccuracyResult>}
 */
export async function measureAccuracy({ data, threads, dist, folder, quick }, field, idle, progress) {
  const { target, epochs, images } = quick ? QUICK : { ...TASKS[data], images: Number.POSITIVE_INFINITY };
  progress(`writing ${data}`);
  const { path: inputs, preprocessing, rate } = await writeTask(dist, folder, data, { epochs, images });
  const common = { threads, inputs, batch: BATCH, epochs, target };
  const modes = preferred(field.modes, ["fast", "wide", "native"]);
  const ours = downhillContenders("accuracy-contender.mjs", { ...field, modes }, (mode, build) => ({
    ...common,
    dist: build.dist,
    mode,
    seed: SEED,
    preprocessing,
    rate,
  }));
  const script = fileURLToPath(new URL("pytorch/accuracy.py", import.meta.url));
  const torch = (field.python === undefined ? [] : ["channels_last"]).map((format) => ({
    name: `PyTorch ${format} fused`,
    family: /** @type {const} */ ("pytorch"),
    command: [field.python ?? "", script, JSON.stringify({ ...common, format, fused: true })],
    env: pythonEnvironment(),
  }));
  /** @type {import("./contenders.mjs").Contender[]} */
  const contenders = [...ours, ...chosen(torch, field.contenders)];
  /** @type {AccuracyRow[]} */
  const rows = [];
  /** @type {{ load: number, idleBefore: boolean }[]} */
  const loads = [];
  for (const { name, family, mode, node, command, env } of contenders) {
    progress(`${data}, ${name}`);
    /** @type {AccuracyRow} */
    const row = { name, family, ...(mode && { mode }), ...(node && { node }) };
    rows.push(row);
    const idleBefore = await idle.wait();
    const busy = busyTime();
    const start = performance.now();
    const child = new Child(command, env);
    await attempt(row, async () => {
      const { fromStart, reached, epochs: list, peakMemory, cpuMs } = await child.within(child.hello, LIMIT_MS);
      const load = Math.max(0, (busyTime() - busy - cpuMs) / (performance.now() - start));
      loads.push({ load, idleBefore });
      Object.assign(row, { seconds: fromStart / 1000, reached, epochs: list, peakMemory, load });
    });
    await child.close();
  }
  const best = Math.min(
    ...rows.map((row) => (row.family === "pytorch" && row.reached ? (row.seconds ?? Infinity) : Infinity)),
  );
  const losses = rows.flatMap(({ epochs: list }) => list?.[0]?.loss ?? []);
  return {
    data,
    threads,
    target,
    differ: losses.length > 1 && Math.max(...losses) - Math.min(...losses) > AGREEMENT,
    load: loadOf(loads),
    rows: rows.map((row) => ({
      ...row,
      ...(row.reached && row.seconds !== undefined && Number.isFinite(best) && { vsTorch: row.seconds / best }),
    })),
  };
}

/** @param {AccuracyResult} result */
export function formatAccuracy({ data, threads, target, differ, load, rows }) {
  const percent = (/** @type {number | undefined} */ value) => (value === undefined ? "-" : (100 * value).toFixed(2));
  const lines = rows
    .filter(({ seconds }) => seconds !== undefined)
    .map(({ name, seconds, reached, epochs = [], vsTorch, peakMemory }) => [
      name,
      reached ? (seconds?.toFixed(1) ?? "-") : "never",
      `${epochs.length}`,
      (epochs.reduce((sum, { ms }) => sum + ms, 0) / epochs.length / 1000).toFixed(2),
      percent(epochs.at(-1)?.accuracy),
      vsTorch?.toFixed(2) ?? "-",
      peakMemory ? `${Math.round(peakMemory / 1e6)}` : "-",
    ]);
  const busy = load.busy > 0 || load.notIdleBefore > 0;
  return [
    `${TASKS[data].title} to ${100 * target} %, CNN, batch ${BATCH}, ${threads} thread${threads === 1 ? "" : "s"}: seconds of the whole process`,
    `  ${busy ? `NOT IDLE in ${Math.max(load.busy, load.notIdleBefore)} of ${load.samples}` : "Idle otherwise"}: others used at most ${load.most.toFixed(2)} processors (idle is below ${IDLE}).`,
    table([["", "s", "epochs", "s/epoch", "%", "/torch", "MB"], ...lines], [30, 6, 6, 7, 6, 6, 5]),
    ...rows.flatMap(({ name, error }) => (error === undefined ? [] : [`  ${name} failed: ${error}`])),
    ...(differ ? ["  THE LOSSES of the first epoch DIFFER: this is not the same work."] : []),
  ].join("\n");
}
