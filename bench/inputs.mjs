import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

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
 * @param {string} dist @param {string} folder @param {"cnn" | "mlp"} kind @param {number} batch
 */
export async function writeInputs(dist, folder, kind, batch) {
  const { nn, HostArray, encodeSafetensors } = await import(new URL("index.js", pathToFileURL(`${dist}/`)).href);
  const random = generator(batch);
  const shape = kind === "cnn" ? [batch, 1, 28, 28] : [batch, 784];
  const x = new HostArray("f32", shape, strokes(random, batch));
  const y = new HostArray(
    "i32",
    [batch],
    Int32Array.from({ length: batch }, () => Math.floor(random() * 10)),
  );
  const model = nn.model(kind === "cnn" ? nn.cnn({ classes: 10 }) : nn.mlp({ hidden: [256, 128], classes: 10 }));
  const { params, buffers } = model.init(1, x.aval);
  const path = join(folder, `${kind}-${batch}.safetensors`);
  writeFileSync(path, encodeSafetensors({ ...model.stateDict(params, buffers), x, y }));
  return path;
}
