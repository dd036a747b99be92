/** The build that is measured, and its backend in one of the modes. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { MODES } from "./modes.mjs";

/** What packages that depend on it load in Node, where the build has it. @param {string} dist */
export async function loadProduct(dist) {
  /** @param {string} path */
  const load = (path) => import(new URL(path, pathToFileURL(`${dist}/`)).href);
  const entry = existsSync(join(dist, "bundled")) ? "bundled/index.node.js" : "index.node.js";
  return { dist, downhill: await load(entry) };
}

/** @typedef {Awaited<ReturnType<typeof loadProduct>>} Product */

/** What the mode made of the engine, in words of the product. @type {{ notes?: readonly string[], blas?: string }} */
const opened = {};

/** @param {Product} product @param {{ threads: number, mode: import("./modes.mjs").Mode }} options */
export async function openBackend({ downhill }, { threads, mode }) {
  const { arithmetic, wide, native } = MODES[mode];
  const backend = downhill.nodeBackend({ threads, mode: arithmetic, wide, native: native ? "on" : "off" });
  const refused = backend.notes?.find((/** @type {string} */ note) => note.startsWith("not wide"));
  if (refused !== undefined) throw new Error(refused);
  if (native) opened.blas = backend.name.replace(/^.*native /, "");
  if (backend.notes?.length > 0) opened.notes = backend.notes;
  return backend;
}

export const engineOf = () => ({
  node: process.versions.node,
  v8: process.versions.v8,
  flags: process.execArgv,
  ...opened,
});

/** The same numbers in [-0.5, 0.5) as hashed() of the Python side. @param {Product} product @param {readonly number[]} shape @param {number} salt */
export function hashed({ downhill }, shape, salt) {
  const data = new Float32Array(shape.reduce((a, b) => a * b, 1));
  for (let i = 0; i < data.length; i++) data[i] = (Math.imul(i + salt, 2_654_435_761) >>> 0) / 2 ** 32 - 0.5;
  return new downhill.HostArray("f32", shape, data);
}
