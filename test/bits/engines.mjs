// Engines other than the one that runs this, from the packages that hold nothing but Node's own program.
// @ts-check
import { execFile, execFileSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

export const MAJORS = [20, 22, 24, 26];
const RUNNER = fileURLToPath(new URL("run.mjs", import.meta.url));
const FETCH_MS = 180_000;

/** @typedef {{ name: string, program: string }} Engine */

/**
 * Every major version but this one's; in words why not, where they cannot be had.
 *
 * @returns {{ engines: Engine[], reason: string | undefined }}
 */
export function fetchEngines() {
  const majors = MAJORS.filter((major) => major !== Number.parseInt(process.versions.node, 10));
  const platform = `${process.platform === "win32" ? "win" : process.platform}-${process.arch}`;
  const place = process.env.DOWNHILL_ENGINES ?? join(tmpdir(), `downhill-engines-${process.getuid?.() ?? "user"}`);
  const programOf = (/** @type {number} */ major) =>
    join(place, "node_modules", `node${major}`, "bin", process.platform === "win32" ? "node.exe" : "node");
  const missing = majors.filter((major) => !existsSync(programOf(major)));
  if (missing.length > 0)
    try {
      mkdirSync(place, { recursive: true });
      const wanted = majors.map((major) => `node${major}@npm:node-${platform}@${major}`);
      const npm = process.platform === "win32" ? "npm.cmd" : "npm";
      execFileSync(npm, ["install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", place, ...wanted], {
        cwd: place,
        stdio: ["ignore", "ignore", "pipe"],
        timeout: FETCH_MS,
        shell: process.platform === "win32",
      });
    } catch (error) {
      const text = error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error);
      return { engines: [], reason: `node-${platform} of ${missing.join(", ")} cannot be fetched: ${text}` };
    }
  return { engines: majors.map((major) => ({ name: `Node ${major}`, program: programOf(major) })), reason: undefined };
}

/** @param {string} program @param {number} threads @param {boolean} [wide] @returns {Promise<Record<string, string>>} */
export async function bitsOn(program, threads, wide = false) {
  const args = [RUNNER, String(threads), ...(wide ? ["wide"] : [])];
  const { stdout } = await promisify(execFile)(program, args, { env: { ...process.env, NODE_OPTIONS: "" } });
  return JSON.parse(stdout);
}
