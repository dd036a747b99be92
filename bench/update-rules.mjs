/** Update rules as work: what a step of each one reads and writes, found in its own program. */
import { hashed } from "./product.mjs";

/** Tensors that the second layout is cut into, from a few elements to a few hundred thousand. */
const TENSORS = 200;

/** `count` elements as one tensor, or as many of mixed sizes. @param {number} count @param {boolean} many */
export function shapesOf(count, many) {
  if (!many) return [[count]];
  const weights = Array.from({ length: TENSORS }, (_, i) => 1000 ** (((37 * i) % TENSORS) / TENSORS));
  const total = weights.reduce((a, b) => a + b);
  const sizes = weights.map((weight) => Math.max(1, Math.floor((count * weight) / total)));
  sizes[0] = (sizes[0] ?? 0) + count - sizes.reduce((a, b) => a + b);
  return sizes.map((size) => [size]);
}

/** @typedef {import("./product.mjs").Product} Library */

/** The rule with PyTorch's numbers where its table knows them. @param {Library} library @param {string} name */
export function ruleOf({ downhill }, name) {
  const row = downhill.optim.table.find((/** @type {any} */ { name: found }) => found === name);
  const { like } = row.hypers;
  return row.create(undefined, like?.choices.includes("pytorch") ? { like: "pytorch" } : {});
}

/**
 * The update of parameters whose gradients are given, compiled; and one addition to each array that it writes, over the same
 * memory: as much traffic with next to no arithmetic.
 * @param {Library} library @param {any} backend @param {any} rule @param {readonly (readonly number[])[]} shapes
 */
export async function prepare(library, backend, rule, shapes) {
  const { downhill } = library;
  const { optim } = downhill;
  /** @param {number} salt */
  const tree = (salt) => Object.fromEntries(shapes.map((shape, i) => [`p${i}`, hashed(library, shape, salt)]));
  const x = tree(1);
  const memory = await downhill.initOptimizer(rule, x);
  const options = { backend, state: { x, memory }, batch: {}, data: { g: tree(7) } };
  const start = performance.now();
  const step = await downhill.compile(
    (/** @type {any} */ old, /** @type {any} */ _batch, /** @type {any} */ ctx, /** @type {any} */ data) => {
      const [updates, next] = rule.update(data.g, old.memory, ctx.forUpdate(old.x, ctx.step.cast("f32")));
      return { state: { x: optim.applyUpdates(old.x, updates), memory: next } };
    },
    options,
  );
  const compileMs = performance.now() - start;
  /** @param {any} old @param {any} g @returns {any} */
  const added = (old, g) => {
    if (typeof old.mul !== "function")
      return Object.fromEntries(
        Object.entries(old).map(([key, child]) => [key, added(child, typeof g.mul === "function" ? g : (g[key] ?? g))]),
      );
    return old.dtype === "f32" && typeof g.mul === "function" && g.size === old.size ? old.add(g) : old;
  };
  const stream = () =>
    downhill.compile(
      (/** @type {any} */ old, /** @type {any} */ _batch, /** @type {any} */ ctx, /** @type {any} */ data) => {
        const none = ctx.hyper("none", 0);
        const g = Object.fromEntries(Object.entries(data.g).map(([key, leaf]) => [key, leaf.mul(none)]));
        return { state: { x: added(old.x, g), memory: added(old.memory, g) } };
      },
      { ...options, store: step.store },
    );
  return { step, stream, compileMs, before: x };
}

/**
 * Bytes that a program must read and write: each array that an equation reads, once, and each state that changes.
 * @param {Library} library @param {any} program
 */
export function bytesOf({ downhill }, program) {
  const { inputs, equations, outputs } = downhill.simplify(program);
  const read = new Set(
    equations.flatMap((/** @type {any} */ eq) => eq.inputs.map((/** @type {any} */ value) => value.id)),
  );
  const own = new Map(inputs.map((/** @type {any} */ { path, value }) => [path, value.id]));
  const size = (/** @type {any} */ { value }) =>
    4 * value.aval.shape.reduce((/** @type {number} */ a, /** @type {number} */ b) => a * b, 1);
  const reads = inputs.filter((/** @type {any} */ { value }) => read.has(value.id));
  const writes = outputs.filter((/** @type {any} */ { path, value }) => own.get(path) !== value.id);
  return [...reads, ...writes].reduce((sum, item) => sum + size(item), 0);
}

/** Loops over more than one element, of a compiled step. @param {any} step */
export function passesOf(step) {
  const kernels = /** @type {string[]} */ (step.executable.print("kernels").split(/\n(?! )/));
  return kernels.filter((kernel) => /(^ +for| over) i\d+ < (?!1\b)\d/m.test(kernel)).length;
}
