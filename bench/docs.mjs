/** Writes what was measured into docs/benchmarks.md, between its marks, and the picture beside it. No figure there is typed by hand. */
import { readFileSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { TASKS } from "./accuracy.mjs";
import { chart } from "./chart.mjs";
import { torchText } from "./engines.mjs";
import { MODE_NAMES, majorOf } from "./modes.mjs";
import { isNetwork, networkOf } from "./networks.mjs";
import { UsageError } from "./options.mjs";
import { figure } from "./report.mjs";
import { history, readResult, workloadKey } from "./result-file.mjs";
import { COLUMNS, groupTargets, isMet, ratioText, targetRows } from "./targets.mjs";

/**
 * @typedef {import("./result-file.mjs").Result} Result
 * @typedef {import("./report.mjs").Summary} Summary
 * @typedef {{ name: string, result: Result }} Saved
 */

const PAGE = fileURLToPath(new URL("../docs/benchmarks.md", import.meta.url));
const PICTURE = fileURLToPath(new URL("../docs/bench-steps.svg", import.meta.url));
const MARK = /(<!-- measured: ([\w-]+) -->\n)[\s\S]*?(<!-- \/measured -->)/g;

/** @param {readonly (readonly string[])[]} rows The first is the head. */
function markdown([head = [], ...rows]) {
  if (rows.length === 0) return "";
  const line = (/** @type {readonly string[]} */ cells) => `| ${cells.join(" | ")} |`;
  return [line(head), `|${head.map((_, i) => (i === 0 ? "---" : "---:")).join("|")}|`, ...rows.map(line)].join("\n");
}

/**
 * One result of several: each measurement from the newest one that has it.
 * @param {readonly Saved[]} saved The newest first. @returns {{ result: Result, from: Map<string, string[]> }}
 */
function merge(saved) {
  const [newest] = saved;
  if (!newest) throw new UsageError("--docs: there is no result of a whole run. Hint: npm run bench -- --save.");
  const from = new Map();
  const take = (/** @type {string} */ what, /** @type {string} */ name) =>
    from.set(what, [...new Set([...(from.get(what) ?? []), name])]);
  /** @type {Map<string, Summary>} */
  const summaries = new Map();
  /** @type {Result} */
  const result = { ...newest.result, summaries: [], updates: undefined, starts: [], accuracy: [], peers: [], busy: [] };
  for (const { name, result: one } of saved) {
    for (const summary of one.summaries) {
      const key = workloadKey(summary);
      if (summaries.has(key)) continue;
      summaries.set(key, summary);
      take("steps", name);
    }
    for (const section of /** @type {const} */ (["starts", "accuracy", "peers", "busy"])) {
      /** @type {any[]} */
      const own = result[section] ?? [];
      const known = new Set(own.map(({ kind, size, data }) => `${kind} ${size} ${data}`));
      const more = (one[section] ?? []).filter(
        (/** @type {any} */ { kind, size, data }) => !known.has(`${kind} ${size} ${data}`),
      );
      if (more.length > 0) take(section, name);
      own.push(...more);
    }
    for (const row of one.updates?.rows ?? []) {
      result.updates ??= { bandwidth: one.updates.bandwidth, rows: [], others: one.updates.others };
      const same = (/** @type {any} */ other) =>
        other.rule === row.rule && other.size === row.size && other.threads === row.threads && other.node === row.node;
      if (result.updates.rows.some(same)) continue;
      result.updates.rows.push(row);
      take("updates", name);
    }
  }
  result.summaries = [...summaries.values()];
  return { result, from };
}

/** @param {Result} result */
const threadCounts = ({ summaries }) => [...new Set(summaries.map(({ threads }) => threads))].sort((a, b) => a - b);

/** Older results have it among the engine's. @param {Summary["contenders"][number]} row @returns {string} */
const versionOf = ({ node, engine }) => node ?? engine?.node ?? "0";

/** Node 24 fast, Node 24 wide, and so on: what was measured, in the order of the table. @param {Result} result */
function waysOf({ summaries, ceilings }) {
  // Without relaxed SIMD `fast` is `reproducible`.
  const same = new Set(ceilings.filter(({ relaxedSimd }) => !relaxedSimd).map(({ node }) => node));
  const all = summaries.flatMap(({ contenders }) =>
    contenders.flatMap((row) =>
      row.family === "downhill" && row.mode && row.medianMs && !(row.mode === "fast" && same.has(versionOf(row)))
        ? [{ mode: row.mode, major: majorOf(versionOf(row)) }]
        : [],
    ),
  );
  const order = ["fast", "wide", "native", "reproducible", "wide-reproducible"];
  const unique = [...new Map(all.map((way) => [`${way.major} ${way.mode}`, way])).values()];
  return unique.sort((a, b) => b.major - a.major || order.indexOf(a.mode) - order.indexOf(b.mode));
}

/** @param {Summary} summary @param {{ mode: string, major: number }} way */
const rowOf = ({ contenders }, { mode, major }) =>
  contenders.find(
    (row) =>
      row.family === "downhill" && row.mode === mode && majorOf(versionOf(row)) === major && !row.name.includes("("),
  );

/** @param {Summary} summary */
function torchBest({ contenders }) {
  const rows = contenders.filter(({ family, medianMs }) => family === "pytorch" && medianMs !== undefined);
  return rows.sort((a, b) => (a.medianMs ?? 0) - (b.medianMs ?? 0))[0];
}

/** @param {readonly string[] | undefined} names */
const filesText = (names) => (names ?? []).map((name) => `\`bench/results/${name}\``).join(", ");

/** Median and, in brackets, the ratio to PyTorch. @param {Summary} summary @param {{ mode: string, major: number }} way */
function stepCell(summary, way) {
  const row = rowOf(summary, way);
  if (row?.medianMs === undefined) return "-";
  return row.vsTorch === undefined ? figure(row.medianMs) : `${figure(row.medianMs)} (${row.vsTorch.toFixed(2)})`;
}

/** @param {{ mode: string, major: number }} way */
const wayText = ({ mode, major }) => `Node ${major} ${mode}`;

/** @type {Record<string, (result: Result, from: Map<string, string[]>) => string>} */
const SECTIONS = {
  about(result, from) {
    const { machine, nodes, torch, date } = result;
    const files = [...new Set([...from.values()].flat())];
    const disturbed = result.summaries.filter(({ load }) => load.busy > 0 || load.notIdleBefore > 0);
    return [
      `Measured on ${date.slice(0, 10)}: ${machine.cpu}, ${machine.processors} processors, ${machine.memoryGB} GB, ${machine.system}; ` +
        `Node ${nodes.join(" and ")}; ${torch === null ? "no PyTorch" : typeof torch === "string" ? `PyTorch ${torch}` : torchText(torch)}. All samples, each file with its revision: ${filesText(files)}.`,
      disturbed.length === 0
        ? "The machine was idle otherwise, before and during all samples of the steps."
        : `Other processes were at work during some samples of ${disturbed.length} of ${result.summaries.length} workloads; the files say which.`,
    ].join("\n");
  },
  steps(result) {
    const ways = waysOf(result);
    return threadCounts(result)
      .map((threads) => {
        const own = result.summaries.filter((summary) => isNetwork(summary.kind) && summary.threads === threads);
        const rows = own.map((summary) => {
          const best = torchBest(summary);
          const torch = best ? `${figure(best.medianMs)} ${best.name.replace("PyTorch ", "")}` : "-";
          return [summary.title, torch, ...ways.map((way) => stepCell(summary, way))];
        });
        return `**${threads} thread${threads === 1 ? "" : "s"}**, ms a step (ratio to PyTorch's best)\n\n${markdown([["", "PyTorch's best", ...ways.map(wayText)], ...rows])}`;
      })
      .join("\n\n");
  },
  shares(result) {
    const ways = waysOf(result);
    const ceilings = result.ceilings.map(
      (ceiling) =>
        `Node ${majorOf(ceiling.node)} ${MODE_NAMES.flatMap((mode) => {
          const rate = ceiling[mode];
          return rate === undefined || (mode === "fast" && !ceiling.relaxedSimd) ? [] : [`${mode} ${rate.toFixed(1)}`];
        }).join(", ")}`,
    );
    const rows = result.summaries
      .filter(({ unit, threads }) => unit === "GFLOP" && threads === 1)
      .map((summary) => [
        summary.title,
        ...ways.map((way) => {
          const row = rowOf(summary, way);
          return row?.share === undefined ? "-" : `${figure(row.rate)} (${Math.round(100 * row.share)} %)`;
        }),
      ]);
    return `Ceilings of one thread, GFLOP/s: ${ceilings.join("; ")}.\n\n${markdown([["GFLOP/s (share)", ...ways.map(wayText)], ...rows])}`;
  },
  flat(result) {
    const ways = waysOf(result);
    const rows = result.summaries
      .filter(({ kind }) => networkOf(kind) === undefined)
      .map((summary) => {
        const best = torchBest(summary);
        return [
          `${summary.title}, ${summary.threads}T`,
          best ? figure(best.medianMs) : "-",
          ...ways.map((way) => stepCell(summary, way)),
        ];
      });
    return markdown([["ms", "PyTorch's best", ...ways.map(wayText)], ...rows]);
  },
  targets(result) {
    const rows = targetRows(result);
    const text = (/** @type {import("./targets.mjs").TargetRow | undefined} */ row) => {
      if (!row) return "";
      const met = isMet(row);
      const measured = row.measured === undefined ? "not measured" : ratioText(row.measured);
      return `${met === false ? `**${measured}**` : measured} / ${ratioText(row.target)}${!row.comparable ? " (not idle)" : ""}`;
    };
    const met = rows.filter((row) => isMet(row) === true).length;
    const judged = rows.filter((row) => isMet(row) !== undefined).length;
    const singles = rows.filter(({ of }) => of === "");
    return [
      `${met} of ${judged} are met; those that are not stand in bold.`,
      "",
      markdown([
        ["measured / target, at most", ...COLUMNS],
        ...groupTargets(rows).map(({ what, cells }) => [what, ...cells.map(text)]),
      ]),
      ...(singles.length > 0
        ? [
            "",
            markdown([
              ["", "measured / target"],
              ...singles.map((row) => [`${row.what}${row.least ? ", at least" : ", at most"}`, text(row)]),
            ]),
          ]
        : []),
    ].join("\n");
  },
  updates(result) {
    const rows = result.updates?.rows ?? [];
    if (rows.length === 0) return "Not measured.";
    const of = (/** @type {number | undefined} */ faster) => (faster ? (1 / faster).toFixed(2) : "-");
    const percent = (/** @type {number | undefined} */ value) => (value ? `${Math.round(100 * value)} %` : "-");
    return [...new Set(rows.map((/** @type {any} */ { size }) => size))]
      .map((size) => {
        const own = rows.filter((/** @type {any} */ row) => row.size === size);
        const counts = [...new Set(own.map((/** @type {any} */ { threads }) => threads))];
        const names = [...new Set(own.map((/** @type {any} */ { rule }) => rule))];
        const lines = names.map((name) => [
          String(name),
          ...counts.flatMap((threads) => {
            const row = own.find(
              (/** @type {any} */ candidate) => candidate.rule === name && candidate.threads === threads,
            );
            return row?.one
              ? [figure(row.one.medianMs), percent(row.share), of(row.vsDefault), of(row.vsFused)]
              : ["-", "-", "-", "-"];
          }),
        ]);
        const head = ["rule", ...counts.flatMap((threads) => [`${threads}T, ms`, "share", "/ default", "/ fused"])];
        return `**${size.toLocaleString("en")} parameters**, Node ${own[0].node}\n\n${markdown([head, ...lines])}`;
      })
      .join("\n\n");
  },
  starts(result) {
    const rows = (result.starts ?? []).map((row) => [
      `${networkOf(row.kind)?.title}, batch ${row.size}: ${row.name}`,
      figure(row.medianMs),
      figure(row.importMs),
      figure(row.compileMs),
      figure(row.stepMs),
      row.vsTorch === undefined ? "-" : row.vsTorch.toFixed(2),
    ]);
    return markdown([["ms", "whole process", "import", "trace and compile", "first step", "ratio"], ...rows]);
  },
  accuracy(result) {
    const rows = (result.accuracy ?? []).flatMap(({ data, target, rows: list, threads }) =>
      list.map((row) => [
        `${TASKS[data].title} ${100 * target} %, ${threads}T: ${row.name}`,
        row.error === undefined ? (row.reached ? (row.seconds ?? 0).toFixed(1) : "not reached") : "failed",
        `${row.epochs?.length ?? "-"}`,
        row.epochs ? (100 * (row.epochs.at(-1)?.accuracy ?? 0)).toFixed(2) : "-",
        row.vsTorch === undefined ? "-" : row.vsTorch.toFixed(2),
      ]),
    );
    return markdown([["", "seconds", "epochs", "%", "ratio"], ...rows]);
  },
  memory(result) {
    const ways = waysOf(result);
    const megabytes = (/** @type {number | null | undefined} */ bytes) => (bytes ? `${Math.round(bytes / 1e6)}` : "-");
    const rows = result.summaries
      .filter(({ kind, threads }) => isNetwork(kind) && threads === 1)
      .map((summary) => [
        summary.title,
        megabytes(torchBest(summary)?.peakMemory),
        ...ways.map((way) => megabytes(rowOf(summary, way)?.peakMemory)),
      ]);
    return markdown([["MB", "PyTorch's best", ...ways.map(wayText)], ...rows]);
  },
  peers(result) {
    const rows = (result.peers ?? []).flatMap(({ kind, size, rows: list }) =>
      list.map((row) => [
        `${networkOf(kind)?.title}, batch ${size}: ${row.name}${row.engine?.version ? ` ${row.engine.version}` : ""}`,
        row.medianMs === undefined ? "-" : figure(row.medianMs),
        row.ratio === undefined ? "-" : ratioText(row.ratio),
        row.error ?? (row.sameWork === false ? "not the same work: an update after each sample, squared error" : ""),
      ]),
    );
    return markdown([["1 thread", "ms a step", "times Downhill's", ""], ...rows]);
  },
  busy(result) {
    const rows = (result.busy ?? []).flatMap(({ kind, size, threads, rows: list }) =>
      list.map((row) => [
        `${networkOf(kind)?.title}, batch ${size}: ${row.name}`,
        figure(row.aloneMs),
        figure(row.oneMs),
        figure(row.manyMs),
        row.ratio === undefined ? (row.error ?? "-") : `${row.ratio.toFixed(2)}x of one thread, on ${threads}`,
      ]),
    );
    return rows.length === 0
      ? "Not measured."
      : markdown([["ms a step", "1 thread, idle", "1 thread, busy", "2 threads, busy", ""], ...rows]);
  },
};

/** @param {Result} result */
function picture(result) {
  const panels = threadCounts(result).map((threads) => ({
    title: `${threads} thread${threads === 1 ? "" : "s"}`,
    groups: result.summaries
      .filter((summary) => isNetwork(summary.kind) && summary.threads === threads)
      .map((summary) => ({
        title: summary.title.replace(/ \(.*?\)|, 64 steps/, "").replace(", batch", ","),
        values: COLUMNS.map((mode) => rowOf(summary, { mode, major: 24 })?.vsTorch),
      })),
  }));
  return chart(
    panels.filter(({ groups }) => groups.length > 0),
    `Training step, Adam, on Node 24; ${result.machine.cpu}, ${result.date.slice(0, 10)}`,
  );
}

/**
 * What is shown of the history: results of whole runs; those of an earlier form only until there is one of the present form.
 * @param {readonly Saved[]} all
 */
function shown(all) {
  const whole = all.filter(({ result }) => !result.quick);
  const present = whole.filter(({ result }) => result.done !== undefined);
  return present.length > 0 ? present : whole;
}

/**
 * The page with its tables written anew, and the picture.
 * @param {string} page @param {readonly Saved[]} saved Default: the history. @returns {{ page: string, picture: string }}
 */
export function renderDocs(page, saved = shown(history())) {
  const { result, from } = merge([...saved].sort((a, b) => b.result.date.localeCompare(a.result.date)));
  const written = page.replace(MARK, (_, open, name, close) => {
    const section = SECTIONS[name];
    if (!section) {
      const known = Object.keys(SECTIONS).join(", ");
      throw new UsageError(`docs/benchmarks.md: got the mark "${name}"; expected one of ${known}.`);
    }
    return `${open}${section(result, from) || "Not measured."}\n${close}`;
  });
  return { page: written, picture: picture(result) };
}

/** @param {readonly string[]} files Default: the history. @returns {string[]} What was written. */
export function writeDocs(files) {
  const saved = files.map((path) => ({ name: basename(path), result: readResult(path) }));
  const { page, picture: drawn } = renderDocs(readFileSync(PAGE, "utf8"), saved.length > 0 ? saved : undefined);
  writeFileSync(PAGE, page);
  writeFileSync(PICTURE, drawn);
  return [PAGE, PICTURE];
}
