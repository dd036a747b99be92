/** The section `peers`: JavaScript libraries that train, each in a process of its own, beside Downhill on one thread. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Child } from "./child.mjs";
import { chosen, contendersFor, nodeName } from "./contenders.mjs";
import { attempt, median } from "./measure.mjs";
import { majorOf } from "./modes.mjs";
import { figure, table } from "./report.mjs";

/**
 * @typedef {{ name: string, family: "downhill" | "peer", engine?: any, first?: number, startMs?: number, medianMs?: number, minMs?: number,
 *   ms?: number[], peakMemory?: number | null, sameWork?: boolean, ratio?: number, error?: string }} PeerRow
 *   `startMs`: from the start of the process to the first loss; `ratio`: the median over that of Downhill's first row
 * @typedef {{ kind: "mlp" | "cnn", size: number, rows: PeerRow[] }} PeerResult
 */

const PEERS = [
  { name: "@jax-js/jax", script: "jax.mjs" },
  { name: "tfjs wasm", script: "tfjs.mjs", backend: "wasm" },
  { name: "tfjs cpu", script: "tfjs.mjs", backend: "cpu" },
  { name: "brain.js", script: "brain.mjs" },
];

/** What is measured: tfjs's plain convolutions take a quarter of a minute at the smaller batch already. */
export const PEER_WORKLOADS = /** @type {const} */ ([
  { kind: "mlp", size: 32 },
  { kind: "mlp", size: 128 },
  { kind: "cnn", size: 32 },
]);

const LIMIT_MS = 60_000;
/** Time that the samples of one contender take together, where one step takes less. */
const SAMPLING_MS = 1000;
const SAMPLES = 3;

const file = (/** @type {string} */ path) => fileURLToPath(new URL(path, import.meta.url));

/**
 * @param {(typeof PEER_WORKLOADS)[number]} what @param {string} inputs @param {import("./contenders.mjs").Field} field
 * @param {(text: string) => void} progress @returns {Promise<PeerResult>}
 */
export async function measurePeers({ kind, size }, inputs, field, progress) {
  const node = field.nodes.reduce((a, b) => (majorOf(b.version) > majorOf(a.version) ? b : a));
  const ours = contendersFor({ kind, size, threads: 1 }, inputs, {
    ...field,
    nodes: [node],
    builds: field.builds.slice(0, 1),
    modes: ["fast"],
    python: undefined,
    contenders: undefined,
  });
  const list = [
    ...ours.map((contender) => ({ ...contender, family: /** @type {const} */ ("downhill") })),
    ...chosen(PEERS, field.contenders).map(({ name, script, backend }) => ({
      name,
      family: /** @type {const} */ ("peer"),
      command: [node.executable, file(`peers/${script}`), JSON.stringify({ kind, size, inputs, backend })],
    })),
  ];
  /** @type {PeerRow[]} */
  const rows = [];
  for (const { name, family, command } of list) {
    progress(`${name}, ${nodeName(node, field.nodes)}`);
    /** @type {PeerRow} */
    const row = { name: family === "downhill" ? `Downhill, ${name}` : name, family };
    rows.push(row);
    if (family === "peer" && !existsSync(file("node_modules"))) {
      row.error = "not installed: npm ci --prefix bench";
      continue;
    }
    const child = new Child(command);
    await attempt(row, async () => {
      const { value, engine, fromStart } = await child.within(child.hello, LIMIT_MS);
      Object.assign(row, { first: value, engine, startMs: fromStart, sameWork: engine?.sameWork !== false });
      const once = async (/** @type {number} */ steps) => (await child.ask({ op: "run", steps }, LIMIT_MS)).ms / steps;
      const guess = await once(1);
      const settled = guess > LIMIT_MS / 6 ? guess : await once(1);
      const steps = Math.max(1, Math.round(SAMPLING_MS / SAMPLES / settled));
      const ms = [settled];
      if (settled * SAMPLES < LIMIT_MS / 2) {
        ms.length = 0;
        for (let i = 0; i < SAMPLES; i++) ms.push(await once(steps));
      }
      const { peakMemory } = await child.ask({ op: "end" }, LIMIT_MS);
      Object.assign(row, { ms, medianMs: median(ms), minMs: Math.min(...ms), peakMemory });
    });
    await child.close();
  }
  const [own] = rows;
  for (const row of rows) {
    if (row.medianMs !== undefined && own?.medianMs !== undefined) row.ratio = row.medianMs / own.medianMs;
    if (row.sameWork && row.first !== undefined && own?.first !== undefined && Math.abs(row.first - own.first) > 1e-3)
      row.error = `its first loss is ${row.first}, Downhill's ${own.first}: not the same work`;
  }
  return { kind, size, rows };
}

/** @param {PeerResult} result @param {string} title */
export function formatPeers({ rows }, title) {
  const lines = rows
    .filter(({ medianMs }) => medianMs !== undefined)
    .map(({ name, medianMs, startMs, peakMemory, ratio, sameWork }) => [
      `${name}${sameWork === false ? " *" : ""}`,
      figure(medianMs),
      figure(ratio),
      figure(startMs),
      peakMemory ? `${Math.round(peakMemory / 1e6)}` : "-",
    ]);
  return [
    `${title} beside JavaScript's libraries, 1 thread: ms a step`,
    table([["", "median", "times", "first loss", "MB"], ...lines], [30, 8, 8, 10, 5]),
    ...(rows.some(({ sameWork }) => sameWork === false)
      ? ["  * not the same work: an update after each sample, squared error"]
      : []),
    ...rows.flatMap(({ name, error }) => (error === undefined ? [] : [`  ${name}: ${error}`])),
  ].join("\n");
}
