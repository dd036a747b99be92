/** What every peer's process has in common: the inputs, and lines of JSON as contender.mjs answers them. */
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { peakMemory } from "../peak-memory.mjs";

/** @typedef {{ shape: number[], data: Float32Array | Int32Array }} Array */
/** @typedef {{ kind: "mlp" | "cnn", size: number, inputs: string, backend?: string }} Spec */

/** @returns {Spec} */
export const readSpec = () => JSON.parse(process.argv[2] ?? "");

/** @param {string} path @returns {{ x: Array, y: Array, weights: Record<string, Array> }} */
export function readInputs(path) {
  const content = readFileSync(path);
  const start = 8 + Number(content.readBigUInt64LE(0));
  /** @type {Record<string, { dtype: string, shape: number[], data_offsets: [number, number] }>} */
  const header = JSON.parse(content.toString("utf8", 8, start));
  /** @type {Record<string, Array>} */
  const arrays = {};
  for (const [name, entry] of Object.entries(header)) {
    if (name === "__metadata__") continue;
    const [from, to] = entry.data_offsets.map((offset) => start + offset);
    const bytes = new Uint8Array(content.subarray(from, to)).buffer;
    arrays[name] = {
      shape: entry.shape,
      data: entry.dtype === "F32" ? new Float32Array(bytes) : new Int32Array(bytes),
    };
  }
  const { x, y, ...weights } = arrays;
  if (!x || !y) throw new Error(`${path}: no x or y`);
  return { x, y, weights };
}

/** Weights in the order of their layers: [weight, bias] each. @param {Record<string, Array>} weights */
export function layersOf(weights) {
  const numbers = [...new Set(Object.keys(weights).map((name) => Number(name.split(".", 1)[0])))].sort((a, b) => a - b);
  return numbers.map((number) => {
    const [weight, bias] = [weights[`${number}.weight`], weights[`${number}.bias`]];
    if (!weight || !bias) throw new Error(`layer ${number}: no weight or bias`);
    return { weight, bias };
  });
}

/**
 * Answers until the input ends. `step` trains once from wherever the weights are and gives the loss before that.
 * @param {object} engine @param {() => Promise<number>} step
 */
export async function serve(engine, step) {
  /** @param {unknown} message */
  const answer = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);
  answer({ value: await step(), engine });
  for await (const line of createInterface({ input: process.stdin })) {
    const { op, steps } = JSON.parse(line);
    if (op === "run") {
      const start = performance.now();
      let value = Number.NaN;
      for (let i = 0; i < steps; i++) value = await step();
      answer({ ms: performance.now() - start, value });
    } else answer({ peakMemory: peakMemory() });
  }
  process.exit();
}
