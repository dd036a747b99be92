/** The section `update`: every elementwise rule's update beside streaming over the same arrays, and beside torch.optim. */
import { fileURLToPath } from "node:url";
import { Child } from "./child.mjs";
import { pythonEnvironment } from "./engines.mjs";
import { busyTime } from "./machine.mjs";
import { loadOf, median } from "./measure.mjs";
import { figure, loadText, table } from "./report.mjs";
import { FLAT, SMALL } from "./workloads.mjs";

/**
 * @typedef {import("./contenders.mjs").NodeEngine} NodeEngine
 * @typedef {{ label: string, dist: string }} Build
 * @typedef {{ builds: readonly Build[], nodes: readonly NodeEngine[], mode: import("./modes.mjs").Mode, engineFlags: readonly string[],
 *   python: string | undefined, rules: readonly string[] | undefined, rounds: number, quick: boolean }} Field
 * @typedef {{ ms: number, cpuMs: number, load: number, idleBefore: boolean | null }} Sample milliseconds a step
 * @typedef {{ child: Child, what: string, steps: number, samples: Sample[] }} Entry
 * @typedef {{ minMs: number, medianMs: number, ms: number[] }} Times
 * @typedef {Times | undefined} Some
 * @typedef {{ rule: string, threads: number, size: number, build: string, node: string, bytes: number, one?: Some, many?: Some,
 *   stream?: Times & { bytes: number } | undefined, default?: Some, fused?: Some, gigabytesPerSecond?: number | undefined,
 *   share?: number | undefined, manyOverOne?: number | undefined, vsDefault?: number | undefined, vsFused?: number | undefined,
 *   compileMs?: Record<string, number>, differ?: boolean, load?: ReturnType<typeof loadOf>, error?: string }} UpdateRow
 */

/** Sizes in the order of measurement. */
export const UPDATE_SIZES = [FLAT, SMALL];

const file = (/** @type {string} */ path) => fileURLToPath(new URL(path, import.meta.url));

/** @param {NodeEngine} node @param {Field} field @param {string} script @param {...string} args */
const nodeChild = (node, { engineFlags }, script, ...args) =>
  new Child([node.executable, ...engineFlags, file(script), ...args]);

/** The machine's streaming rates by threads and arrays, GB/s. @param {Field} field @param {readonly number[]} threads */
async function bandwidthOf(field, threads) {
  const [node] = field.nodes;
  const [build] = field.builds;
  if (!node || !build) return {};
  const child = nodeChild(node, field, "bandwidth.mjs", build.dist, threads.join(), field.quick ? "5" : "15");
  const { best } = await child.hello;
  await child.close();
  return best;
}

/** @param {Entry} entry */
async function sample({ child, what, steps }) {
  const busy = busyTime();
  const start = performance.now();
  const { ms, cpuMs } = await child.ask({ op: "run", what, steps });
  const load = Math.max(0, (busyTime() - busy - cpuMs) / (performance.now() - start));
  return { ms: ms / steps, cpuMs: cpuMs / steps, load };
}

/** @param {Entry | undefined} entry @returns {Times | undefined} */
function timesOf(entry) {
  const ms = entry?.samples.map((s) => s.ms) ?? [];
  return ms.length > 0 ? { minMs: Math.min(...ms), medianMs: median(ms), ms } : undefined;
}

/**
 * One rule, on one engine: samples of its update, of streaming and of PyTorch's in turn.
 * @param {{ rule: string, size: number, threads: number, build: Build, node: NodeEngine }} what @param {Field} field
 * @param {Child | undefined} torch @param {import("./machine.mjs").IdleWatch} idle @returns {Promise<UpdateRow>}
 */
