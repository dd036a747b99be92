/**
 * Reads a million mutated files with every parser and says how many were refused, how long the slowest took and how much memory
 * the most hungry one.
 *
 *   node scripts/fuzz.mjs [--files 1000000] [--minutes 20] [--seed 1] [--save]
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const root = fileURLToPath(new URL("..", import.meta.url));
const { values } = parseArgs({
  options: {
    files: { type: "string", default: "1000000" },
    minutes: { type: "string", default: "20" },
    seed: { type: "string", default: "1" },
    save: { type: "boolean", default: false },
  },
});

const { status, signal } = spawnSync(
  process.execPath,
  [join(root, "node_modules/vitest/vitest.mjs"), "run", "test/fuzz/fuzz.test.ts"],
  {
    cwd: root,
    stdio: "inherit",
    timeout: Number(values.minutes) * 60_000,
    env: {
      ...process.env,
      DOWNHILL_FUZZ: values.files,
      DOWNHILL_SEED: values.seed,
      ...(values.save ? { DOWNHILL_FUZZ_REPORT: join(root, "docs/fuzz.json") } : {}),
    },
  },
);
if (signal !== null) console.error(`fuzz: not done in ${values.minutes} minutes`);
process.exitCode = status ?? 1;
