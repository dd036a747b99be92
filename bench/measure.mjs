import { Child } from "./child.mjs";
import { busyTime, IDLE } from "./machine.mjs";

/**
 * @typedef {import("./contenders.mjs").Contender} Contender
 * @typedef {import("./workloads.mjs").Workload} Workload
 * @typedef {{ ms: number, cpuMs: number, early: number | null, last: number | null, load: number, idleBefore: boolean | null }} Sample
 *   `ms` and `cpuMs` (all threads) a step; `early` and `last`: losses after the warm-up and the sample; `load`: processors that others kept busy.
 * @typedef {{ contender: Contender, engine?: any, first?: number, plannedBytes?: number, samples: Sample[],
 *   peakMemory?: number | null, phases?: Record<string, number>, dropped?: boolean, error?: string }} Measured
 * @typedef {{ contender: Contender, starts: { fromStart: number, times: Record<string, number>, idleBefore: boolean }[], first?: number, error?: string }} Started
 */

/** @param {unknown} error */
export const textOf = (error) => (error instanceof Error ? error.message : String(error));

/** A variant of PyTorch this much slower than the fastest one in the first round is not sampled again. */
const CLEARLY_SLOWER = 1.25;
/** For a process to its first step, torch.compile's C++ compiler included. */
const START_LIMIT_MS = 300_000;
const SAMPLE_LIMIT_MS = 120_000;

/**
 * One sample of each contender in turn, `rounds` times after a warm-up; who begins changes from round to round.
 * @param {Workload} workload @param {readonly Contender[]} contenders @param {number} rounds
 * @param {import("./machine.mjs").IdleWatch} idle @param {(text: string) => void} progress
 * @returns {Promise<Measured[]>}
 */
export async function measure(workload, contenders, rounds, idle, progress) {
  /** @type {(Measured & { child: Child })[]} */
  const running = [];
  try {
    for (const contender of contenders) {
      progress(`starting ${contender.name}`);
      const child = new Child(contender.command, contender.env);
      /** @type {Measured & { child: Child }} */
      const entry = { contender, child, samples: [] };
      running.push(entry);
      await attempt(entry, async () => {
        const { value, engine, plannedBytes } = await child.within(child.hello, START_LIMIT_MS);
        Object.assign(entry, { first: value, engine, plannedBytes });
      });
    }
    // Round 0 is the warm-up: engines tier up, caches and thread pools fill.
    for (let round = 0; round <= rounds; round++)
      for (let i = 0; i < running.length; i++) {
        const entry = running[(round + i) % running.length];
        if (!entry || entry.error !== undefined || entry.dropped) continue;
        progress(`${round === 0 ? "warm-up" : `round ${round} of ${rounds}`}, ${entry.contender.name}`);
        await attempt(entry, async () => {
          const taken = await sample(workload, entry.child, round === 0 ? undefined : idle);
          if (round > 0) entry.samples.push(taken);
        });
        if (round === 1 && i === running.length - 1) drop(running);
      }
    for (const entry of running)
      if (entry.error === undefined)
        await attempt(entry, async () => {
          Object.assign(entry, await entry.child.ask({ op: "end" }));
        });
  } finally {
    await Promise.all(running.map(({ child }) => child.close()));
  }
  return running.map(({ child, ...entry }) => entry);
}

/** @param {readonly Measured[]} entries */
function drop(entries) {
  const torch = entries.filter(({ contender, samples }) => contender.family === "pytorch" && samples.length > 0);
  const ms = (/** @type {Measured} */ { samples }) => samples[0]?.ms ?? Number.POSITIVE_INFINITY;
  const best = Math.min(...torch.map(ms));
  for (const entry of torch) if (ms(entry) > CLEARLY_SLOWER * best) entry.dropped = true;
}

/** @param {{ error?: string }} entry @param {() => Promise<void>} action */
export async function attempt(entry, action) {
  try {
    await action();
  } catch (error) {
    entry.error = textOf(error);
  }
}

/** @param {Workload} workload @param {Child} child @param {import("./machine.mjs").IdleWatch | undefined} idle @returns {Promise<Sample>} */
export async function sample({ threads, steps, warmup }, child, idle) {
  // From the first weights each time: all samples are then the same work, and no memorised batch brings denormals.
  await child.ask({ op: "reset" });
  const { value: early } = await child.ask({ op: "run", steps: warmup });
  const idleBefore = idle && threads > 1 ? await idle.wait() : null;
  const busy = busyTime();
  const start = performance.now();
  const { ms, cpuMs, value: last } = await child.ask({ op: "run", steps }, SAMPLE_LIMIT_MS);
  const load = Math.max(0, (busyTime() - busy - cpuMs) / (performance.now() - start));
  return { ms: ms / steps, cpuMs: cpuMs / steps, early, last, load, idleBefore };
}

/**
 * Whole processes to the first loss, in turn.
 * @param {readonly Contender[]} contenders @param {number} rounds @param {import("./machine.mjs").IdleWatch} idle
 * @param {(text: string) => void} progress @returns {Promise<Started[]>}
 */
export async function measureStarts(contenders, rounds, idle, progress) {
  /** @type {Started[]} */
  const list = contenders.map((contender) => ({ contender, starts: [] }));
  for (let round = 0; round < rounds; round++)
    for (const entry of list) {
      if (entry.error !== undefined) continue;
      progress(`start ${round + 1} of ${rounds}, ${entry.contender.name}`);
      const idleBefore = await idle.wait();
      const child = new Child(entry.contender.command, entry.contender.env);
      await attempt(entry, async () => {
        const { fromStart, times, value } = await child.within(child.hello, START_LIMIT_MS);
        entry.first = value;
        entry.starts.push({ fromStart, times, idleBefore });
      });
      await child.close();
    }
  return list;
}

/** Whether others used the machine. @param {readonly Pick<Sample, "load" | "idleBefore">[]} samples */
export function loadOf(samples) {
  const loads = samples.map(({ load }) => load);
  return {
    median: median(loads),
    most: Math.max(0, ...loads),
    busy: loads.filter((load) => load >= IDLE).length,
    notIdleBefore: samples.filter(({ idleBefore }) => idleBefore === false).length,
    samples: loads.length,
  };
}

/** @param {readonly number[]} values */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? (sorted[half] ?? Number.NaN)
    : ((sorted[half - 1] ?? Number.NaN) + (sorted[half] ?? Number.NaN)) / 2;
}
