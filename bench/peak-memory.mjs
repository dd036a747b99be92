import { readFileSync } from "node:fs";

/** Most bytes of this process that were ever resident. */
export function peakMemory() {
  try {
    // Linux counts what the parent held at the fork into getrusage's maximum; this line is the process's own.
    const [, kib] = readFileSync("/proc/self/status", "utf8").match(/^VmHWM:\s*(\d+) kB$/m) ?? [];
    if (kib !== undefined) return Number(kib) * 1024;
  } catch {}
  return process.resourceUsage().maxRSS * 1024;
}
