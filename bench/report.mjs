import { ceilingOf } from "./ceilings.mjs";
import { loadOf, median } from "./measure.mjs";
import { FLAT } from "./workloads.mjs";

/**
 * @typedef {import("./measure.mjs").Measured} Measured
 * @typedef {import("./workloads.mjs").Workload} Workload
 * @typedef {import("./ceilings.mjs").Ceiling} Ceiling
 */

/** How far losses may lie apart: the first by rounding; a few updates later by what Adam makes of rounding where gradients vanish. */
const AGREEMENT = { first: 1e-4, early: 1e-3 };

/**
 * Figures of one workload.
 * @param {Workload} workload @param {readonly Measured[]} measured @param {readonly Ceiling[]} ceilings
 * @param {(own: Rated) => number | undefined} bandwidthOf GB/s that streaming reached with as many threads
 */
export function summarize(workload, measured, ceilings, bandwidthOf) {
  const { kind, size, threads, steps, work, unit, title } = workload;
  const bandwidth = bandwidthOf({
    kind,
    threads,
    work,
    contenders: measured.map(({ samples }) => ({ minMs: Math.min(...samples.map(({ ms }) => ms)) })),
  });
  const rows = measured.map(
    ({ contender, samples, first, engine, plannedBytes, peakMemory, phases, dropped, error }) => {
      const ms = samples.map((sample) => sample.ms);
      const least = Math.min(...ms);
      const middle = median(ms);
      const own = ceilingOf(ceilings, contender);
      const ceiling = unit === "GFLOP" ? own && own * threads : size === FLAT ? bandwidth : undefined;
      return {
        name: contender.name,
        family: contender.family,
        ...(contender.mode && { mode: contender.mode }),
        ...(contender.node && { node: contender.node }),
        ...(dropped && { dropped }),
        engine,
        first,
        ...(error !== undefined ? { error } : {}),
        ...(ms.length > 0 && {
          early: samples[0]?.early ?? null,
          last: samples.at(-1)?.last ?? null,
          minMs: least,
          medianMs: middle,
          cpuMs: median(samples.map((sample) => sample.cpuMs)),
          rate: (work / middle) * 1e3,
          ...(ceiling && { ceiling, share: ((work / middle) * 1e3) / ceiling }),
          ms,
        }),
        peakMemory: peakMemory ?? null,
        ...(plannedBytes !== undefined && { plannedBytes }),
        ...(phases && { phases }),
      };
    },
  );
  const reference = Math.min(...rows.filter((row) => row.family === "pytorch").map((row) => row.medianMs ?? Infinity));
  const load = loadOf(measured.flatMap(({ samples }) => samples));
  // With its second processor taken, PyTorch collapses and a static split waits: that compares schedulers.
  const comparable = threads === 1 || load.busy * 2 <= load.samples;
  const values = {
    first: measured.map(({ first }) => first),
    early: measured.map(({ samples }) => samples[0]?.early),
  };
  return {
    title,
    kind,
    size,
    threads,
    unit,
    work,
    steps,
    rounds: Math.max(0, ...measured.map(({ samples }) => samples.length)),
    load,
    comparable,
    differ: Math.max(spread(values.first) / AGREEMENT.first, spread(values.early) / AGREEMENT.early) > 1,
    contenders: rows.map((row) => ({
      ...row,
      ...(comparable &&
        row.medianMs !== undefined &&
        Number.isFinite(reference) && { vsTorch: row.medianMs / reference }),
    })),
  };
}

/** @typedef {ReturnType<typeof summarize>} Summary */

/** @param {readonly (number | null | undefined)[]} values */
function spread(values) {
  const known = values.filter((value) => value !== null && value !== undefined);
  return known.some(Number.isNaN) ? Infinity : known.length < 2 ? 0 : Math.max(...known) - Math.min(...known);
}

/** @typedef {{ kind: string, threads: number, work: number, contenders: readonly { minMs?: number }[] }} Rated */

/** GB/s of streaming's best sample. @param {readonly Rated[]} summaries @param {number} threads */
export function bandwidthIn(summaries, threads) {
  const found = summaries.find((summary) => summary.kind === "stream" && summary.threads === threads);
  return (
    found && (found.work / Math.min(...found.contenders.map(({ minMs }) => minMs ?? Number.POSITIVE_INFINITY))) * 1e3
  );
}

/** @param {readonly import("./measure.mjs").Started[]} list */
export function summarizeStarts(list) {
  const rows = list.map(({ contender, starts, first, error }) => {
    const of = (/** @type {string} */ name) => median(starts.map(({ times }) => times[name] ?? Number.NaN));
    return {
      name: contender.name,
      family: contender.family,
      ...(contender.mode && { mode: contender.mode, node: contender.node }),
      first,
      ...(error !== undefined && { error }),
      ...(starts.length > 0 && {
        minMs: Math.min(...starts.map(({ fromStart }) => fromStart)),
        medianMs: median(starts.map(({ fromStart }) => fromStart)),
        importMs: of("import"),
        initMs: of("init"),
        notIdleBefore: starts.filter(({ idleBefore }) => !idleBefore).length,
        starts: starts.length,
        ...(contender.family === "downhill" && {
          compileMs: of("compile"),
          importAndCompileMs: median(starts.map(({ times }) => (times.import ?? 0) + (times.compile ?? 0))),
        }),
        stepMs: of("step"),
      }),
    };
  });
  const torch = rows.find(({ family }) => family === "pytorch")?.medianMs;
  return rows.map((row) => ({
    ...row,
    ...(torch !== undefined && row.medianMs !== undefined && { vsTorch: row.medianMs / torch }),
  }));
}

