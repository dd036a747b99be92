import { OptionError } from "../../core/errors.ts";
import type { Callback, Control, TrainEvent, Weights } from "../events.ts";
import { type MetricMode, modeOf } from "../metric-mode.ts";

export type EarlyStoppingOptions = {
  /** Epochs without an improvement after which training stops. Default 5. */
  readonly patience?: number;
  /** What is watched. Default `"loss"`. */
  readonly metric?: string;
  /** Whose metric. Default `"validation"`. */
  readonly of?: "train" | "validation";
  /** Whether smaller or larger is better. Default `"min"` for metrics that end in `loss` or `error`, else `"max"`. */
  readonly mode?: MetricMode;
  /** Smaller changes do not count as an improvement. Default 0. */
  readonly minDelta?: number;
  /** Go back to the weights of the best epoch when training ends. Default true. */
  readonly restoreBest?: boolean;
};

export type EarlyStoppingState = {
  readonly best: number | null;
  readonly wait: number;
  readonly weights: Weights | null;
};

/**
 * Stops when a metric has not improved for `patience` epochs, and goes back to the best epoch's weights (also when the run
 * ends before). As Keras's `EarlyStopping`, but `restoreBest` is on by default.
 *
 * @throws OptionError when the metric is not among the run's.
 */
export function earlyStopping(options: EarlyStoppingOptions = {}): Callback<EarlyStoppingState> {
  const { patience = 5, metric = "loss", of = "validation", minDelta = 0, restoreBest = true } = options;
  const mode = options.mode ?? modeOf(metric);
  if (!Number.isInteger(patience) || patience < 1)
    throw new OptionError(
      `earlyStopping: got patience ${patience}; expected a whole number of at least 1.`,
      "patience",
    );
  const sign = mode === "min" ? 1 : -1;
  let best: number | null = null;
  let wait = 0;
  let weights: Weights | null = null;

  async function epoch(event: TrainEvent & { type: "epoch" }, control: Control): Promise<void> {
    const value = event[of][metric];
    if (value === undefined) {
      const known = Object.keys(event[of]).join(", ") || "none";
      throw new OptionError(
        `earlyStopping: got metric "${metric}"; the ${of} metrics of this run are: ${known}.`,
        "metric",
      );
    }
    if (best === null || sign * value < sign * best - minDelta) {
      best = value;
      wait = 0;
      if (restoreBest) weights = await control.weights();
      return;
    }
    wait++;
    if (wait >= patience) control.stop(`${of} ${metric} has not improved for ${wait} epoch${wait === 1 ? "" : "s"}`);
  }

  return {
    name: "earlyStopping",
    on(event, control) {
      if (event.type === "start") {
        best = null;
        wait = 0;
        weights = null;
      }
      if (event.type === "epoch") return epoch(event, control);
      if (event.type === "end" && weights !== null && wait > 0) control.setWeights(weights);
      return undefined;
    },
    save: () => ({ best, wait, weights }),
    load(state) {
      ({ best, wait, weights } = state);
    },
  };
}
