/** The project's targets, as ratios of times in one run, beside what a run gave. Nothing fails where one is missed. */
import { majorOf } from "./modes.mjs";
import { table } from "./report.mjs";

/**
 * @typedef {import("./result-file.mjs").Result} Result
 * @typedef {import("./modes.mjs").Mode} Mode
 * @typedef {{ what: string, of: string, measured: number | undefined, target: number, least?: boolean, comparable: boolean }} TargetRow
 *   `of`: the mode, or what is held against what; `least`: the target is the least, not the most
 */

/** The engine that the targets are for, and the one without flags or relaxed SIMD. */
const MAIN = 24;
const PLAIN = 20;

/** Time over that of PyTorch's best: [fast, wide, native], each on one thread and on two. @type {readonly (readonly [kind: string, size: number, ...readonly (readonly [number, number])[]])[]} */
const STEPS = [
  ["cnn", 128, [0.85, 0.85], [0.6, 0.6], [0.55, 0.55]],
  ["cnn", 32, [0.95, 0.95], [0.7, 0.7], [0.65, 0.65]],
  ["resnet20", 32, [1.1, 1.1], [0.8, 0.8], [0.75, 0.75]],
  ["resnet20", 64, [1.1, 1.1], [0.8, 0.8], [0.75, 0.75]],
  ["mlp", 128, [1.7, 1.7], [1, 1], [0.85, 0.9]],
  ["mlp", 32, [1, 1], [0.75, 0.8], [0.75, 0.8]],
  ["transformer", 32, [1.6, 1.6], [1, 1], [0.8, 0.8]],
  ["transformer", 64, [1.6, 1.6], [1, 1], [0.8, 0.8]],
  ["lstm", 32, [2.4, 2.4], [1.5, 1.5], [1.25, 1.25]],
  ["lstm", 128, [1.6, 1.6], [1, 1], [0.8, 0.8]],
];
export const COLUMNS = /** @type {const} */ (["fast", "wide", "native"]);

/** Adam: time over that of torch.optim's fused and default forms, on one thread and on two. */
const UPDATES = /** @type {const} */ ([
  [10_000_000, "fused", [0.92, 0.85]],
  [10_000_000, "default", [0.2, 0.2]],
  [235_146, "fused", [0.75, 0.8]],
  [235_146, "default", [0.25, 0.25]],
]);

/** @param {Result} result @param {string} kind @param {number} size @param {number} threads */
const summaryOf = ({ summaries }, kind, size, threads) =>
  summaries.find((summary) => summary.kind === kind && summary.size === size && summary.threads === threads);

/** @param {readonly any[] | undefined} rows @param {number} major @param {Mode} mode */
const ours = (rows, major, mode) =>
  rows?.find(
    (row) => row.family === "downhill" && row.mode === mode && majorOf(row.node ?? row.engine?.node ?? "0") === major,
  );

/** @param {number | undefined} a @param {number | undefined} b */
const ratio = (a, b) => (a === undefined || b === undefined ? undefined : a / b);

/** @param {Result} result @returns {TargetRow[]} */
export function targetRows(result) {
  /** @type {TargetRow[]} */
  const rows = [];
  const threadsText = (/** @type {number} */ threads) => `${threads} thread${threads === 1 ? "" : "s"}`;
  const counts = [...new Set(result.summaries.map(({ threads }) => threads))].filter((threads) => threads <= 2).sort();
  for (const [kind, size, ...targets] of STEPS)
    for (const threads of counts) {
      const summary = summaryOf(result, kind, size, threads);
      if (!summary) continue;
      for (const [i, of] of COLUMNS.entries())
        rows.push({
          what: `${summary.title.replace(/ \(.*?\)/, "")}, ${threadsText(threads)}`,
          of,
          measured: ours(summary.contenders, MAIN, of)?.vsTorch,
          target: targets[i]?.[threads - 1] ?? Number.NaN,
          comparable: summary.comparable,
        });
    }
  for (const [size, form, target] of UPDATES)
    for (const threads of counts) {
      const summary = summaryOf(result, "adam", size, threads);
      if (!summary) continue;
      const torch = summary.contenders.find(({ name }) => name === `PyTorch ${form}`)?.medianMs;
      rows.push({
        what: `${summary.title.replace(" parameters", "")}, ${form}, ${threadsText(threads)}`,
        of: "fast",
        measured: ratio(ours(summary.contenders, MAIN, "fast")?.medianMs, torch),
        target: target[threads - 1] ?? Number.NaN,
        comparable: summary.comparable,
      });
    }
  const each = (
    /** @type {string} */ what,
    /** @type {readonly number[]} */ targets,
    /** @type {(mode: Mode) => number | undefined} */ of,
  ) => {
    for (const [i, mode] of COLUMNS.entries())
      rows.push({ what, of: mode, measured: of(mode), target: targets[i] ?? Number.NaN, comparable: true });
  };
  const starts = result.starts?.filter(({ kind }) => kind === "cnn");
  if (starts)
    each("first loss of the CNN, whole process", [0.12, 0.12, 0.15], (mode) => ours(starts, MAIN, mode)?.vsTorch);
  const big = summaryOf(result, "cnn", 128, 1)?.contenders;
  if (big) {
    const torch = big.find(({ family, vsTorch }) => family === "pytorch" && vsTorch === 1)?.peakMemory ?? undefined;
    each("peak memory, CNN of batch 128", [0.35, 0.35, 0.45], (mode) =>
      ratio(ours(big, MAIN, mode)?.peakMemory, torch),
    );
  }
  for (const { data, target, rows: runs } of result.accuracy ?? [])
    each(`seconds to ${100 * target} %, ${data}`, [0.85, 0.6, 0.55], (mode) => ours(runs, MAIN, mode)?.vsTorch);
  return [...rows, ...others(result)];
}

