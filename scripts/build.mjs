/** Builds `dist/`: the library with tsc, one file per module, and in `dist/bundle` what Node loads, the command line too. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "tsdown";

const root = fileURLToPath(new URL("..", import.meta.url));
rmSync(new URL("../dist", import.meta.url), { recursive: true, force: true });

const tsc = spawn(process.execPath, ["node_modules/typescript/bin/tsc", "-p", "tsconfig.build.json"], {
  cwd: root,
  stdio: "inherit",
});
const [[status]] = await Promise.all([
  once(tsc, "exit"),
  build({ cwd: root, config: fileURLToPath(new URL("../tsdown.config.mjs", import.meta.url)), logLevel: "warn" }),
]);
mkdirSync(new URL("../dist/cli", import.meta.url), { recursive: true });
writeFileSync(new URL("../dist/cli/main.js", import.meta.url), '#!/usr/bin/env node\nimport "../bundle/main.js";\n', {
  mode: 0o755,
});
process.exitCode = status ?? 1;
