/** A run as a list of units: each is measured, printed and kept by itself, so a run can be cut short and resumed. */
import { formatAccuracy, measureAccuracy, TASKS } from "./accuracy.mjs";
import { formatBusy, measureBusy } from "./busy.mjs";
import { contendersFor } from "./contenders.mjs";
import { writeInputs } from "./inputs.mjs";
import { IdleWatch } from "./machine.mjs";
import { measure, measureStarts } from "./measure.mjs";
import { majorOf } from "./modes.mjs";
import { isNetwork, NETWORKS } from "./networks.mjs";
import { formatPeers, measurePeers, PEER_WORKLOADS } from "./peers.mjs";
import { bandwidthIn, formatStarts, formatSummary, summarize, summarizeStarts } from "./report.mjs";
import {
  formatBandwidth,
  formatOthers,
  formatUpdates,
  measureUpdates,
  UPDATE_LEGEND,
  UPDATE_SIZES,
} from "./updates.mjs";
import { FLAT, workload as workloadOf, workloads } from "./workloads.mjs";

/**
 * @typedef {{ id: string, seconds: number, run: (result: import("./result-file.mjs").Result) => Promise<string> }} Unit
 *   `run` measures, adds to the result and gives what is printed; `seconds` is about what it takes.
 * @typedef {Omit<import("./options.mjs").Options, "nodes"> & import("./contenders.mjs").Field} Field
 */

/** Seconds that a process takes to its first step. */
const STARTING = { downhill: 0.6, pytorch: 3, compiled: 9, peer: 10 };
/** Seconds of a sample with its warm-up, one thread, all contenders alike. */
const SAMPLING = {
  cnn: 0.4,
  mlp: 0.35,
  resnet20: 0.9,
  resnet18: 0,
  transformer: 0.9,
  lstm: 0.7,
  matmul: 0.3,
  stream: 0.3,
  adam: 0.3,
};
/** Of looking whether the machine is idle. */
const WAITING = 0.3;
/** What is left of a contender's rounds, on average, where slower forms of PyTorch are dropped. */
const STAYING = 0.85;

/** @param {readonly import("./contenders.mjs").Contender[]} contenders */
const startSeconds = (contenders) =>
  contenders.reduce((sum, { name, family }) => sum + STARTING[name.endsWith("compiled") ? "compiled" : family], 0);

/** On one thread, of torch.compile over the fastest: beyond it, its compiler is not started again for several threads. */
const COMPILED_LIMIT = 1.15;

/**
 * @param {readonly import("./contenders.mjs").Contender[]} contenders @param {import("./workloads.mjs").Workload} workload
 * @param {import("./result-file.mjs").Result} result
 */
function worthwhile(contenders, { kind, size, threads }, { summaries }) {
  const before = summaries.find((one) => one.kind === kind && one.size === size && one.threads < threads);
  return contenders.filter(({ name }) => {
    const row = name.endsWith("compiled") ? before?.contenders.find((other) => other.name === name) : undefined;
    return !(row?.dropped || (row?.vsTorch ?? 0) > COMPILED_LIMIT);
  });
}

/**
 * @param {Field} field @param {string} folder For what contenders read. @param {(text: string) => void} progress
 * @returns {Unit[]}
 */
