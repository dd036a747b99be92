/** What a register-tiled loop reaches on each engine in each mode: the physical limit that workloads are held to. */
import { fileURLToPath } from "node:url";
import { Child } from "./child.mjs";
import { nodeName } from "./contenders.mjs";
import { MODES, modesOn, WIDE_FLAG } from "./modes.mjs";

/**
 * @typedef {{ node: string, relaxedSimd: boolean, reproducible: number, fast: number, wide?: number, "wide-reproducible"?: number }} Ceiling
 *   GFLOP/s of one thread
 */

const script = fileURLToPath(new URL("ceiling.mjs", import.meta.url));

/**
 * @param {readonly import("./contenders.mjs").NodeEngine[]} nodes
 * @param {{ dist: string, engineFlags: readonly string[], quick: boolean }} options @param {(text: string) => void} progress
 */
export async function measureCeilings(nodes, { dist, engineFlags, quick }, progress) {
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
    ceilings.push({
      node: node.version,
      ...plain,
      ...(wide && { wide: wide.fast, "wide-reproducible": wide.reproducible }),
    });
  }
  return ceilings;
}

/** Of one thread; none for a BLAS, whose kernels are not ours. @param {readonly Ceiling[]} ceilings @param {{ node?: string, mode?: import("./modes.mjs").Mode }} contender */
export function ceilingOf(ceilings, { node, mode }) {
  const found = ceilings.find((ceiling) => ceiling.node === node);
  return mode === undefined || MODES[mode].native
    ? undefined
    : found?.[/** @type {keyof typeof MODES & keyof Ceiling} */ (mode)];
}

/** @param {readonly Ceiling[]} ceilings @param {(version: string) => string} nameOf */
export function formatCeilings(ceilings, nameOf) {
  const rate = (/** @type {number} */ value) => value.toFixed(1);
  return [
    "Ceilings: a register-tiled loop on one thread, GFLOP/s",
    ...ceilings.map((ceiling) => {
      const { reproducible, fast, wide, relaxedSimd } = ceiling;
      const parts = [
        `${rate(reproducible)} reproducible`,
        ...(relaxedSimd ? [`${rate(fast)} fast`] : ["fast the same"]),
        ...(wide === undefined ? [] : [`wide ${rate(ceiling["wide-reproducible"] ?? Number.NaN)} and ${rate(wide)}`]),
      ];
      return `  ${nameOf(ceiling.node)}: ${parts.join(", ")}`;
    }),
  ].join("\n");
}
