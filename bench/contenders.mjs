import { fileURLToPath } from "node:url";
import { pythonEnvironment } from "./engines.mjs";
import { networkOf } from "./networks.mjs";

/**
 * @typedef {import("./workloads.mjs").Workload} Workload
 * @typedef {{ name: string, version: string, executable: string }} NodeEngine
 * @typedef {{ label: string, dist: string }} Build
 * @typedef {{ name: string, family: "downhill" | "pytorch", mode?: "reproducible" | "fast", node?: string,
 *   command: string[], env?: NodeJS.ProcessEnv }} Contender
 */

const worker = fileURLToPath(new URL("contender.mjs", import.meta.url));
const torchWorker = fileURLToPath(new URL("pytorch/worker.py", import.meta.url));

/**
 * @param {Pick<Workload, "kind" | "size" | "threads">} workload @param {string} inputs
 * @param {{ builds: readonly Build[], nodes: readonly NodeEngine[], modes: readonly ("reproducible" | "fast")[], engineFlags: readonly string[], python: string | undefined }} field
 * @returns {Contender[]}
 */
export function contendersFor({ kind, size, threads }, inputs, { builds, nodes, modes, engineFlags, python }) {
  /** @type {Contender[]} */
  const list = [];
  for (const { label, dist } of builds)
    for (const node of nodes)
      for (const mode of modes) {
        const spec = { kind, size, threads, mode, dist, inputs };
        list.push({
          name: `${label} ${mode}, ${node.name}`,
          family: "downhill",
          mode,
          node: node.version,
          command: [node.executable, ...engineFlags, worker, JSON.stringify(spec)],
        });
      }
  if (python)
    for (const { format, fused, name } of torchVariants(kind))
      list.push({
        name: `PyTorch${name}`,
        family: "pytorch",
        command: [python, torchWorker, JSON.stringify({ kind, size, threads, inputs, format, fused })],
        env: pythonEnvironment(),
      });
  return list;
}

/** Memory formats where there are images, both forms of Adam where there is an update. @param {Workload["kind"]} kind */
function torchVariants(kind) {
  if (kind === "stream" || kind === "matmul") return [{ format: "contiguous", fused: false, name: "" }];
  const images = networkOf(kind)?.images === true;
  const formats = images ? ["channels_last", "contiguous"] : ["contiguous"];
  return formats.flatMap((format) =>
    [true, false].map((fused) => ({
      format,
      fused,
      name: `${images ? ` ${format}` : ""} ${fused ? "fused" : "default"}`,
    })),
  );
}
