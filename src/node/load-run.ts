import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { DataError } from "../core/errors.ts";
import type { HostArray } from "../core/host-array.ts";
import type { HostTree } from "../train/examples.ts";
import { MODEL_FILE } from "../train/load.ts";
import { type LoadModelOptions, loadModel } from "../train/load-model.ts";
import type { TrainedModel } from "../train/trained-model.ts";
import { type NodeBackendOptions, nodeBackend } from "./default-backend.ts";
import { reasonOf } from "./file-store.ts";

/**
 * A trained model from its run's folder, from its `model.safetensors` or from that file's bytes, with its preprocessing and
 * class names.
 *
 * Errors: DataError where the file is missing, damaged, no model, or has a layer of the user's own that `layers` does not
 * build.
 *
 * @example
 * const model = await load("runs/2025-01-31-142530-mnist-cnn");
 * const [{ label }] = await model.predict(image);
 */
export async function load<X extends HostTree = HostArray, Y extends HostTree = HostArray>(
  source: string | Uint8Array,
  options: LoadModelOptions & NodeBackendOptions = {},
): Promise<TrainedModel<X, Y>> {
  const { bytes, file } = typeof source === "string" ? read(source) : { bytes: source, file: MODEL_FILE };
  return loadModel<X, Y>(bytes, file, nodeBackend(options), options);
}

function read(path: string): { bytes: Uint8Array; file: string } {
  let file = path;
  try {
    if (statSync(path).isDirectory()) file = join(path, MODEL_FILE);
    return { bytes: readFileSync(file), file };
  } catch (error) {
    throw new DataError(
      `load: cannot read ${file}: ${reasonOf(error)}. Expected a run's folder or its ${MODEL_FILE}.`,
      file,
    );
  }
}
