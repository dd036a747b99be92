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
/** Parameters of the MLP 784-256-128-10: their update lies in the innermost caches. */
export const SMALL = 235_146;
/** Rows and columns of the square products. */
const SQUARES = [64, 256, 1024];

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
/** What `--only` takes beside the kinds. */
export const GROUPS = /** @type {const} */ ([...KINDS, "update", "start", "accuracy", "peers", "busy"]);

/** Samples that go through a network in one measured sample: a quarter of a second to a half on one thread of a fast contender. */
const SEEN = { cnn: 640, mlp: 12_800, resnet20: 96, resnet18: 16, transformer: 96, lstm: 640 };

/** Kinds that need a figure of another one. @type {Partial<Record<Kind, string>>} */
const BEFORE = { stream: "adam" };

/**
 * @param {{ only: readonly string[], batches: readonly number[] | undefined, threads: readonly number[], quick: boolean }} options
 * @returns {Workload[]}
 */
export function workloads({ only, batches, threads, quick }) {
  const scale = quick ? 4 : 1;
  /** @type {Workload[]} */
  const list = [];
  for (const kind of KINDS) {
    if (!only.includes(kind) && !only.includes(BEFORE[kind] ?? "none")) continue;
    for (const size of isNetwork(kind) ? (batches ?? NETWORKS[kind].sizes) : sizesOf(kind))
      for (const count of threads) list.push(workload(kind, size, count, scale));
  }
  return list;
}

/** @param {"adam" | "matmul" | "stream"} kind */
const sizesOf = (kind) => (kind === "matmul" ? SQUARES : kind === "adam" ? [SMALL, FLAT] : [FLAT]);

/** @param {Kind} kind @param {number} size @param {number} threads @param {number} scale @returns {Workload} */
export function workload(kind, size, threads, scale = 1) {
  const common = { kind, size, threads };
  const count = size >= 1e6 ? `${size / 1e6} M` : `${Math.round(size / 1e3)} k`;
  const steps = (/** @type {number} */ full) => Math.max(2, Math.round(full / scale));
  if (isNetwork(kind))
    return {
      ...common,
      steps: steps(SEEN[kind] / size),
      warmup: 3,
      work: gigaflopsOf(kind, size),
      unit: "GFLOP",
      title: `${NETWORKS[kind].title}, batch ${size}`,
    };
  switch (kind) {
    case "adam":
      // Reads x, m, v and the gradient; writes x, m and v.
      return {
        ...common,
        steps: steps(size === FLAT ? 16 : 800),
        warmup: 1,
        work: (size * 28) / 1e9,
        unit: "GB",
        title: `Adam update of ${count} parameters`,
      };
    case "stream":
      return {
        ...common,
        steps: steps(32),
        warmup: 1,
        work: (size * 12) / 1e9,
        unit: "GB",
        title: `x += a y, ${count} elements`,
      };
    case "matmul":
      return {
        ...common,
        steps: steps(6 * Math.min(1200, (1024 / size) ** 3)),
        warmup: 1,
        work: (2 * size ** 3) / 1e9,
        unit: "GFLOP",
        title: `Product ${size} x ${size} x ${size}`,
      };
  }
}