export function unitsOf(field, folder, progress) {
  const { dist, rounds, quick, only } = field;
  const idle = new IdleWatch(quick ? { totalMs: 5000, eachMs: 1000 } : { totalMs: 300_000, eachMs: 15_000 });
  const most = Math.max(...field.threads);
  const newest = field.nodes.reduce((a, b) => (majorOf(b.version) > majorOf(a.version) ? b : a));
  return [...steps(), ...busy(), ...updates(), ...starts(), ...accuracy(), ...peers()];

  /** @returns {Unit[]} */
  function steps() {
    return workloads(field).map((workload) => {
      const { kind, size, threads } = workload;
      const count = contendersFor(workload, "", field);
      const each = STAYING * (threads > 1 ? 0.6 * SAMPLING[kind] + WAITING : SAMPLING[kind]);
      return {
        id: `${kind} ${size} ${threads}`,
        seconds: startSeconds(count) + count.length * (rounds + 1) * each,
        async run(result) {
          const inputs = isNetwork(kind) ? await writeInputs(dist, folder, kind, size) : "";
          const contenders = worthwhile(contendersFor(workload, inputs, field), workload, result);
          const measured = await measure(workload, contenders, rounds, idle, progress);
          const summary = summarize(workload, measured, result.ceilings, (own) =>
            bandwidthIn([...result.summaries, own], threads),
          );
          result.summaries.push(summary);
          return formatSummary(summary, field.phases);
        },
      };
    });
  }

  /** @returns {Unit[]} */
  function busy() {
    if (!field.busy && !only.includes("busy")) return [];
    const threads = Math.max(2, most);
    const size = 128;
    const count = contendersFor({ kind: "cnn", size, threads }, "", field).length;
    return [
      {
        id: "busy",
        seconds: count * (2 + 3 * (rounds + 1)),
        async run(result) {
          const inputs = await writeInputs(dist, folder, "cnn", size);
          const what = { kind: /** @type {const} */ ("cnn"), size, threads, inputs, rounds, spinners: threads - 1 };
          const measured = await measureBusy(what, field, progress);
          result.busy = [...(result.busy ?? []), measured];
          return formatBusy(measured, workloadOf("cnn", size, threads).title);
        },
      },
    ];
  }

  /** @returns {Unit[]} */
  function updates() {
    if (!only.includes("update")) return [];
    const mode = field.modes.includes("fast") ? "fast" : (field.modes[0] ?? "reproducible");
    const own = { ...field, nodes: [newest], mode, rounds: field.updateRounds };
    const perRule = own.builds.length * own.updateRounds;
    return UPDATE_SIZES.flatMap((size) =>
      field.threads.map((threads) => ({
        id: `update ${size} ${threads}`,
        seconds: (field.rules?.length ?? 22) * (size === FLAT ? 3 + 0.6 * perRule : 1.2 + 0.2 * perRule),
        async run(/** @type {import("./result-file.mjs").Result} */ result) {
          const measured = await measureUpdates(
            { size, threads },
            own,
            new IdleWatch({ totalMs: 60_000, eachMs: 2_000 }),
            progress,
          );
          const before = result.updates ?? { bandwidth: {}, rows: [], others: [] };
          result.updates = {
            bandwidth: { ...before.bandwidth, ...measured.bandwidth },
            rows: [...before.rows, ...measured.rows],
            others: measured.others,
          };
          return [
            ...(before.rows.length === 0 ? [UPDATE_LEGEND] : []),
            ...formatBandwidth(measured.bandwidth),
            ...(measured.rows.length > 0 ? [formatUpdates(measured.rows, own)] : []),
            ...(before.rows.length === 0 && measured.others.length > 0 ? [formatOthers(measured.others)] : []),
          ].join("\n");
        },
      })),
    );
  }

  /** @returns {Unit[]} */
  function starts() {
    if (!only.includes("start")) return [];
    return /** @type {const} */ ([
      ["cnn", 128],
      ["resnet18", 8],
    ]).map(([kind, size]) => {
      const contenders = (/** @type {string} */ inputs) =>
        // PyTorch's default layout: converting to another one only delays the first loss.
        contendersFor({ kind, size, threads: 1 }, inputs, field).filter(
          ({ family, name }) => family === "downhill" || (kind === "cnn" && /(^PyTorch|contiguous) fused$/.test(name)),
        );
      const turns = Math.min(rounds, 5);
      return {
        id: `start ${kind} ${size}`,
        seconds: turns * contenders("").length * 1.6,
        async run(result) {
          const inputs = await writeInputs(dist, folder, kind, size);
          const measured = await measureStarts(contenders(inputs), turns, idle, progress);
          const rows = summarizeStarts(measured);
          result.starts = [...(result.starts ?? []), ...rows.map((row) => ({ kind, size, ...row }))];
          return formatStarts(`${NETWORKS[kind].title}, batch ${size}`, rows);
        },
      };
    });
  }

  /** @returns {Unit[]} */
  function accuracy() {
    if (!only.includes("accuracy")) return [];
    const own = { ...field, nodes: [newest] };
    return /** @type {(keyof typeof TASKS)[]} */ (Object.keys(TASKS)).map((data) => ({
      id: `accuracy ${data}`,
      seconds: TASKS[data].epochs * (most > 1 ? 9 : 17) * 4,
      async run(result) {
        const measured = await measureAccuracy({ data, threads: most, dist, folder, quick }, own, idle, progress);
        result.accuracy = [...(result.accuracy ?? []), measured];
        return formatAccuracy(measured);
      },
    }));
  }

  /** @returns {Unit[]} */
  function peers() {
    if (!only.includes("peers")) return [];
    return PEER_WORKLOADS.map((what) => ({
      id: `peers ${what.kind} ${what.size}`,
      seconds: what.kind === "cnn" ? 110 : 25,
      async run(result) {
        const inputs = await writeInputs(dist, folder, what.kind, what.size);
        const measured = await measurePeers(what, inputs, field, progress);
        result.peers = [...(result.peers ?? []), measured];
        return formatPeers(measured, `${NETWORKS[what.kind].title}, batch ${what.size}`);
      },
    }));
  }
}
