/** Measures Downhill beside PyTorch and JavaScript's libraries: `npm run bench -- --help` at the root. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { formatCeilings, measureCeilings } from "./ceilings.mjs";
import { ChildError } from "./child.mjs";
import { compareResults, formatComparison } from "./compare.mjs";
import { nodeName } from "./contenders.mjs";
import { writeDocs } from "./docs.mjs";
import { findTorch, INSTALL_TORCH, nodeOf, torchText } from "./engines.mjs";
import { describeMachine } from "./machine.mjs";
import { textOf } from "./measure.mjs";
import { HELP, readOptions, UsageError } from "./options.mjs";
import { unitsOf } from "./plan.mjs";
import { formatSpeedups, LEGEND } from "./report.mjs";
import { history, LAST, readResult, saveResult, toJson, writeResult } from "./result-file.mjs";
import { formatTargets, targetRows } from "./targets.mjs";

/**
 * @typedef {import("./options.mjs").Options} Options
 * @typedef {import("./contenders.mjs").NodeEngine} NodeEngine
 * @typedef {import("./result-file.mjs").Result} Result
 */

const here = fileURLToPath(new URL(".", import.meta.url));

/** One line on a terminal that is written over; nothing elsewhere. @param {string} text */
function progress(text) {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text.slice(0, 79)}`);
}

/** @param {Options} options @param {(text: string) => void} say @returns {Promise<NodeEngine[]>} */
async function findNodes({ nodes: wanted }, say) {
  /** @type {NodeEngine[]} */
  const nodes = [];
  for (const range of wanted) {
    progress(`npx node@${range}`);
    try {
      const executable = await nodeOf(range);
      const version = execFileSync(executable, ["--version"], { encoding: "utf8" }).trim().slice(1);
      if (!nodes.some((node) => node.version === version)) nodes.push({ version, executable });
    } catch (error) {
      say(`Node ${range} is not measured: ${textOf(error)}`);
    }
  }
  return nodes.length > 0 ? nodes : [{ version: process.versions.node, executable: process.execPath }];
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

/** @param {number} seconds */
const timeText = (seconds) => (seconds < 90 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 60)} min`);

