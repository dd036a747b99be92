import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { NETWORKS } from "./networks.mjs";

/** Images like scanned strokes: a few soft blobs on a black ground, in steps of 1/255. @param {any} random @param {number} count */
function strokes(random, count) {
  const side = 28;
  const pixels = new Float32Array(count * side * side);
  const draw = (/** @type {number} */ low, /** @type {number} */ high) => low + (high - low) * random();
  for (let image = 0; image < count; image++) {
    const blobs = Array.from({ length: 6 }, () => ({
      x: draw(6, 22),
      y: draw(6, 22),
      width: draw(1, 2.5),
      height: draw(0.5, 1),
    }));
    for (let y = 0; y < side; y++)
      for (let x = 0; x < side; x++) {
        const light = blobs.reduce(
          (sum, b) => sum + b.height * Math.exp(-((x - b.x) ** 2 + (y - b.y) ** 2) / (2 * b.width ** 2)),
          0,
        );
        pixels[(image * side + y) * side + x] = Math.round(255 * Math.min(1, light)) / 255;
      }
  }
  return pixels;
}

/** Numbers in [0, 1) from a 32-bit linear congruential generator; enough for pictures. @param {number} seed */
function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/**
 * Writes a batch and Downhill's first weights under PyTorch's names, so that all contenders start alike.
 * @param {string} dist @param {string} folder @param {import("./networks.mjs").NetworkKind} kind @param {number} batch
 */
export async function writeInputs(dist, folder, kind, batch) {
  const { nn, HostArray, encodeSafetensors } = await import(new URL("index.js", pathToFileURL(`${dist}/`)).href);
  const random = generator(batch);
  const {
    input,
    indices,
    target,
    classes,
    model: modelOf,
  } = /** @type {import("./networks.mjs").Network} */ (NETWORKS[kind]);
  const size = (/** @type {readonly number[]} */ shape) => shape.reduce((a, b) => a * b, 1);
  const shape = input(batch);
  // Handwritten digits for the networks that take them; noise for the others.
  const values =
    size(shape) === batch * 784
      ? strokes(random, batch)
      : Float32Array.from({ length: size(shape) }, () => random() - 0.5);
  const x =
    indices === undefined
      ? new HostArray("f32", shape, values)
      : new HostArray(
          "i32",
          shape,
          Int32Array.from(values, () => Math.floor(random() * indices)),
        );
  const labels = Int32Array.from({ length: size(target(batch)) }, () => Math.floor(random() * classes));
  const y = new HostArray("i32", target(batch), labels);
  const model = nn.model(modelOf(nn));
  const { params, buffers } = model.init(1, x.aval);
  const path = join(folder, `${kind}-${batch}.safetensors`);
  writeFileSync(path, encodeSafetensors({ ...model.stateDict(params, buffers), x, y }));
  return path;
}
