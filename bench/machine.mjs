import { availableParallelism, cpus, platform, release, totalmem } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";

/** Milliseconds that all processors together have been busy since the machine started (on Linux, from /proc/stat). */
export const busyTime = () =>
  cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0);

/** Processors kept busy by others, below which the machine counts as idle: a few ticks of the kernel's 10 ms clock. */
export const IDLE = 0.15;

const WINDOW_MS = 250;

/** Waits until the machine is idle. The total of all waits is bounded, so that a busy machine only costs so much. */
export class IdleWatch {
  #left;
  #each;
  /** @param {{ totalMs: number, eachMs: number }} bounds */
  constructor({ totalMs, eachMs }) {
    this.#left = totalMs;
    this.#each = eachMs;
  }

  /** Whether it became idle. */
  async wait() {
    const limit = Math.min(this.#each, this.#left);
    const started = performance.now();
    for (;;) {
      const busy = busyTime();
      const from = performance.now();
      await sleep(WINDOW_MS);
      const load = (busyTime() - busy) / (performance.now() - from);
      if (load < IDLE) return true;
      if (performance.now() - started >= limit) break;
    }
    this.#left -= performance.now() - started;
    return false;
  }
}

export function describeMachine() {
  return {
    cpu: cpus()[0]?.model ?? "unknown",
    processors: availableParallelism(),
    memoryGB: Math.round(totalmem() / 1e9),
    system: `${platform()} ${release()}`,
  };
}
