/** PyTorch's files. What reads and writes them is loaded when it is first used. */
import type { EncodeTorchOptions, TorchValue } from "../io/torch-file.ts";
import type { StateDict } from "../nn/state-dict.ts";
import type { OptimizerState, OptimizerStateSource } from "../optim/optimizer-state.ts";

/**
 * What a file of `torch.save` (`.pt`, `.pth`) holds: dictionaries as maps, lists and tuples as arrays, None as null, tensors as host
 * arrays; f64, f16 and bf16 become f32, integers i32. No code of the file is ever run.
 *
 * Errors: DataError naming `file` and the byte where it is damaged, or holds anything but tensors and plain data.
 *
 * @example
 * (await decodeTorch(await encodeTorch({ epoch: 3 }))).get("epoch") // -> 3
 */
export async function decodeTorch(bytes: Uint8Array, file = "torch"): Promise<TorchValue> {
  const { decodeTorchFile } = await import("../io/torch-file.ts");
  return decodeTorchFile(bytes, file);
}

/**
 * Plain data and host arrays as `torch.save` writes them, for `torch.load(file, weights_only=True)`: a state dict from a run's
 * `weights()`, for instance. i32 arrays called `num_batches_tracked` are written as int64.
 *
 * Errors: DataError for anything but arrays and plain data.
 *
 * @example
 * await encodeTorch(await run.weights())
 */
export async function encodeTorch(
  value: TorchValue | Readonly<Record<string, TorchValue>>,
  options: EncodeTorchOptions = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const { encodeTorchFile } = await import("../io/torch-file.ts");
  return encodeTorchFile(value, options);
}

/**
 * A model's arrays from what `torch.save` wrote, for `fit`'s `weights`: a state dict, or a checkpoint's under `state_dict`, `model` and the
 * like. Errors: as `decodeTorch`, and DataError where there is none.
 *
 * @example
 * await fit(model, { ...options, weights: await decodeTorchWeights(bytes, "resnet18.pth") })
 */
export async function decodeTorchWeights(bytes: Uint8Array, file = "torch"): Promise<StateDict> {
  const { weightsOf } = await import("../nn/torch-weights.ts");
  return weightsOf(await decodeTorch(bytes, file), file);
}

/**
 * What `torch.save(optimizer.state_dict(), file)` wrote, for `fit`'s `optimizerState`: 10 steps there and 10 here are 20 here, with the same
 * equation (`like: "pytorch"`). The rate and the other numbers are those of the optimizer here.
 *
 * Errors: as `decodeTorch`; when training starts, DataError where it is the state of another rule or other parameters.
 *
 * @example
 * await fit(model, { ...options, weights, optimizerState: await decodeTorchOptimizer(bytes, "optimizer.pt") })
 */
export async function decodeTorchOptimizer(bytes: Uint8Array, file = "torch"): Promise<OptimizerStateSource> {
  const { fromTorchState } = await import("../optim/torch-state.ts");
  return fromTorchState(await decodeTorch(bytes, file), file);
}

/**
 * A run's `optimizerState()` for `optimizer.load_state_dict(torch.load(file))`, with all numbers of the group.
 *
 * Errors: OptionError for an optimizer that torch.optim does not have.
 *
 * @example
 * await encodeTorchOptimizer(await run.optimizerState())
 */
export async function encodeTorchOptimizer(state: OptimizerState): Promise<Uint8Array<ArrayBuffer>> {
  const { toTorchState } = await import("../optim/torch-state.ts");
  return encodeTorch(toTorchState(state));
}