/** @param {number | null | undefined} value @param {number} [digits] significant */
export function figure(value, digits = 3) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "-";
  if (value === 0) return "0";
  const places = Math.max(0, digits - 1 - Math.floor(Math.log10(Math.max(Math.abs(value), 1e-9))));
  return value.toFixed(Math.min(places, 4));
}

/** @param {number} value */
const fixed = (value) => value.toFixed(2);

/** The first column to the left, the others to the right. @param {readonly (readonly string[])[]} rows @param {readonly number[]} widths */
export const table = (rows, widths) =>
  rows
    .map((row) =>
      row
        .map((cell, i) => (i === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[i] ?? 0)))
        .join(" ")
        .trimEnd(),
    )
    .map((line) => `  ${line}`)
    .join("\n");

/** @param {number} count @param {string} noun */
const plural = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;

/** @param {number} threads */
const threadsText = (threads) => plural(threads, "thread");

export const LEGEND = `min, median: milliseconds a step; cpu: of all threads (median); share: of the
ceiling; /torch: the median over that of PyTorch's best, below 1 is faster;
MB: peak memory of the process; ~ sampled once, then clearly slower.`;

/** @param {Summary} summary @param {boolean} withPhases */
export function formatSummary(summary, withPhases) {
  const { title, threads, unit, work, steps, rounds, load, contenders, differ, comparable } = summary;
  const widths = [30, 6, 6, 6, 6, 5, 6, 4];
  const rows = contenders
    .filter((row) => row.medianMs !== undefined)
    .map((row) => [
      row.name,
      figure(row.minMs),
      figure(row.medianMs),
      figure(row.cpuMs),
      figure(row.rate),
      row.share === undefined ? "-" : `${Math.round(row.share * 100)} %`,
      row.vsTorch === undefined ? "-" : `${row.dropped ? "~" : ""}${fixed(row.vsTorch)}`,
      row.peakMemory === null ? "-" : `${Math.round(row.peakMemory / 1e6)}`,
    ]);
  const lines = [
    `${title}, ${threadsText(threads)}: ${figure(work)} ${unit} a step, ${plural(rounds, "round")} of ${plural(steps, "step")}`,
    `  ${loadText(load)}`,
    table([["", "min", "median", "cpu", unit === "GB" ? "GB/s" : "GF/s", "share", "/torch", "MB"], ...rows], widths),
  ];
  for (const row of contenders)
    if ("error" in row && row.error !== undefined) lines.push(`  ${row.name} failed: ${row.error}`);
  if (withPhases)
    for (const { name, phases } of contenders)
      if (phases)
        lines.push(
          `  ${name}: ${Object.entries(phases)
            .map(([phase, ms]) => `${phase} ${figure(ms)}`)
            .join(", ")} ms (one step)`,
        );
  if (!comparable) lines.push("  Not compared with PyTorch: with several threads that needs an idle machine.");
  if (differ) {
    lines.push("  THE RESULTS DIFFER, the first or those a few updates later: not the same work.");
    for (const { name, first, early } of contenders) lines.push(`    ${name}: ${first}, then ${early ?? "-"}`);
  }
  return lines.join("\n");
}

/** @param {Summary["load"]} load */
export function loadText({ median: middle, most, busy, notIdleBefore, samples }) {
  const state =
    busy === 0 && notIdleBefore === 0
      ? "Idle otherwise"
      : `NOT IDLE in ${Math.max(busy, notIdleBefore)} of ${samples} samples`;
  return `${state}: others used ${fixed(middle)} processors (median), at most ${fixed(most)}.`;
}

/** @param {string} title @param {ReturnType<typeof summarizeStarts>} starts */
export function formatStarts(title, starts) {
  const rows = starts
    .filter((row) => row.medianMs !== undefined)
    .map((row) => [
      row.name,
      figure(row.minMs),
      figure(row.medianMs),
      figure(row.importMs),
      figure(row.initMs),
      figure(row.compileMs),
      figure(row.stepMs),
      row.vsTorch === undefined ? "-" : fixed(row.vsTorch),
    ]);
  const notIdle = starts.reduce((sum, row) => sum + (row.notIdleBefore ?? 0), 0);
  const all = starts.reduce((sum, row) => sum + (row.starts ?? 0), 0);
  return [
    `First loss of ${title}, 1 thread: ms from the start of the process (medians)`,
    notIdle === 0 ? "  The machine was idle before each start." : `  NOT IDLE before ${notIdle} of ${all} starts.`,
    table([["", "min", "whole", "import", "init", "compile", "step", "/torch"], ...rows], [26, 6, 6, 6, 6, 7, 6, 6]),
    ...starts.flatMap((row) => (row.error === undefined ? [] : [`  ${row.name} failed: ${row.error}`])),
  ].join("\n");
}

/** How much faster two threads are than one. @param {readonly Summary[]} summaries */
export function formatSpeedups(summaries) {
  const lines = summaries.flatMap((many) => {
    const one = summaries.find(({ kind, size, threads }) => kind === many.kind && size === many.size && threads === 1);
    if (!one || many.threads === 1) return [];
    const title = `${many.title}: ${threadsText(many.threads)} against one`;
    if (!many.comparable) return [`${title}: not compared, the machine was not idle`];
    const pairs = many.contenders.flatMap(({ name, medianMs }) => {
      const alone = one.contenders.find((row) => row.name === name)?.medianMs;
      return alone && medianMs ? [[`  ${name}`.padEnd(32), `${fixed(alone / medianMs)}x`.padStart(8)].join(" ")] : [];
    });
    return [title, ...pairs];
  });
  return lines.join("\n");
}