/** @param {Options} options @returns {Promise<boolean>} Whether all contenders did their work, and the same. */
async function bench(options) {
  const say = (/** @type {string} */ text) => {
    progress("");
    if (!options.json) console.log(text);
  };
  for (const dist of [options.dist, ...(options.against ? [options.against] : [])])
    if (!existsSync(join(dist, "index.node.js")))
      throw new UsageError(`${dist}: there is no build. Hint: npm run build.`);

  const nodes = await findNodes(options, say);
  const builds = [
    { label: "", dist: options.dist },
    ...(options.against ? [{ label: "against", dist: options.against }] : []),
  ];
  const torch = options.torch ? await findTorch() : { missing: "--no-torch" };
  const machine = describeMachine();
  say(`${machine.cpu}, ${machine.processors} processors, ${machine.memoryGB} GB, ${machine.system}`);
  say(
    `Node ${nodes.map(({ version }) => version).join(", ")}; engine flags: ${options.engineFlags.join(" ") || "none"}; revision ${revision() ?? "unknown"}`,
  );
  if ("build" in torch) say(torchText(torch.build));
  else say(`PyTorch is not measured: ${torch.missing}.${options.torch ? ` To have it:\n  ${INSTALL_TORCH}` : ""}`);

  const resumed = options.resume ? readResult(options.files[0] ?? LAST) : undefined;
  /** @type {Result} */
  const result = resumed ?? {
    date: new Date().toISOString(),
    revision: revision(),
    machine,
    nodes: nodes.map(({ version }) => version),
    engineFlags: options.engineFlags,
    torch: "build" in torch ? torch.build : null,
    quick: options.quick,
    rounds: options.rounds,
    complete: false,
    done: [],
    ceilings: [],
    summaries: [],
  };
  result.complete = false;
  result.done ??= [];
  if (result.ceilings.length === 0 && !options.plan) result.ceilings = await measureCeilings(nodes, options, progress);
  for (const node of nodes) {
    const found = result.ceilings.find(({ node: version }) => version === node.version);
    if (found) node.relaxedSimd = found.relaxedSimd;
  }
  const field = { ...options, builds, nodes, python: "python" in torch ? torch.python : undefined };
  const folder = mkdtempSync(join(tmpdir(), "downhill-bench-"));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  const units = unitsOf(field, folder, progress).filter(({ id }) => !result.done?.includes(id));
  const secondsOf = (/** @type {typeof units} */ list) => list.reduce((sum, { seconds }) => sum + seconds, 0);
  if (options.plan) {
    for (const { id, seconds } of units) say(`  ${id.padEnd(28)} ${timeText(seconds).padStart(7)}`);
    say(`About ${timeText(secondsOf(units))} on an idle machine.`);
    return true;
  }
  const nameOf = (/** @type {string} */ version) => nodeName({ version, executable: "" }, nodes);
  say(formatCeilings(result.ceilings, nameOf));
  say(`${units.length} measurements, about ${timeText(secondsOf(units))} on an idle machine.`);
  say(`\n${LEGEND}`);

  const keep = () => {
    writeResult(LAST, result);
    return options.save ? saveResult(result) : LAST;
  };
  const stop = () => {
    say(`\nInterrupted: ${result.done?.length} measurements are in ${keep()}; --resume goes on.`);
    process.exit(130);
  };
  process.once("SIGINT", stop);
  process.once("SIGTERM", stop);
  const began = performance.now();
  let expected = 0;
  for (const [i, unit] of units.entries()) {
    const text = await unit.run(result);
    result.done.push(unit.id);
    expected += unit.seconds;
    writeResult(LAST, result);
    const spent = (performance.now() - began) / 1000;
    const left = secondsOf(units.slice(i + 1)) * (spent / expected);
    say(`\n${text}`);
    if (left > 0 && i % 5 === 4) say(`\n[${i + 1} of ${units.length}; about ${timeText(left)} left]`);
  }
  result.complete = true;
  const speedups = formatSpeedups(result.summaries);
  if (speedups) say(`\n${speedups}`);
  const targets = formatTargets(targetRows(result));
  if (targets) say(`\n${targets}`);
  const before = options.compare
    ? [...options.files.map(readResult), ...history().map((saved) => saved.result)][0]
    : undefined;
  if (before) say(`\n${formatComparison(compareResults(before, result))}`);
  const path = keep();
  say(`\nKept in ${path}`);
  if (options.json) process.stdout.write(toJson(result));
  const updates = result.updates?.rows ?? [];
  const rows = [...result.summaries.flatMap(({ contenders }) => contenders), ...updates, ...(result.starts ?? [])];
  const checked = [...result.summaries, ...updates, ...(result.accuracy ?? [])];
  const broken = rows.some((row) => "error" in row && !/\b(wide|native): /.test(row.error));
  return checked.every(({ differ }) => !differ) && !broken;
}

/** What needs no measuring. @param {Options} options */
function look(options) {
  const { files } = options;
  if (options.targets) {
    console.log(formatTargets(targetRows(readResult(files[0] ?? LAST))));
    return true;
  }
  if (options.docs) {
    for (const path of writeDocs(files)) console.log(`wrote ${path}`);
    return true;
  }
  const [before, after] = files.map(readResult);
  if (!before || !after) return false;
  console.log(formatComparison(compareResults(before, after)));
  return true;
}

try {
  const options = readOptions(process.argv.slice(2));
  const looking = options.targets || options.docs || (options.compare && options.files.length === 2);
  if (options.help) console.log(HELP);
  else if (!(looking ? look(options) : await bench(options))) process.exitCode = 1;
} catch (error) {
  if (!(error instanceof UsageError || error instanceof ChildError)) throw error;
  console.error(error.message);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
