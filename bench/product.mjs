/** The build that is measured, and its backend in one of the modes. */
import { pathToFileURL } from "node:url";
import { MODES } from "./modes.mjs";

/** @param {string} dist */
export async function loadProduct(dist) {
  /** @param {string} path */
  const load = (path) => import(new URL(path, pathToFileURL(`${dist}/`)).href);
  const [downhill, { compileStep }, { inPhase }, { simplify }, wasm, { mapTree }] = await Promise.all([
    load("index.node.js"),
    load("compile/step.js"),
    load("trace/trace.js"),
    load("compile/simplify.js"),
    load("backends/wasm/index.js"),
    load("core/tree.js"),
  ]);
  return { dist, load, downhill, compileStep, inPhase, simplify, wasm, mapTree };
}

/** @typedef {Awaited<ReturnType<typeof loadProduct>>} Product */

/** What the mode made of the engine, in words of the product. @type {{ notes?: readonly string[], blas?: string, wideGain?: number }} */
const opened = {};

/** @param {Product} product @param {{ threads: number, mode: import("./modes.mjs").Mode }} options */
export async function openBackend({ downhill, load }, { threads, mode }) {
  const { arithmetic, wide, native } = MODES[mode];
  if (wide) {
    const { enableWide } = await load("node/wide.js");
    const report = enableWide();
    if (!report.on) throw new Error(`wide: ${report.reason}`);
    opened.wideGain = report.gain;
  }
  if (native) {
    const { findBlas } = await load("native/blas.js");
    const report = findBlas();
    if (!report.blas) throw new Error(`native: ${report.reason}`);
    opened.blas = report.blas.name;
  }
  const backend = downhill.nodeBackend({ threads, mode: arithmetic, wide, native: native ? "on" : "off" });
  if (backend.notes?.length > 0) opened.notes = backend.notes;
  return backend;
}

/** @param {Product} product */
export const engineOf = ({ wasm }) => ({
  node: process.versions.node,
  v8: process.versions.v8,
  flags: process.execArgv,
  relaxedSimd: wasm.hasRelaxedSimd(),
  ...opened,
});

/** The same numbers in [-0.5, 0.5) as hashed() of the Python side. @param {Product} product @param {readonly number[]} shape @param {number} salt */
export function hashed({ downhill }, shape, salt) {
  const data = new Float32Array(shape.reduce((a, b) => a * b, 1));
  for (let i = 0; i < data.length; i++) data[i] = (Math.imul(i + salt, 2_654_435_761) >>> 0) / 2 ** 32 - 0.5;
  return new downhill.HostArray("f32", shape, data);
}
