/**
 * What is measured. A workload is named by its kind, its size and a thread count; every contender does the same
 * arithmetic on the same numbers.
 *
 * @typedef {import("./networks.mjs").NetworkKind | "adam" | "matmul" | "stream"} Kind
 * @typedef {{ kind: Kind, size: number, threads: number, steps: number, warmup: number,
 *   work: number, unit: "GFLOP" | "GB", title: string }} Workload
 *   `work` of one step in units of 1e9 (operations, or bytes read and written); `steps` of one sample, after `warmup`.
 */

import { gigaflopsOf, isNetwork, NETWORKS } from "./networks.mjs";

/** Elements of the flat tensor that the Adam update and the streaming loop run over. */
export const FLAT = 10_000_000;
/** Rows and columns of the square product. */
export const SQUARE = 1024;

/** In the order of measurement: streaming comes before the update that is held to it. */
export const KINDS = /** @type {const} */ ([
  "cnn",
  "mlp",
  "resnet20",
  "transformer",
  "lstm",
  "matmul",
  "stream",
  "adam",
]);
export const GROUPS = /** @type {const} */ ([...KINDS, "update", "start"]);

/** Samples that go through a network in one measured sample: about half a second for the slower contenders. */
const SEEN = { cnn: 1280, mlp: 19_200, resnet20: 256, resnet18: 16, transformer: 96, lstm: 384 };

/**
 * @param {{ only: readonly string[], batches: readonly number[], threads: readonly number[] | undefined, quick: boolean }} options
 * @returns {Workload[]}
 */
export function workloads({ only, batches, threads, quick }) {
  const scale = quick ? 2 : 1;
  /** @type {Workload[]} */
  const list = [];
  for (const kind of KINDS) {
    if (!only.includes(kind) && !(kind === "stream" && only.includes("adam"))) continue;
    const counts = threads ?? (kind === "cnn" || kind === "stream" || kind === "adam" ? [1, 2] : [1]);
    const sizes = isNetwork(kind) ? (NETWORKS[kind].sizes ?? batches) : [kind === "matmul" ? SQUARE : FLAT];
    for (const size of sizes) for (const count of counts) list.push(workload(kind, size, count, scale));
  }
  return list;
}

/** @param {Kind} kind @param {number} size @param {number} threads @param {number} scale @returns {Workload} */
function workload(kind, size, threads, scale) {
  const millions = `${size / 1e6} M`;
  if (isNetwork(kind))
    return {
      kind,
      size,
      threads,
      steps: Math.max(2, Math.round(SEEN[kind] / size / scale)),
      warmup: 3,
      work: gigaflopsOf(kind, size),
      unit: "GFLOP",
      title: `${NETWORKS[kind].title}, batch ${size}`,
    };
  switch (kind) {
    case "adam":
      // Reads x, m, v and the gradient; writes x, m and v.
      return {
        kind,
        size,
        threads,
        steps: 20 / scale,
        warmup: 1,
        work: (size * 28) / 1e9,
        unit: "GB",
        title: `Adam update of ${millions} parameters`,
      };
    case "stream":
      return {
        kind,
        size,
        threads,
        steps: 40 / scale,
        warmup: 1,
        work: (size * 12) / 1e9,
        unit: "GB",
        title: `x += a y, ${millions} elements`,
      };
    case "matmul":
      return {
        kind,
        size,
        threads,
        steps: 8 / scale,
        warmup: 1,
        work: (2 * size ** 3) / 1e9,
        unit: "GFLOP",
        title: `Matrix product, ${size} x ${size} x ${size}`,
      };
  }
}
