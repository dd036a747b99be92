import type { Backend } from "../compile/backend.ts";
import type { HostArray } from "../core/host-array.ts";
import { leavesOf } from "../core/tree.ts";
import type { LayerConfig } from "../nn/layer.ts";
import type { LayerKinds } from "../nn/layer-from-config.ts";
import { lossFromConfig } from "../nn/losses/from-config.ts";
import type { Loss } from "../nn/losses/loss.ts";
import { METRICS, metricFromConfig } from "../nn/metrics/from-config.ts";
import type { Metric } from "../nn/metrics/metric.ts";
import type { HostTree } from "./examples.ts";
import { decodeModel } from "./model-file.ts";
import type { Task, TensorTree } from "./task.ts";
import { TrainedModel } from "./trained-model.ts";

export type LoadModelOptions = {
  /** Layers of your own, by kind. */
  readonly layers?: LayerKinds;
  /** The loss for `evaluate`. Default: the run's, where it is a built-in one. */
  readonly loss?: Loss<never, never>;
  /** The metrics for `evaluate`. Default: those of the run that are built in. */
  readonly metrics?: readonly Metric<never, never>[];
};

/** Built-in metrics, of older files too, which have their names alone. */
function metricOf(noted: string | LayerConfig): readonly Metric[] {
  if (typeof noted !== "string") return [metricFromConfig(noted)];
  return Object.hasOwn(METRICS, noted) ? [metricFromConfig({ kind: noted })] : [];
}

/** A trained model from the bytes of `model.safetensors`, on a backend of its own. Throws DataError naming `file`. */
export function loadModel<X extends HostTree = HostArray, Y extends HostTree = HostArray>(
  bytes: Uint8Array,
  file: string,
  backend: Backend,
  options: LoadModelOptions = {},
): TrainedModel<X, Y> {
  const decoded = decodeModel(bytes, file, options.layers);
  const store = backend.createStore();
  for (const [path, value] of leavesOf<HostArray>(decoded.state as HostTree, "state")) store.write(path, value);
  const found = decoded.metrics.flatMap(metricOf);
  const task: Task = {
    model: decoded.model,
    loss: (options.loss ?? lossOf(decoded.loss)) as unknown as Loss<TensorTree, TensorTree>,
    metrics: (options.metrics ?? found) as unknown as readonly Metric<TensorTree, TensorTree>[],
    preparation: decoded.preparation,
  };
  return new TrainedModel<X, Y>({ backend, store, task, ...decoded });
}

/** A loss of the user's own is only missed when `evaluate` asks for it. */
function lossOf(config: LayerConfig): Loss {
  try {
    return lossFromConfig(config);
  } catch (error) {
    const missing = (): never => {
      throw error;
    };
    return { name: config.kind, config, apply: missing };
  }
}
