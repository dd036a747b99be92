import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { DataError } from "../core/errors.ts";
import type { HostArray } from "../core/host-array.ts";
import type { HostTree } from "../train/examples.ts";
import type { MakeBackend } from "../train/fit.ts";
import { type LoadFunction, MODEL_FILE } from "../train/load.ts";
import { loadModel } from "../train/load-model.ts";
import { reasonOf } from "./file-store.ts";

/** `load` from the path of a run's folder or of a model file, on backends of this making. */
export function loadFromDisk<B>(makeBackend: MakeBackend<B | undefined>): LoadFunction<string | Uint8Array, B> {
  return async <X extends HostTree = HostArray, Y extends HostTree = HostArray>(
    source: string | Uint8Array,
    options?: Parameters<LoadFunction<string, B>>[1],
  ) => {
    if (typeof source !== "string") return loadModel<X, Y>(source, MODEL_FILE, await makeBackend(options), options);
    const { bytes, file } = read(source);
    return loadModel<X, Y>(bytes, file, await makeBackend(options), options);
  };
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
