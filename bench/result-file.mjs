/** Results as files: `results/` is the history; `last.json` is the last run, also one that was interrupted. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/**
 * @typedef {import("./report.mjs").Summary} Summary
 * @typedef {{ date: string, revision: string | null, machine: ReturnType<typeof import("./machine.mjs").describeMachine>,
 *   nodes: string[], engineFlags: string[], torch: import("./engines.mjs").TorchBuild | string | null, quick: boolean, rounds?: number,
 *   complete?: boolean, done?: string[], notes?: string[], ceilings: import("./ceilings.mjs").Ceiling[], summaries: Summary[],
 *   updates?: any, starts?: any[], accuracy?: import("./accuracy.mjs").AccuracyResult[], peers?: import("./peers.mjs").PeerResult[],
 *   busy?: import("./busy.mjs").BusyResult[] }} Result
 */

const here = fileURLToPath(new URL(".", import.meta.url));
const HISTORY = join(here, "results");
export const LAST = join(here, "last.json");

/** JSON with short arrays of numbers on one line. @param {unknown} value */
export function toJson(value) {
  const rounded = JSON.stringify(
    value,
    (_, item) => (typeof item === "number" ? Number(item.toPrecision(6)) : item),
    2,
  );
  return `${rounded.replace(/\[\s+([-\d.e+,\s]+?)\s+\]/g, (_, items) => `[${items.split(/,\s+/).join(", ")}]`)}\n`;
}

/** @param {string} path @param {Result} result */
export const writeResult = (path, result) => writeFileSync(path, toJson(result));

/** @param {string} path @returns {Result} */
export const readResult = (path) => JSON.parse(readFileSync(path, "utf8"));

/** Beside earlier results of the day. @param {Result} result */
export function saveResult(result) {
  mkdirSync(HISTORY, { recursive: true });
  const date = result.date.slice(0, 10);
  let path = join(HISTORY, `${date}.json`);
  for (let i = 2; existsSync(path); i++) path = join(HISTORY, `${date}-${i}.json`);
  writeResult(path, result);
  return path;
}

/** Saved results, the newest first. */
export function history() {
  if (!existsSync(HISTORY)) return [];
  return readdirSync(HISTORY)
    .filter((name) => name.endsWith(".json"))
    .map((name) => ({ path: join(HISTORY, name), name, result: readResult(join(HISTORY, name)) }))
    .sort((a, b) => b.result.date.localeCompare(a.result.date));
}

/** A workload, the same in two results only where it is the same amount of work. @param {Pick<Summary, "kind" | "size" | "threads" | "work">} summary */
export const workloadKey = ({ kind, size, threads, work }) =>
  `${kind} ${size} ${threads} ${Number(work.toPrecision(4))}`;
