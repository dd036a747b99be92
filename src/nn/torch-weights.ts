import { DataError } from "../core/errors.ts";
import { HostArray } from "../core/host-array.ts";
import type { TorchValue } from "../io/torch-file.ts";
import { type StateDict, unwrapped } from "./state-dict.ts";

/** Where checkpoints keep the model's state dict. */
const PLACES = ["state_dict", "model_state_dict", "model", "net", "weights", "module"];

/**
 * The state dict in what `torch.save` wrote: the whole file, or what a checkpoint has under `state_dict`, `model_state_dict`,
 * `model`, `net`, `weights` or `module`; without what `DataParallel` and `torch.compile` put before its names.
 *
 * Errors: DataError naming `file` where there is none.
 */
export function weightsOf(value: TorchValue, file: string): StateDict {
  if (value instanceof Map) {
    const candidates: readonly TorchValue[] = [value, ...PLACES.map((place) => value.get(place) ?? null)];
    for (const candidate of candidates) {
      const found = stateDictOf(candidate);
      if (found !== undefined) return unwrapped(found);
    }
  }
  const keys = value instanceof Map ? `the keys ${[...value.keys()].slice(0, 6).join(", ")}` : "no dictionary";
  throw new DataError(
    `torch: ${file} has ${keys}; expected a state dict, or one under ${PLACES.join(", ")}. Hint: torch.save(model.state_dict(), file).`,
    file,
  );
}

function stateDictOf(value: TorchValue): StateDict | undefined {
  if (!(value instanceof Map) || value.size === 0) return undefined;
  const named = [...value].map(([name, array]): [string, unknown] => [String(name), array]);
  return named.every(([, array]) => array instanceof HostArray) ? (Object.fromEntries(named) as StateDict) : undefined;
}
