/** Measures Downhill beside PyTorch: `npm run bench -- --help` at the root. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Child, ChildError } from "./child.mjs";
import { contendersFor } from "./contenders.mjs";
import { findTorch, INSTALL_TORCH, nodeOf } from "./engines.mjs";
import { writeInputs } from "./inputs.mjs";
import { describeMachine, IdleWatch } from "./machine.mjs";
import { measure, measureStarts } from "./measure.mjs";
import { isNetwork, NETWORKS } from "./networks.mjs";
import { HELP, readOptions, UsageError } from "./options.mjs";
import {
  bestRate,
  formatSpeedups,
  formatStarts,
  formatSummary,
  LEGEND,
  summarize,
  summarizeStarts,
  toJson,
} from "./report.mjs";
import { measureUpdates, UPDATE_LEGEND } from "./updates.mjs";
import { workloads } from "./workloads.mjs";

/**
 * @typedef {import("./options.mjs").Options} Options
 * @typedef {import("./contenders.mjs").NodeEngine} NodeEngine
 */

const here = fileURLToPath(new URL(".", import.meta.url));

/** One line on a terminal that is written over; nothing elsewhere. @param {string} text */
function progress(text) {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text.slice(0, 99)}`);
}

/** @param {readonly string[]} wanted @returns {Promise<NodeEngine[]>} */
async function findNodes(wanted) {
  const running = process.versions.node;
  const nodes = [{ name: `Node ${running}`, version: running, executable: process.execPath }];
  for (const range of wanted) {
    progress(`npx node@${range}`);
    const executable = await nodeOf(range);
    const version = execFileSync(executable, ["--version"], { encoding: "utf8" }).trim().slice(1);
    if (!nodes.some((node) => node.version === version)) nodes.push({ name: `Node ${version}`, version, executable });
  }
  return nodes;
}

/** What a register-tiled loop reaches on each engine. @param {readonly NodeEngine[]} nodes @param {Options} options */
async function measureCeilings(nodes, { dist, engineFlags, quick }) {
  const ceilings = [];
  for (const { version, name, executable } of nodes) {
    progress(`ceiling of ${name}`);
    const child = new Child([executable, ...engineFlags, join(here, "ceiling.mjs"), dist, quick ? "quick" : ""]);
    const { reproducible, fast, relaxedSimd } = await child.hello;
    await child.close();
    ceilings.push({ node: version, reproducible, fast, relaxedSimd });
  }
  return ceilings;
}

/** The revision that is measured, with a mark where files have changed since; null outside a repository. */
function revision() {
  try {
    return execFileSync("git", ["describe", "--always", "--dirty"], {
      cwd: here,
      encoding: "utf8",
      stdio: "pipe",
    }).trim();
  } catch {
    return null;
  }
}

/** Beside earlier results of the day. @param {object} result @param {string} date */
function save(result, date) {
  const folder = join(here, "results");
  mkdirSync(folder, { recursive: true });
  let path = join(folder, `${date}.json`);
  for (let i = 2; existsSync(path); i++) path = join(folder, `${date}-${i}.json`);
  writeFileSync(path, toJson(result));
  return path;
}

/** @param {Options} options @returns {Promise<boolean>} Whether all contenders did their work, and the same. */
async function bench(options) {
  const say = (/** @type {string} */ text) => {
    progress("");
    if (!options.json) console.log(text);
  };
  for (const dist of [options.dist, ...(options.against ? [options.against] : [])])
    if (!existsSync(join(dist, "index.node.js")))
      throw new UsageError(`${dist}: there is no build. Hint: npm run build.`);

  const date = new Date().toISOString();
  const nodes = await findNodes(options.nodes);
  const builds = [
    { label: "downhill", dist: options.dist },
    ...(options.against ? [{ label: "against", dist: options.against }] : []),
  ];
  const torch = options.torch ? await findTorch() : { missing: "--no-torch" };
  const field = { ...options, builds, nodes, python: "python" in torch ? torch.python : undefined };
  const machine = describeMachine();
  const flags = options.engineFlags.join(" ") || "none";
  say(`${machine.cpu}, ${machine.processors} processors, ${machine.memoryGB} GB, ${machine.system}`);
  say(`${nodes.map(({ name }) => name).join(", ")}; engine flags: ${flags}; revision ${revision() ?? "unknown"}`);
  if ("version" in torch) say(`PyTorch ${torch.version}`);
  else say(`PyTorch is not measured: ${torch.missing}.${options.torch ? ` To have it:\n  ${INSTALL_TORCH}` : ""}`);

  const list = workloads(options).filter(({ threads }) => threads <= options.most);
  const ceilings = list.some(({ unit }) => unit === "GFLOP") ? await measureCeilings(nodes, options) : [];
  for (const { node, reproducible, fast, relaxedSimd } of ceilings)
    say(
      `Ceiling (register-tiled loop, 1 thread), Node ${node}, GFLOP/s: ${reproducible.toFixed(1)} reproducible, ${
        relaxedSimd ? `${fast.toFixed(1)} fast` : "fast the same"
      }`,
    );

  if (list.length > 0) say(LEGEND);

  const idle = new IdleWatch(options.quick ? { totalMs: 10_000, eachMs: 2_000 } : { totalMs: 180_000, eachMs: 15_000 });
  const folder = mkdtempSync(join(tmpdir(), "downhill-bench-"));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  process.once("SIGINT", () => process.exit(130));
  /** Best streaming rate by thread count. @type {Map<number, number>} */
  const bandwidths = new Map();
  const summaries = [];
  let starts;
  for (const workload of list) {
    const { kind, size, threads } = workload;
    const inputs = isNetwork(kind) ? await writeInputs(options.dist, folder, kind, size) : "";
    const measured = await measure(workload, contendersFor(workload, inputs, field), options.rounds, idle, progress);
    if (kind === "stream") bandwidths.set(threads, bestRate(workload, measured));
    const summary = summarize(workload, measured, ceilings, bandwidths.get(threads));
    summaries.push(summary);
    say(`\n${formatSummary(summary, options.phases)}`);
  }
  let updates;
  if (options.only.includes("update")) {
    say(`\n${UPDATE_LEGEND}`);
    updates = await measureUpdates(
      { ...field, rounds: options.updateRounds },
      new IdleWatch({ totalMs: 60_000, eachMs: 2_000 }),
      progress,
      say,
    );
  }
  if (options.only.includes("start")) {
    const startsOf = async (/** @type {"cnn" | "resnet18"} */ kind, /** @type {number} */ size) => {
      const inputs = await writeInputs(options.dist, folder, kind, size);
      const all = contendersFor({ kind, size, threads: 1 }, inputs, { ...field, modes: ["reproducible"] });
      // PyTorch's default layout: converting to another one only delays the first loss.
      const contenders = all.filter(
        ({ family, name }) => family === "downhill" || (kind === "cnn" && name.endsWith("contiguous fused")),
      );
      const measured = await measureStarts(contenders, Math.min(options.rounds, 7), idle, progress);
      const rows = summarizeStarts(measured);
      say(`\n${formatStarts(`${NETWORKS[kind].title}, batch ${size}`, rows)}`);
      return rows.map((row) => ({ kind, size, ...row }));
    };
    starts = [...(await startsOf("cnn", 128)), ...(await startsOf("resnet18", 8))];
  }
  const speedups = formatSpeedups(summaries);
  if (speedups) say(`\n${speedups}`);

  const result = {
    date,
    revision: revision(),
    machine,
    nodes: nodes.map(({ version }) => version),
    engineFlags: options.engineFlags,
    torch: "version" in torch ? torch.version : null,
    quick: options.quick,
    ceilings,
    summaries,
    ...(updates && { updates }),
    ...(starts && { starts }),
  };
  if (options.save) say(`\nSaved ${save(result, date.slice(0, 10))}`);
  if (options.json) process.stdout.write(toJson(result));
  const rows = [...summaries.flatMap(({ contenders }) => contenders), ...(updates?.rows ?? []), ...(starts ?? [])];
  return (
    [...summaries, ...(updates?.rows ?? [])].every(({ differ }) => !differ) && rows.every((row) => !("error" in row))
  );
}

try {
  const options = readOptions(process.argv.slice(2));
  if (options.help) console.log(HELP);
  else if (!(await bench(options))) process.exitCode = 1;
} catch (error) {
  if (!(error instanceof UsageError || error instanceof ChildError)) throw error;
  console.error(error.message);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
