/** Finds the engines that contenders run on: other versions of Node, and a Python with PyTorch. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { UsageError } from "./options.mjs";

const run = promisify(execFile);
const here = fileURLToPath(new URL(".", import.meta.url));

/** The executable of a version of Node, from the npm package `node`. @param {string} version */
export async function nodeOf(version) {
  try {
    const { stdout } = await run("npx", ["-y", `node@${version}`, "-e", "console.log(process.execPath)"], {
      shell: process.platform === "win32",
    });
    return stdout.trim();
  } catch (error) {
    throw new UsageError(
      `--node ${version}: npx -y node@${version} failed: ${/** @type {Error} */ (error).message.split("\n")[0]}`,
    );
  }
}

/** These make MKL's or OpenBLAS's choice of kernels another than the processor's own. */
const OVERRIDES = ["OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"];

export function pythonEnvironment() {
  const env = { ...process.env };
  for (const name of OVERRIDES) delete env[name];
  return env;
}

export const INSTALL_TORCH =
  'python3 -m venv bench/.venv && bench/.venv/bin/pip install "torch==2.13.0+cpu" numpy   (or set DOWNHILL_PYTHON)';

/**
 * A Python that has PyTorch: DOWNHILL_PYTHON, or bench/.venv, or the one on the path.
 * @returns {Promise<{ python: string, version: string } | { missing: string }>}
 */
export async function findTorch() {
  const own = ["bin/python", "Scripts/python.exe"].map((path) => `${here}.venv/${path}`).find(existsSync);
  const python = process.env.DOWNHILL_PYTHON || own || (process.platform === "win32" ? "python" : "python3");
  try {
    const { stdout } = await run(python, ["-c", "import torch; print(torch.__version__)"], {
      env: pythonEnvironment(),
    });
    return { python, version: stdout.trim() };
  } catch (error) {
    const absent = /** @type {NodeJS.ErrnoException} */ (error).code === "ENOENT";
    const name = process.env.DOWNHILL_PYTHON ? "DOWNHILL_PYTHON" : own ? "the Python of bench/.venv" : python;
    return { missing: absent ? `${name} was not found` : `${name} has no torch` };
  }
}
