/**
 * Runs everything that checks the project and ends with the line `N passed, N failed` (and `, N skipped`).
 * Each vitest test counts as one, and so does each of the other checks.
 *
 *   node scripts/check.mjs             all checks
 *   node scripts/check.mjs types lint  some of them, by the names below
 */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const bin = (path) => [process.execPath, join(root, "node_modules", path)];
const tsc = (config) => [...bin("typescript/bin/tsc"), "-p", config];

/** In order; `build` comes before what reads `dist/`. Commands of one check that has several run side by side. */
const checks = {
  types: {
    "types: common code": tsc("tsconfig.common.json"),
    "types: Node code": tsc("tsconfig.node.json"),
    "types: browser code": tsc("tsconfig.web.json"),
    "types: tests and tools": tsc("tsconfig.json"),
  },
  lint: { "lint and format": [...bin("@biomejs/biome/bin/biome"), "ci", "--colors=off", "--error-on-warnings", "."] },
  build: { build: [process.execPath, join(root, "scripts/build.mjs")] },
  knip: { "unused files, exports and dependencies": bin("knip/bin/knip.js") },
  lock: { "lock file": [process.execPath, join(root, "scripts/check-lock.mjs")] },
  tests: vitest,
};

/** @typedef {{ passed: number, failed: number, skipped: number }} Counts */

/** @param {string[]} command @returns {Promise<{ status: number, output: string }>} */
function capture(command) {
  return new Promise((done, fail) => {
    const child = spawn(command[0], command.slice(1), { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    child.stdout.on("data", (data) => (output += data));
    child.stderr.on("data", (data) => (output += data));
    child.on("error", fail);
    child.on("close", (status) => done({ status: status ?? 1, output }));
  });
}

/** @param {Record<string, string[]>} commands @returns {Promise<Counts>} */
async function commandsPass(commands) {
  const results = await Promise.all(
    Object.entries(commands).map(async ([name, command]) => {
      const started = performance.now();
      const { status, output } = await capture(command);
      console.log(`${status === 0 ? "ok  " : "FAIL"} ${name} (${((performance.now() - started) / 1000).toFixed(1)} s)`);
      if (status !== 0) console.log(output.trimEnd());
      return status === 0;
    }),
  );
  const passed = results.filter(Boolean).length;
  return { passed, failed: results.length - passed, skipped: 0 };
}

/** @returns {Promise<Counts>} */
async function vitest() {
  const folder = mkdtempSync(join(tmpdir(), "downhill-check-"));
  try {
    const report = join(folder, "vitest.json");
    const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
    const [node, script] = bin("vitest/vitest.mjs");
    const status = await new Promise((done, fail) => {
      const child = spawn(node, [script, "run", ...reporters], { cwd: root, stdio: ["ignore", "inherit", "inherit"] });
      child.on("error", fail);
      child.on("close", (code) => done(code ?? 1));
    });
    const { numPassedTests, numFailedTests, numPendingTests, numTodoTests, testResults } = JSON.parse(
      readFileSync(report, "utf8"),
    );
    // A file that fails while it loads has no tests to count, and an unhandled error belongs to none.
    const brokenFiles = testResults.filter(
      ({ status, assertionResults }) =>
        status === "failed" && !assertionResults.some((test) => test.status === "failed"),
    ).length;
    const failed = numFailedTests + brokenFiles;
    return {
      passed: numPassedTests,
      failed: status !== 0 && failed === 0 ? 1 : failed,
      skipped: numPendingTests + numTodoTests,
    };
  } catch (error) {
    console.log(`FAIL tests: no report (${error instanceof Error ? error.message : error})`);
    return { passed: 0, failed: 1, skipped: 0 };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !(name in checks));
if (unknown.length > 0) {
  console.error(`no check is named ${unknown.join(", ")}; there are ${Object.keys(checks).join(", ")}`);
  process.exit(2);
}

const total = { passed: 0, failed: 0, skipped: 0 };
for (const [name, check] of Object.entries(checks)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const counts = typeof check === "function" ? await check() : await commandsPass(check);
  for (const key of Object.keys(total)) total[key] += counts[key];
}
const skipped = total.skipped > 0 ? `, ${total.skipped} skipped` : "";
console.log(`${total.passed} passed, ${total.failed} failed${skipped}`);
process.exitCode = total.failed > 0 ? 1 : 0;
