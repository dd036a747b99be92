/**
 * Kills training processes at random moments, resumes them, and compares what they leave with what uninterrupted runs leave;
 * writes the counts that docs/faults.md shows.
 *
 *   node scripts/faults.mjs [--kills 25] [--seed 1] [--save]   kills for each recipe
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const root = fileURLToPath(new URL("..", import.meta.url));
const { values } = parseArgs({
  options: {
    kills: { type: "string", default: "25" },
    seed: { type: "string", default: "1" },
    save: { type: "boolean", default: false },
  },
});

const { status } = spawnSync(
  process.execPath,
  [join(root, "node_modules/vitest/vitest.mjs"), "run", "test/faults/kill.test.ts"],
  {
    cwd: root,
    stdio: "inherit",
    env: {
      ...process.env,
      DOWNHILL_KILLS: values.kills,
      DOWNHILL_SEED: values.seed,
      ...(values.save ? { DOWNHILL_FAULTS: join(root, "docs/faults.json") } : {}),
    },
  },
);
process.exitCode = status ?? 1;
