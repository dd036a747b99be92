/** Finds the engines that contenders run on: other versions of Node, and a Python with PyTorch. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { ChildError } from "./child.mjs";
import { majorOf } from "./modes.mjs";

const run = promisify(execFile);
const here = fileURLToPath(new URL(".", import.meta.url));

/** The executable of a version of Node, from the npm package `node`. @param {string} version */
export async function nodeOf(version) {
  if (majorOf(process.versions.node) === Number(version)) return process.execPath;
  try {
    const { stdout } = await run("npx", ["-y", `node@${version}`, "-e", "console.log(process.execPath)"], {
      shell: process.platform === "win32",
    });
    return stdout.trim();
  } catch (error) {
    throw new ChildError(`npx -y node@${version} failed: ${/** @type {Error} */ (error).message.split("\n")[0]}`);
  }
}

/** These make MKL's or OpenBLAS's choice of kernels another than the processor's own. */
const OVERRIDES = ["OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"];

export function cleanEnvironment() {
  const env = { ...process.env };
  for (const name of OVERRIDES) delete env[name];
  return env;
}

export function pythonEnvironment() {
  // torch.compile otherwise keeps a pool of processes.
  return { ...cleanEnvironment(), TORCHINDUCTOR_COMPILE_THREADS: "1" };
}

export const INSTALL_TORCH =
  'python3 -m venv bench/.venv && bench/.venv/bin/pip install "torch==2.13.0+cpu" numpy   (or set DOWNHILL_PYTHON)';

const ASK_TORCH = `
import json, re, torch
text = torch.__config__.show()
first = lambda pattern: (re.findall(pattern, text) or [None])[0]
print(json.dumps({
  "version": torch.__version__, "blas": first(r"BLAS_INFO=(\\w+)"), "mkl": first(r"Math Kernel Library Version (\\S+)"),
  "onednn": first(r"MKL-DNN v(\\S+)"), "cpu": first(r"CPU capability usage: (\\S+)"),
}))`;

/** @typedef {{ version: string, blas: string | null, mkl: string | null, onednn: string | null, cpu: string | null }} TorchBuild */

/** @param {TorchBuild} torch */
export const torchText = ({ version, blas, mkl, onednn, cpu }) =>
  `PyTorch ${version} (${[blas && `BLAS ${blas}${mkl ? ` ${mkl}` : ""}`, onednn && `oneDNN ${onednn}`, cpu].filter(Boolean).join(", ")})`;

/**
 * A Python that has PyTorch: DOWNHILL_PYTHON, or bench/.venv, or the one on the path.
 * @returns {Promise<{ python: string, build: TorchBuild } | { missing: string }>}
 */
export async function findTorch() {
  const own = ["bin/python", "Scripts/python.exe"].map((path) => `${here}.venv/${path}`).find(existsSync);
  const python = process.env.DOWNHILL_PYTHON || own || (process.platform === "win32" ? "python" : "python3");
  try {
    const { stdout } = await run(python, ["-c", ASK_TORCH], {
      env: pythonEnvironment(),
    });
    return { python, build: JSON.parse(stdout) };
  } catch (error) {
    const absent = /** @type {NodeJS.ErrnoException} */ (error).code === "ENOENT";
    const name = process.env.DOWNHILL_PYTHON ? "DOWNHILL_PYTHON" : own ? "the Python of bench/.venv" : python;
    return { missing: absent ? `${name} was not found` : `${name} has no torch` };
  }
}
