/** What a register-tiled loop reaches on each engine in each mode: the physical limit that workloads are held to. */
import { fileURLToPath } from "node:url";
import { Child } from "./child.mjs";
import { nodeName } from "./contenders.mjs";
import { cleanEnvironment } from "./engines.mjs";
import { modesOn, WIDE_FLAG } from "./modes.mjs";
import { workload } from "./workloads.mjs";

/**
 * @typedef {{ node: string, relaxedSimd: boolean, reproducible: number, fast: number, wide?: number, "wide-reproducible"?: number, native?: number }} Ceiling
 *   GFLOP/s of one thread; `native`: what the BLAS reaches in a product of 512
 */

const script = fileURLToPath(new URL("ceiling.mjs", import.meta.url));

/**
 * @param {readonly import("./contenders.mjs").NodeEngine[]} nodes
 * @param {{ dist: string, engineFlags: readonly string[], modes: readonly import("./modes.mjs").Mode[], quick: boolean }} options @param {(text: string) => void} progress
 */
export async function measureCeilings(nodes, { dist, engineFlags, modes, quick }, progress) {
  /** @type {Ceiling[]} */
  const ceilings = [];
  for (const node of nodes) {
    const best = async (/** @type {readonly string[]} */ flags) => {
      progress(`ceiling of ${nodeName(node, nodes)} ${flags.join(" ")}`);
      const child = new Child([node.executable, ...engineFlags, ...flags, script, dist, quick ? "quick" : ""]);
      const { reproducible, fast, relaxedSimd } = await child.hello;
      await child.close();
      return { reproducible, fast, relaxedSimd };
    };
    const plain = await best([]);
    const wide = modesOn(["wide"], node).length > 0 ? await best([WIDE_FLAG]) : undefined;
    const native = modes.includes("native") ? await blasRate(node, { dist, engineFlags }) : undefined;
    ceilings.push({
      node: node.version,
      ...plain,
      ...(native !== undefined && { native }),
      ...(wide && { wide: wide.fast, "wide-reproducible": wide.reproducible }),
    });
  }
  return ceilings;
}

/** The best of many products by the BLAS, of two milliseconds each; none where there is none. @param {import("./contenders.mjs").NodeEngine} node @param {{ dist: string, engineFlags: readonly string[] }} options */
async function blasRate({ executable }, { dist, engineFlags }) {
  const { work, ...spec } = workload("matmul", 512, 1);
  const contender = fileURLToPath(new URL("contender.mjs", import.meta.url));
  const command = [
    executable,
    ...engineFlags,
    contender,
    JSON.stringify({ ...spec, dist, mode: "native", inputs: "" }),
  ];
  const child = new Child(command, cleanEnvironment());
  try {
    await child.hello;
    let best = 0;
    for (let i = 0; i < 150; i++) best = Math.max(best, (work / (await child.ask({ op: "run", steps: 1 })).ms) * 1e3);
    return best;
  } catch {
    return undefined;
  } finally {
    await child.close();
  }
}

/** Of one thread. @param {readonly Ceiling[]} ceilings @param {{ node?: string, mode?: import("./modes.mjs").Mode }} contender */
export function ceilingOf(ceilings, { node, mode }) {
  const found = ceilings.find((ceiling) => ceiling.node === node);
  return mode && found?.[mode];
}

/** @param {readonly Ceiling[]} ceilings @param {(version: string) => string} nameOf */
export function formatCeilings(ceilings, nameOf) {
  const rate = (/** @type {number} */ value) => value.toFixed(1);
  return [
    "Ceilings: a register-tiled loop on one thread, GFLOP/s",
    ...ceilings.map((ceiling) => {
      const { reproducible, fast, wide, native, relaxedSimd } = ceiling;
      const parts = [
        `${rate(reproducible)} reproducible`,
        ...(relaxedSimd ? [`${rate(fast)} fast`] : ["fast the same"]),
        ...(wide === undefined ? [] : [`wide ${rate(ceiling["wide-reproducible"] ?? Number.NaN)} and ${rate(wide)}`]),
        ...(native === undefined ? [] : [`BLAS ${rate(native)}`]),
      ];
      return `  ${nameOf(ceiling.node)}: ${parts.join(", ")}`;
    }),
  ].join("\n");
}
