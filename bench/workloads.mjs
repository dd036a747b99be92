/**
 * What is measured. A workload is named by its kind, its size and a thread count; every contender does the same
 * arithmetic on the same numbers.
 *
 * @typedef {"cnn" | "mlp" | "adam" | "matmul" | "stream"} Kind
 * @typedef {{ kind: Kind, size: number, threads: number, steps: number, warmup: number,
 *   work: number, unit: "GFLOP" | "GB", title: string }} Workload
 *   `work` of one step in units of 1e9 (operations, or bytes read and written); `steps` of one sample, after `warmup`.
 */

/** Elements of the flat tensor that the Adam update and the streaming loop run over. */
export const FLAT = 10_000_000;
/** Rows and columns of the square product. */
export const SQUARE = 1024;

/** In the order of measurement: streaming comes before the update that is held to it. */
export const KINDS = /** @type {const} */ (["cnn", "mlp", "matmul", "stream", "adam"]);
export const GROUPS = /** @type {const} */ ([...KINDS, "update", "start"]);

/** [multiply-adds of one pass, passes]: the first layer needs no gradient of its input. */
const layers = {
  cnn: [
    [28 * 28 * 9 * 1 * 32, 2],
    [14 * 14 * 9 * 32 * 64, 3],
    [3136 * 128, 3],
    [128 * 10, 3],
  ],
  mlp: [
    [784 * 256, 2],
    [256 * 128, 3],
    [128 * 10, 3],
  ],
};

/** Operations of a step by the direct algorithm, in 1e9; only products are counted. @param {"cnn" | "mlp"} kind @param {number} batch */
export function gigaflopsOf(kind, batch) {
  return (batch * layers[kind].reduce((sum, [products = 0, passes = 0]) => sum + 2 * products * passes, 0)) / 1e9;
}

/** Steps of one sample: about half a second for the slower contenders. */
const stepsOf = { cnn: 1280, mlp: 19_200 };

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
    const counts = threads ?? (kind === "mlp" || kind === "matmul" ? [1] : [1, 2]);
    for (const size of kind === "cnn" || kind === "mlp" ? batches : [kind === "matmul" ? SQUARE : FLAT])
      for (const count of counts) list.push(workload(kind, size, count, scale));
  }
  return list;
}

/** @param {Kind} kind @param {number} size @param {number} threads @param {number} scale @returns {Workload} */
function workload(kind, size, threads, scale) {
  const millions = `${size / 1e6} M`;
  switch (kind) {
    case "cnn":
    case "mlp": {
      const steps = Math.max(2, Math.round(stepsOf[kind] / size / scale));
      const work = gigaflopsOf(kind, size);
      return {
        kind,
        size,
        threads,
        steps,
        warmup: 3,
        work,
        unit: "GFLOP",
        title: `${kind.toUpperCase()}, batch ${size}`,
      };
    }
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
