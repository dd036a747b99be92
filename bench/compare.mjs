/** Two results beside each other: where a workload became slower by more than the samples' noise. */
import { median } from "./measure.mjs";
import { figure, table } from "./report.mjs";
import { workloadKey } from "./result-file.mjs";

/**
 * @typedef {{ what: string, name: string, before: number, after: number, ratio: number, band: number, machine: number | undefined,
 *   verdict: "slower" | "faster" | "machine" | "not idle" | "" }} Change
 *   medians in ms; `band`: how far the ratio may lie from 1 by noise; `machine`: the same ratio of PyTorch's best, of which the machine's own
 *   speed is divided out: "machine" is what is slower or faster by no more than that, "not idle" what others disturbed
 */

/** @typedef {{ medianMs?: number, ms?: readonly number[] }} Timed */

/** Others were at work during most samples. @param {{ busy: number, samples: number } | undefined} load */
const isDisturbed = (load) => load !== undefined && load.busy * 2 > load.samples;

/** Below this, whatever the samples say: runs of a day differ by as much. */
const LEAST_BAND = 0.05;

/** Half the samples lie within this share of the median. @param {readonly number[]} ms */
function scatter(ms) {
  const middle = median(ms);
  return median(ms.map((value) => Math.abs(value - middle))) / middle;
}

/** Names of older results say the same in other words. @param {{ name: string, family: string, mode?: string, node?: string, engine?: any }} row */
function nameOf({ name, family, mode, node, engine }) {
  if (family !== "downhill") return name;
  const build = /\(against\)|^against /.test(name) ? " (against)" : "";
  return `Node ${String(node ?? engine?.node).split(".", 1)[0]} ${mode}${build}`;
}

/** @param {import("./result-file.mjs").Result} before @param {import("./result-file.mjs").Result} after @returns {{ title: string, changes: Change[], missing: number }} */
export function compareResults(before, after) {
  /** @type {Change[]} */
  const changes = [];
  let missing = 0;
  const known = new Map(before.summaries.map((summary) => [workloadKey(summary), summary]));
  for (const summary of after.summaries) {
    const old = known.get(workloadKey(summary));
    if (!old) {
      missing++;
      continue;
    }
    const torch = (/** @type {typeof summary} */ { contenders, comparable }) =>
      comparable
        ? Math.min(...contenders.map((row) => (row.family === "pytorch" ? (row.medianMs ?? Infinity) : Infinity)))
        : Infinity;
    const machine = torch(summary) / torch(old);
    const disturbed = isDisturbed(summary.load) || isDisturbed(old.load);
    for (const row of summary.contenders) {
      const other = old.contenders.find((candidate) => nameOf(candidate) === nameOf(row));
      if (row.family !== "downhill" || row.medianMs === undefined || other?.medianMs === undefined) continue;
      changes.push(
        change(
          `${summary.title}, ${summary.threads}T`,
          nameOf(row),
          other,
          row,
          Number.isFinite(machine) ? machine : undefined,
          disturbed,
        ),
      );
    }
  }
  for (const row of after.updates?.rows ?? []) {
    const other = (before.updates?.rows ?? []).find(
      (/** @type {any} */ { rule, size, threads }) => rule === row.rule && size === row.size && threads === row.threads,
    );
    if (!row.one || !other?.one) continue;
    const machine = row.stream && other.stream ? row.stream.medianMs / other.stream.medianMs : undefined;
    changes.push(
      change(
        `update ${row.size}, ${row.threads}T`,
        row.rule,
        other.one,
        row.one,
        machine,
        isDisturbed(row.load) || isDisturbed(other.load),
      ),
    );
  }
  const title = `${before.date.slice(0, 16)} (${before.revision ?? "?"}) and ${after.date.slice(0, 16)} (${after.revision ?? "?"})`;
  return { title, changes, missing };
}

/**
 * @param {string} what @param {string} name @param {Timed} before @param {Timed} after @param {number | undefined} machine
 * @param {boolean} disturbed @returns {Change}
 */
function change(what, name, before, after, machine, disturbed) {
  const [from, to] = [before.medianMs ?? Number.NaN, after.medianMs ?? Number.NaN];
  const ratio = to / from;
  const band = Math.max(LEAST_BAND, 3 * (scatter(before.ms ?? [from]) + scatter(after.ms ?? [to])));
  const beyond = (/** @type {number} */ value) => (value > 1 + band ? 1 : value < 1 / (1 + band) ? -1 : 0);
  const side = beyond(ratio);
  return { what, name, before: from, after: to, ratio, band, machine, verdict: verdict() };

  /** @returns {Change["verdict"]} */
  function verdict() {
    if (side === 0) return "";
    if (disturbed) return "not idle";
    if (machine !== undefined && beyond(ratio / machine) !== side) return "machine";
    return side > 0 ? "slower" : "faster";
  }
}

/** @param {ReturnType<typeof compareResults>} comparison */
export function formatComparison({ title, changes, missing }) {
  const lines = changes.map(({ what, name, before, after, ratio, machine, verdict }) => [
    what,
    name.replace("Node ", "N").replace("reproducible", "repr."),
    figure(before),
    figure(after),
    ratio.toFixed(2),
    machine === undefined ? "-" : machine.toFixed(2),
    verdict === "slower" ? "SLOWER" : verdict,
  ]);
  const slower = changes.filter(({ verdict }) => verdict === "slower");
  return [
    `Compared: ${title}`,
    "before, after: medians, ms; ratio of them; PyTorch: the same ratio of its best,",
    "the machine's part; marked where both leave the noise of the samples",
    ...(changes.length > 0
      ? [table([["", "", "before", "after", "ratio", "PyTorch", ""], ...lines], [30, 14, 6, 6, 5, 7, 7])]
      : []),
    slower.length === 0
      ? `None of ${changes.length} became slower beyond the noise.`
      : `${slower.length} of ${changes.length} became SLOWER: ${slower.map(({ what, name, ratio }) => `${what} on ${name} (${ratio.toFixed(2)}x)`).join("; ")}.`,
    ...(missing > 0 ? [`${missing} workloads are not in the earlier result.`] : []),
  ].join("\n");
}