/** What stands below the table of targets. @param {Result} result @returns {TargetRow[]} */
function others(result) {
  /** @type {TargetRow[]} */
  const rows = [];
  const add = (
    /** @type {string} */ what,
    /** @type {number | undefined} */ measured,
    /** @type {number} */ target,
    { least = false, comparable = true } = {},
  ) => rows.push({ what, of: "", measured, target, least, comparable });
  const plain = [
    ["cnn", 128, 1.7],
    ["cnn", 32, 1.9],
    ["mlp", 128, 3.4],
    ["mlp", 32, 3.4],
  ];
  for (const [kind, size, target] of /** @type {[string, number, number][]} */ (plain)) {
    const summary = summaryOf(result, kind, size, 1);
    const row = ours(summary?.contenders, PLAIN, "reproducible");
    if (summary && row) add(`Node ${PLAIN}, ${summary.title}, over PyTorch`, row.vsTorch, target);
  }
  for (const summary of result.summaries) {
    if (summary.threads !== 1 || !STEPS.some(([kind, size]) => kind === summary.kind && size === summary.size))
      continue;
    const [fast, wide, same, sameWide] = /** @type {Mode[]} */ ([
      "fast",
      "wide",
      "reproducible",
      "wide-reproducible",
    ]).map((mode) => ours(summary.contenders, MAIN, mode)?.medianMs);
    const title = summary.title.replace(/ \(.*?\)/, "");
    if (same && fast) add(`${title}, reproducible over fast`, same / fast, 1.4);
    if (sameWide && wide) add(`${title}, reproducible over fast, wide`, sameWide / wide, 1.55);
  }
  const product = summaryOf(result, "matmul", 1024, 1);
  if (product) {
    add("Product of 1024, share of the ceiling, fast", ours(product.contenders, MAIN, "fast")?.share, 0.93, {
      least: true,
    });
    add("Product of 1024, share of the ceiling, wide", ours(product.contenders, MAIN, "wide")?.share, 0.85, {
      least: true,
    });
  }
  for (const [kind, size, target] of /** @type {[string, number, number][]} */ ([
    ["cnn", 128, 1.85],
    ["cnn", 32, 1.65],
    ["mlp", 128, 1.6],
  ])) {
    const [one, two] = [1, 2].map((threads) => summaryOf(result, kind, size, threads));
    if (!one || !two) continue;
    const alone = ours(one.contenders, MAIN, "fast")?.medianMs;
    const measured = ratio(alone, ours(two.contenders, MAIN, "fast")?.medianMs);
    add(`${one.title}, fast, 2 threads against one`, measured, target, { least: true, comparable: two.comparable });
  }
  for (const { rows: list, threads } of result.busy ?? [])
    for (const { name, ratio: gain } of list)
      if (name === `Node ${MAIN} fast`)
        add(`${threads} threads against one, a processor busy`, gain, 0.9, { least: true });
  for (const { kind, size, rows: list } of result.peers ?? []) {
    const fastest = Math.min(
      ...list.map((row) => (row.family === "peer" && row.sameWork && row.ratio ? row.ratio : Infinity)),
    );
    const target = kind === "cnn" ? 150 : size === 32 ? 5 : 2;
    add(
      `${kind.toUpperCase()}, batch ${size}, the fastest JavaScript library over fast`,
      Number.isFinite(fastest) ? fastest : undefined,
      target,
      { least: true },
    );
  }
  return rows;
}

/** @param {TargetRow} row */
export const isMet = ({ measured, target, least, comparable }) =>
  measured === undefined || !comparable ? undefined : least ? measured >= target : measured <= target;

/** @param {number} value */
export const ratioText = (value) => (value >= 10 ? value.toFixed(0) : value.toFixed(2));

/** @param {TargetRow} row */
function cell(row) {
  const met = isMet(row);
  return `${row.measured === undefined ? "-" : ratioText(row.measured)} ${row.least ? ">=" : "<="} ${ratioText(row.target)} ${met === undefined ? "?" : met ? " " : "!"}`;
}

/** @param {readonly TargetRow[]} rows @returns {{ what: string, cells: (TargetRow | undefined)[] }[]} */
export const groupTargets = (rows) =>
  [...new Set(rows.filter(({ of }) => of !== "").map(({ what }) => what))].map((what) => ({
    what,
    cells: COLUMNS.map((of) => rows.find((row) => row.what === what && row.of === of)),
  }));

/** @param {readonly TargetRow[]} rows */
export function formatTargets(rows) {
  if (rows.length === 0) return "";
  const modes = groupTargets(rows).map(({ what, cells }) => [what, ...cells.map((row) => (row ? cell(row) : ""))]);
  const single = rows.filter(({ of }) => of === "").map((row) => [row.what, cell(row)]);
  return [
    `Targets, on Node ${MAIN} as ratios to PyTorch's best (! missed, ? not comparable)`,
    ...(modes.length > 0 ? [table([["", ...COLUMNS], ...modes], [34, 14, 14, 14])] : []),
    ...(single.length > 0 ? [table(single, [58, 16])] : []),
  ].join("\n");
}
