import { fileURLToPath } from "node:url";
import { cleanEnvironment, pythonEnvironment } from "./engines.mjs";
import { MODE_NAMES, majorOf, modesOn } from "./modes.mjs";
import { networkOf } from "./networks.mjs";

/**
 * @typedef {import("./workloads.mjs").Workload} Workload
 * @typedef {import("./modes.mjs").Mode} Mode
 * @typedef {{ version: string, executable: string, relaxedSimd?: boolean }} NodeEngine
 * @typedef {{ label: string, dist: string }} Build `label` is empty for the build that is measured
 * @typedef {{ name: string, family: "downhill" | "pytorch" | "peer", mode?: Mode, node?: string,
 *   command: string[], env?: NodeJS.ProcessEnv }} Contender
 * @typedef {{ builds: readonly Build[], nodes: readonly NodeEngine[], modes: readonly Mode[], engineFlags: readonly string[],
 *   python: string | undefined, contenders: readonly string[] | undefined, allModes: boolean }} Field
 */

const file = (/** @type {string} */ path) => fileURLToPath(new URL(path, import.meta.url));

/** `Node 24`; the whole version where two of them share its first number. @param {NodeEngine} node @param {readonly NodeEngine[]} all */
export function nodeName({ version }, all) {
  const alone = all.filter((other) => majorOf(other.version) === majorOf(version)).length === 1;
  return `Node ${alone ? majorOf(version) : version}`;
}

/**
 * One process of each mode on each Node, running `script` with a specification.
 * @param {string} script @param {Field} field @param {(mode: Mode, build: Build) => object} specOf @returns {Contender[]}
 */
export function downhillContenders(script, { builds, nodes, modes, engineFlags, contenders }, specOf) {
  const list = builds.flatMap((build) =>
    nodes.flatMap((node) =>
      modesOn(modes, node).map((mode) => ({
        name: `${nodeName(node, nodes)} ${mode}${build.label && ` (${build.label})`}`,
        family: /** @type {const} */ ("downhill"),
        mode,
        node: node.version,
        command: [node.executable, ...engineFlags, file(script), JSON.stringify(specOf(mode, build))],
        env: cleanEnvironment(),
      })),
    ),
  );
  return chosen(list, contenders);
}

/** Modes that say something about a workload. @param {Workload["kind"]} kind @param {number} threads @param {boolean} all Also what one workload shows for all. */
function telling(kind, threads, all) {
  // Streaming gains nothing from wider vectors, and has no products.
  if (kind === "stream" || kind === "adam") return /** @type {Mode[]} */ (["reproducible", "fast"]);
  const shown = all || (threads === 1 && (kind === "cnn" || kind === "mlp"));
  return MODE_NAMES.filter((mode) => shown || mode !== "wide-reproducible");
}

/** Those of the modes that say something here, unless none of them was asked for. @param {readonly Mode[]} modes @param {readonly Mode[]} some */
export function preferred(modes, some) {
  const left = modes.filter((mode) => some.includes(mode));
  return left.length > 0 ? left : modes;
}

/** Those whose name contains one of the words. @template {{ name: string }} T @param {readonly T[]} list @param {readonly string[] | undefined} words */
export const chosen = (list, words) =>
  list.filter(({ name }) => words?.some((word) => name.toLowerCase().includes(word.toLowerCase())) ?? true);

/**
 * @param {Pick<Workload, "kind" | "size" | "threads">} workload @param {string} inputs @param {Field} field
 * @returns {Contender[]}
 */
export function contendersFor({ kind, size, threads }, inputs, field) {
  const modes = preferred(field.modes, telling(kind, threads, field.allModes));
  const list = downhillContenders("contender.mjs", { ...field, modes }, (mode, { dist }) => ({
    kind,
    size,
    threads,
    mode,
    dist,
    inputs,
  }));
  const { python } = field;
  if (python === undefined) return list;
  const torch = torchVariants(kind).map(({ name, ...variant }) => ({
    name: `PyTorch${name && ` ${name}`}`,
    family: /** @type {const} */ ("pytorch"),
    command: [python, file("pytorch/worker.py"), JSON.stringify({ kind, size, threads, inputs, ...variant })],
    env: pythonEnvironment(),
  }));
  return [...list, ...chosen(torch, field.contenders)];
}

/**
 * Memory formats where there are images, both forms of Adam where there is an update, and torch.compile where there is a network.
 * @param {Workload["kind"]} kind
 */
function torchVariants(kind) {
  const plain = { format: "contiguous", fused: false, compiled: false };
  if (kind === "stream" || kind === "matmul") return [{ ...plain, name: "" }];
  const network = networkOf(kind);
  const formats = network?.images ? ["channels_last", "contiguous"] : ["contiguous"];
  const list = formats.flatMap((format) =>
    [true, false].map((fused) => ({
      ...plain,
      format,
      fused,
      name: `${network?.images ? `${format} ` : ""}${fused ? "fused" : "default"}`,
    })),
  );
  const [best] = list;
  if (network && best) list.push({ ...best, compiled: true, name: best.name.replace("fused", "compiled") });
  return list;
}
