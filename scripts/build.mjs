/** Builds `dist/`: the library with tsc, one file per module, and in a few files for Node, with the command line. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { rmSync } from "node:fs";
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
process.exitCode = status ?? 1;
