/** `--busy`: what two threads give while other processes keep all processors but one busy. */
import { fileURLToPath } from "node:url";
import { Child } from "./child.mjs";
import { contendersFor } from "./contenders.mjs";
import { attempt, median, sample } from "./measure.mjs";
import { table } from "./report.mjs";
import { workload } from "./workloads.mjs";

/**
 * @typedef {{ kind: import("./workloads.mjs").Kind, size: number, threads: number, spinners: number,
 *   rows: { name: string, aloneMs?: number, oneMs?: number, manyMs?: number, ratio?: number, error?: string }[] }} BusyResult
 *   `aloneMs`: one thread on an idle machine; `oneMs`, `manyMs`: one and several threads beside the spinners; `ratio`: oneMs / manyMs
 */

const spin = fileURLToPath(new URL("spin.mjs", import.meta.url));

/**
 * The same contender with one thread and with several: not every mode has both.
 * @template {{ name: string }} T @param {readonly T[]} singles @param {readonly T[]} several @returns {[T, T][]}
 */
export const pairsOf = (singles, several) =>
  singles.flatMap((one) =>
    several.filter(({ name }) => name === one.name).map((many) => /** @type {[T, T]} */ ([one, many])),
  );

/**
 * @param {{ kind: import("./networks.mjs").NetworkKind, size: number, threads: number, inputs: string, rounds: number, spinners: number }} what
 * @param {import("./contenders.mjs").Field} field @param {(text: string) => void} progress @returns {Promise<BusyResult>}
 */
export async function measureBusy({ kind, size, threads, inputs, rounds, spinners }, field, progress) {
  const [one, many] = [1, threads].map((count) => workload(kind, size, count));
  if (!one || !many) throw new TypeError("no workload");
  const fusedOnly = (/** @type {{ name: string }} */ { name }) => !/default|compiled|contiguous/.test(name);
  const singles = contendersFor(one, inputs, field).filter(fusedOnly);
  const several = contendersFor(many, inputs, field).filter(fusedOnly);
  /** @type {BusyResult["rows"]} */
  const rows = [];
  for (const [contender, other] of pairsOf(singles, several)) {
    /** @type {BusyResult["rows"][number]} */
    const row = { name: contender.name };
    rows.push(row);
    progress(`busy machine, ${contender.name}`);
    const children = [contender, other].map(({ command, env }) => new Child(command, env));
    const [first, second] = children;
    /** @type {Child[]} */
    let spinning = [];
    await attempt(row, async () => {
      if (!first || !second) return;
      for (const child of children) await child.hello;
      /** @type {{ alone: number[], one: number[], many: number[] }} */
      const ms = { alone: [], one: [], many: [] };
      for (let round = 0; round <= rounds; round++) {
        const taken = (await sample(one, first, undefined)).ms;
        if (round > 0) ms.alone.push(taken);
      }
      await sample(many, second, undefined);
      spinning = Array.from({ length: spinners }, () => new Child([process.execPath, spin]));
      await Promise.all(spinning.map(({ hello }) => hello));
      for (let round = 0; round < rounds; round++) {
        ms.one.push((await sample(one, first, undefined)).ms);
        ms.many.push((await sample(many, second, undefined)).ms);
      }
      const [aloneMs, oneMs, manyMs] = [median(ms.alone), median(ms.one), median(ms.many)];
      Object.assign(row, { aloneMs, oneMs, manyMs, ratio: oneMs / manyMs });
    });
    await Promise.all([...children, ...spinning].map((child) => child.close()));
  }
  return { kind, size, threads, spinners, rows };
}

/** @param {BusyResult} result @param {string} title */
export function formatBusy({ threads, spinners, rows }, title) {
  const ms = (/** @type {number | undefined} */ value) => value?.toFixed(1) ?? "-";
  const lines = rows
    .filter(({ error }) => error === undefined)
    .map(({ name, aloneMs, oneMs, manyMs, ratio }) => [
      name,
      ms(aloneMs),
      ms(oneMs),
      ms(manyMs),
      ratio === undefined ? "-" : `${ratio.toFixed(2)}x`,
    ]);
  return [
    `${title} while ${spinners} other process${spinners === 1 ? " keeps" : "es keep"} a processor busy: ms a step`,
    table([["", "1 idle", "1 busy", `${threads} busy`, "gain"], ...lines], [30, 7, 7, 7, 7]),
    ...rows.flatMap(({ name, error }) => (error === undefined ? [] : [`  ${name} failed: ${error}`])),
  ].join("\n");
}
