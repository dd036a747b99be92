import type { CheckpointOptions } from "../train/checkpoints/policy.ts";

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, min: 60_000, h: 3_600_000 };

/** Milliseconds of a time such as `90s`, `10m` or `1h30m`; undefined where it is none. */
export function parseDuration(text: string): number | undefined {
  const parts = [...text.matchAll(/\s*(\d+(?:\.\d+)?)\s*(ms|s|min|m|h)/gy)];
  const length = parts.reduce((sum, [part]) => sum + part.length, 0);
  const total = parts.reduce((sum, [, n, unit]) => sum + Number(n) * (UNITS[unit ?? ""] as number), 0);
  return length === text.trimEnd().length && total > 0 ? total : undefined;
}

type Every = Pick<CheckpointOptions, "everySteps" | "everyEpochs" | "everyMinutes">;

/** `100 steps, 1 epoch, 5 min` as options; what is not named is off. Undefined where it is no such list. */
export function parseEvery(text: string): Required<Every> | undefined {
  const every = { everySteps: Infinity, everyEpochs: Infinity, everyMinutes: Infinity };
  for (const part of text.split(",")) {
    const [, n, unit] = /^\s*(\d+(?:\.\d+)?)?\s*(steps?|epochs?|min|minutes?)\s*$/.exec(part) ?? [];
    const name = unit?.startsWith("step") ? "everySteps" : unit?.startsWith("epoch") ? "everyEpochs" : "everyMinutes";
    const value = Number(n ?? 1);
    if (unit === undefined || value === 0 || (name !== "everyMinutes" && !Number.isSafeInteger(value)))
      return undefined;
    every[name] = value;
  }
  return every;
}