async function measureRule({ rule, size, threads, build, node }, field, torch, idle) {
  const layouts = size === FLAT ? ["one", "many"] : ["one"];
  const spec = { dist: build.dist, rule, size, threads, mode: field.mode, layouts };
  const child = nodeChild(node, field, "update-contender.mjs", JSON.stringify(spec));
  const row = { rule, threads, size, build: build.label, node: node.version };
  try {
    const { bytes, streamBytes, compileMs, moved, rate } = await child.hello;
    const opened = await torch?.ask({ op: "open", rule, size, options: rate === null ? {} : { lr: rate } });
    // State is settled in every eighth step.
    const steps = 8 * Math.max(1, Math.round((size === FLAT ? 1 : 60) / (field.quick ? 2 : 1)));
    const torchSteps = (/** @type {string} */ what) => (size === FLAT ? (what === "fused" ? 8 : 3) : steps / 4);
    /** @type {Entry[]} */
    const entries = [
      ...[...layouts, "stream"].map((what) => ({ child, what, steps, samples: [] })),
      .../** @type {string[]} */ (opened?.variants ?? []).map((what) => ({
        child: /** @type {Child} */ (torch),
        what,
        steps: torchSteps(what),
        samples: [],
      })),
    ];
    for (let round = 0; round <= field.rounds; round++) {
      const idleBefore = round > 0 && threads > 1 ? await idle.wait() : null;
      for (let i = 0; i < entries.length; i++) {
        const entry = /** @type {Entry} */ (entries[(round + i) % entries.length]);
        const taken = await sample(entry);
        if (round > 0) entry.samples.push({ ...taken, idleBefore });
      }
    }
    const of = (/** @type {string} */ what) => timesOf(entries.find((entry) => entry.what === what));
    const [one, many, stream, plain, fused] = ["one", "many", "stream", "default", "fused"].map(of);
    const load = loadOf(entries.flatMap(({ samples }) => samples));
    // With its second processor taken, PyTorch collapses: that compares schedulers.
    const comparable = threads === 1 || load.busy * 2 <= load.samples;
    const ratio = (/** @type {Times | undefined} */ a, /** @type {Times | undefined} */ b) =>
      a && b && a.medianMs / b.medianMs;
    return {
      ...row,
      bytes,
      one,
      many,
      stream: stream && { ...stream, bytes: streamBytes },
      default: plain,
      fused,
      gigabytesPerSecond: one && bytes / one.medianMs / 1e6,
      share: one && stream && (bytes / one.medianMs) * (stream.medianMs / streamBytes),
      manyOverOne: ratio(many, one),
      ...(comparable && { vsDefault: ratio(plain, one), vsFused: ratio(fused, one) }),
      compileMs,
      // Rounding apart, both move every parameter alike in the first step.
      differ: typeof opened?.moved === "number" && Math.abs(moved / opened.moved - 1) > 1e-3,
      load,
    };
  } catch (error) {
    return { ...row, bytes: 0, error: error instanceof Error ? error.message : String(error) };
  } finally {
    await child.close();
  }
}

/**
 * Every elementwise rule at one size and thread count.
 * @param {{ size: number, threads: number }} what @param {Field} field @param {import("./machine.mjs").IdleWatch} idle
 * @param {(text: string) => void} progress
 */
export async function measureUpdates({ size, threads }, field, idle, progress) {
  const [build, node] = [field.builds[0], field.nodes[0]];
  if (!build || !node) return { bandwidth: {}, rows: [], others: [] };
  progress("bandwidth of the machine");
  const bandwidth = size === FLAT ? await bandwidthOf(field, [threads]) : {};
  const listing = nodeChild(node, field, "update-contender.mjs", JSON.stringify({ dist: build.dist }));
  /** @type {{ name: string, passes?: number, error?: string }[]} */
  const rules = (await listing.hello).rules;
  await listing.close();
  const wanted = rules.filter(({ name }) => field.rules === undefined || field.rules.includes(name));
  /** @type {UpdateRow[]} */
  const rows = [];
  const torch =
    field.python === undefined
      ? undefined
      : new Child([field.python, file("pytorch/update.py"), JSON.stringify({ threads })], pythonEnvironment());
  try {
    const known = torch ? new Set((await torch.hello).rules) : new Set();
    for (const { name, passes } of wanted) {
      if (passes !== 1) continue;
      for (const engine of field.nodes)
        for (const built of field.builds) {
          progress(`${name}, ${threads} threads, Node ${engine.version} ${built.label}`);
          const one = { rule: name, size, threads, build: built, node: engine };
          rows.push(await measureRule(one, field, known.has(name) ? torch : undefined, idle));
        }
    }
  } finally {
    await torch?.close();
  }
  return { bandwidth, rows, others: wanted.filter(({ passes }) => passes !== 1) };
}

