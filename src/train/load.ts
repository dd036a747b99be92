import { DataError } from "../core/errors.ts";
import type { HostArray } from "../core/host-array.ts";
import type { HostTree } from "./examples.ts";
import type { MakeBackend } from "./fit.ts";
import { type LoadModelOptions, loadModel } from "./load-model.ts";
import type { TrainedModel } from "./trained-model.ts";

/** An address of a run's folder or of its `model.safetensors`, or that file's bytes. */
export type LoadSource = string | { readonly href: string } | Uint8Array | ArrayBuffer;

export const MODEL_FILE = "model.safetensors";

/**
 * A trained model from where a run was saved, with its preprocessing and class names.
 *
 * Errors: DataError where the file is missing, damaged or no model; OptionError where it has a layer of the user's own that
 * `layers` does not build.
 *
 * @example
 * const model = await load("https://example.org/runs/digits/");
 * const [{ label }] = await model.predict(image);
 */
export type LoadFunction<S, B = unknown> = <X extends HostTree = HostArray, Y extends HostTree = HostArray>(
  source: S,
  options?: LoadModelOptions & B,
) => Promise<TrainedModel<X, Y>>;

/** `load` from addresses and bytes, on backends of this making. */
export function loadWith<B>(makeBackend: MakeBackend<B | undefined>): LoadFunction<LoadSource, B> {
  return async <X extends HostTree, Y extends HostTree>(source: LoadSource, options?: LoadModelOptions & B) => {
    const { bytes, name } = await read(source);
    const backend = await makeBackend(options);
    try {
      return loadModel<X, Y>(bytes, name, backend, options);
    } catch (error) {
      await backend.close();
      throw error;
    }
  };
}

async function read(source: LoadSource): Promise<{ bytes: Uint8Array; name: string }> {
  if (source instanceof Uint8Array) return { bytes: source, name: MODEL_FILE };
  if (source instanceof ArrayBuffer) return { bytes: new Uint8Array(source), name: MODEL_FILE };
  const given = typeof source === "string" ? source : source.href;
  const name = given.endsWith(".safetensors") ? given : `${given.replace(/\/$/, "")}/${MODEL_FILE}`;
  const response = await fetch(name).catch((error: unknown) => {
    throw new DataError(`load: cannot read ${name}: ${error instanceof Error ? error.message : String(error)}.`, name);
  });
  if (!response.ok) throw new DataError(`load: cannot read ${name}: ${response.status} ${response.statusText}.`, name);
  return { bytes: new Uint8Array(await response.arrayBuffer()), name };
}