/** @param {Record<string, Record<string, number>>} bandwidth */
export const formatBandwidth = (bandwidth) =>
  Object.entries(bandwidth).map(
    ([count, rates]) =>
      `Streaming, x += g for 1, 2 and 3 arrays x of 10 M: ${Object.values(rates)
        .map((rate) => rate.toFixed(1))
        .join(", ")} GB/s\nat best on ${count} thread${count === "1" ? "" : "s"}.`,
  );

/** @param {readonly UpdateRow[]} rows @param {Pick<Field, "rounds" | "builds" | "nodes">} field */
export function formatUpdates(rows, { rounds, builds, nodes }) {
  const [{ size, threads }] = /** @type {[UpdateRow]} */ (/** @type {unknown} */ (rows));
  const several = builds.length * nodes.length > 1;
  const name = (/** @type {UpdateRow} */ row) => (several ? `${row.rule}, ${row.build}, Node ${row.node}` : row.rule);
  const percent = (/** @type {number | undefined} */ value) => (value ? `${Math.round(value * 100)} %` : "-");
  const ratio = (/** @type {number | undefined} */ faster) => (faster ? (1 / faster).toFixed(2) : "-");
  const times = (/** @type {number | undefined} */ value) => (value ? `${value.toFixed(2)}x` : "-");
  const lines = rows.map((row) => [
    name(row),
    figure(row.bytes / row.size),
    figure(row.one?.minMs),
    figure(row.one?.medianMs),
    figure(row.gigabytesPerSecond),
    percent(row.share),
    times(row.manyOverOne),
    figure(row.compileMs?.many ?? row.compileMs?.one),
    ratio(row.vsDefault),
    ratio(row.vsFused),
  ]);
  const head = ["", "B", "min", "median", "GB/s", "share", "200", "compile", "default", "fused"];
  const text = [
    `Update of ${size === FLAT ? "10 M" : size} parameters, ${threads} thread${threads === 1 ? "" : "s"}, ${rounds} rounds; ms a step`,
    ...rows.slice(0, 1).flatMap(() => {
      const all = rows.flatMap(({ load }) => (load ? [load] : []));
      return [`  ${loadText(all.reduce(mostLoaded))}`];
    }),
    table([head, ...lines], [several ? 30 : 14, 3, 6, 6, 5, 5, 5, 7, 7, 5]),
  ];
  for (const row of rows) {
    if (row.error !== undefined) text.push(`  ${name(row)} failed: ${row.error}`);
    if (row.differ) text.push(`  ${name(row)}: THE FIRST STEP DIFFERS from PyTorch's: this is not the same work.`);
  }
  return text.join("\n");
}

/** @param {ReturnType<typeof loadOf>} a @param {ReturnType<typeof loadOf>} b */
function mostLoaded(a, b) {
  return {
    median: Math.max(a.median, b.median),
    most: Math.max(a.most, b.most),
    busy: a.busy + b.busy,
    notIdleBefore: a.notIdleBefore + b.notIdleBefore,
    samples: a.samples + b.samples,
  };
}

/** @param {readonly { name: string, passes?: number, error?: string }[]} others */
export const formatOthers = (others) =>
  `Not measured, being more than one loop: ${others
    .map(({ name, passes, error }) => `${name} (${passes ?? error})`)
    .join(", ")}.`;

export const UPDATE_LEGEND = `B: bytes a parameter that the update must read and write; share: its GB/s of
those of one addition to the same arrays in the same rounds; 200: the same
parameters in 200 tensors, against one; compile: tracing and compiling those;
default, fused: Downhill's median over torch.optim's, below 1 is faster.`;
